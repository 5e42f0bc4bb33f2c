"""Scalars: the fields of the schemas that hold one value, with their types, ranges and help. Standard library only."""

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MISSING: Any = "???"
"""OmegaConf's mark of a value that must still be given."""


def scalar(
    default: Any,
    help: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    suggested: tuple[str, ...] = (),
    form: str = "",
) -> Any:
    """Return a field of a schema.

    Args:
        default: Its default.
        help: Its meaning in a few words.
        low: The smallest value.
        high: The least value that is too large.
        choices: All values that there are.
        suggested: Some of many values.
        form: A pattern that all values match, which ``help`` describes.
    """
    given = {"default_factory": lambda: list(default)} if isinstance(default, list) else {"default": default}
    known = {"help": help, "low": low, "high": high, "choices": choices, "suggested": suggested, "form": form}
    return field(**given, metadata={**known, "default": default})


@dataclass(frozen=True)
class Scalar:
    """One scalar: ``kind`` is bool, int, float, str or list (of words), ``optional`` says whether it may be null.

    ``choices`` are all values that there are, ``suggested`` some of many, and ``form`` is a pattern that all of them match,
    which the help describes.
    """

    kind: type
    optional: bool
    default: Any
    help: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    suggested: tuple[str, ...] = ()
    form: str = ""

    def problem(self, value: Any) -> str | None:
        """Return why a value of the right kind is refused ("must be at least 1"), or None if it is not."""
        if value is None:
            return None
        if self.choices and value not in self.choices:
            return f"must be {', '.join(self.choices[:-1])} or {self.choices[-1]}"
        if self.form and not re.fullmatch(self.form, str(value)):
            return f"must be {self.help}"
        if self.low is not None and not value >= self.low:
            return f"must be at least {self.low}"
        if self.high is not None and not value < self.high:
            return f"must be below {self.high}"
        return None


def key_of(entry: dataclasses.Field[Any]) -> str:
    """Return the key of a field; that of a word of Python, as ``from``, has a field with an underscore behind it."""
    return entry.name.removesuffix("_")


def scalars(schema: type) -> Mapping[str, Scalar]:
    """Return all scalars of ``schema`` by dotted name, inherited ones last; nodes of components are not among them."""
    hints = typing.get_type_hints(schema)
    found: dict[str, Scalar] = {}
    for entry in sorted(dataclasses.fields(schema), key=lambda entry: entry.name not in schema.__annotations__):
        hint = hints[entry.name]
        if dataclasses.is_dataclass(hint):
            found |= {f"{entry.name}.{name}": scalar for name, scalar in scalars(typing.cast(type, hint)).items()}
        elif entry.metadata:
            kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
            kind = typing.get_origin(kinds[0]) or kinds[0]
            found[key_of(entry)] = Scalar(kind, types.NoneType in kinds, **entry.metadata)
    return found


def components(schema: type) -> list[str]:
    """Return the names of the nodes that groups fill in."""
    return [entry.name for entry in dataclasses.fields(schema) if entry.type is Any]
