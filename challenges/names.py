"""Names that people type: exact, with near matches suggested and never guessed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["UnknownNameError", "choose"]


class UnknownNameError(ValueError):
    """A name that nothing bears."""


def choose(what: str, name: str, known: Iterable[str]) -> str:
    """The name itself, if it is known.

    Arguments:
        what: the kind of thing that is named, such as ``"tier"``.
        name: as typed.
        known: the names there are.

    Raises:
        UnknownNameError: with the near matches and all names there are.

    Examples:
        >>> choose("tier", "tny", ["tiny", "small"])
        Traceback (most recent call last):
        skysynergy.challenges.names.UnknownNameError: no tier 'tny'; did you mean tiny? There are: tiny, small
    """
    known = list(known)
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    raise UnknownNameError(f"no {what} {name!r}{hint} There are: {', '.join(known)}")
