"""Runs a method on one field in a process of its own: ``python -m ... METHOD FIELD ANSWER``.

The harness starts one such process for every field, so that nothing a method learned from
one field can reach another. The method sees a file with the field's exposures, and nothing of
the secret, the shear or its partner.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from .method import Field, Method, load_field

__all__ = ["MethodError", "answer", "find_method", "main"]


class MethodError(Exception):
    """A method that cannot be found or run, or that answers something else than was asked."""


def find_method(reference: str) -> Method:
    """The method ``module:Class``, made without arguments.

    Raises:
        MethodError: if there is no such module or class, or it has no `predict`.
    """
    module, separator, name = reference.partition(":")
    if not (module and separator and name):
        raise MethodError(f"a method is named as my_package.my_module:MyMethod, not {reference!r}")
    try:
        found = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise MethodError(f"{reference}: {error}; is it installed, or on PYTHONPATH?") from error
    except AttributeError as error:
        raise MethodError(f"{reference}: the module {module} holds no {name}") from error
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
    except (TypeError, ValueError) as error:
        raise MethodError(f"{method.name} answered something that is no number: {error}") from error


def main(reference: str, field: str, out: str) -> None:
    """Run a method on the field in a file, and write its answer as JSON, atomically."""
    predicted = answer(find_method(reference), load_field(Path(field)))
    part = Path(out + ".part")
    part.write_text(json.dumps(predicted))
    part.replace(out)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except MethodError as error:
        sys.exit(str(error))
