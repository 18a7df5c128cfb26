"""Runs a method on one field in a process of its own: ``python -m ... METHOD [FIELD ANSWER]``.

The harness starts one such process for every field, so that nothing a method learned from
one field can reach another. The method sees a file with the field's exposures, and nothing of
the secret, the shear or its partner. Without a field, the method is only found and made.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from .method import Field, Method, load_field

__all__ = ["REFUSED", "MethodError", "answer", "find_method", "main"]

REFUSED = 65
"""Exit code of a process that ended with a `MethodError`, whose message is all that it says."""


class MethodError(Exception):
    """A method that cannot be found or run, or that answers something else than was asked."""


def find_method(reference: str) -> Method:
    """The method ``module:Class``, made without arguments.

    Raises:
        MethodError: if there is no such module or class, the module imports what is not there, the
            class needs arguments, or it has no `predict`.
    """
    module, separator, name = reference.partition(":")
    if not (separator and name and all(part.isidentifier() for part in module.split("."))):
        raise MethodError(f"a method is named as my_package.my_module:MyMethod, not {reference!r}")
    try:
        home = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and f"{module}.".startswith(f"{error.name}."):
            raise MethodError(f"{reference}: {error}; is it installed, or on PYTHONPATH?") from error
        raise MethodError(f"{reference}: {module} imports what is not there: {error}; install it") from error
    if not hasattr(home, name):
        raise MethodError(f"{reference}: the module {module} holds no {name}")
    found = getattr(home, name)
    if not callable(found):
        raise MethodError(f"{reference} is not callable: name the class, which is made anew for each field")
    if _needs_arguments(found):
        raise MethodError(f"{reference} must be made without arguments: give each of them a default")
    method = found()
    if not isinstance(method, Method):
        raise MethodError(f"{reference} is no method: it needs a `name` and `predict(field)`")
    return method


def answer(method: Method, field: Field) -> dict[str, float]:
    """What a method predicts for a field, as plain numbers.

    Raises:
        MethodError: if it answers something else than a mapping to numbers.
    """
    predicted = method.predict(field)
    if not isinstance(predicted, Mapping):
        raise MethodError(f"{method.name} answered a {type(predicted).__name__}, not a mapping of columns")
    try:
        return {str(column): float(value) for column, value in predicted.items()}
    except (TypeError, ValueError, OverflowError) as error:
        raise MethodError(f"{method.name} answered something that is no number: {error}") from error


def main(reference: str, field: str | None = None, out: str | None = None) -> None:
    """Run a method on the field in a file, and write its answer as JSON, atomically."""
    method = find_method(reference)
    if field is None or out is None:
        return
    predicted = answer(method, load_field(Path(field)))
    part = Path(out + ".part")
    part.write_text(json.dumps(predicted))
    part.replace(out)


def _needs_arguments(made: Callable[..., object]) -> bool:
    try:
        inspect.signature(made).bind()
    except TypeError:
        return True
    except ValueError:  # some classes written in C do not tell
        return False
    return False


def _follow(parent: int) -> None:
    """Let this process die within a second of its parent, however that died."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()
    try:
        main(*sys.argv[1:])
    except MethodError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(REFUSED)
