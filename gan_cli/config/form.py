"""The form of plain data that a file holds, compared with type annotations. Standard library only."""

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

MOST = 100_000
"""Number of values beyond which data are refused; an object that refers to itself has infinitely many."""


class FormError(ValueError):
    """Data have another form; the message names the place."""


def require(value: Any, form: Any, place: str = "") -> None:
    """Check that ``value`` has the ``form`` that a type annotation describes.

    A mapping has the form of a TypedDict if it has its required keys and further ones; it has the form of a dataclass if it
    can be unpacked into one. Tuples and sequences are lists in a file. An int is a float, but a bool is no int.

    Args:
        value: Plain data.
        form: A class, union, TypedDict, dataclass, or a list, mapping or tuple of these.
        place: Where the value stands, for the message.

    Raises:
        FormError: If it has another form.
    """
    origin, parts = get_origin(form) or form, get_args(form)
    if form is Any:
        return
    if origin in (Union, types.UnionType):
        if not any(_has(value, part) for part in parts):
            _fail(place, value)
    elif typing.is_typeddict(form) or dataclasses.is_dataclass(form):
        _require_fields(value, form, place)
    elif origin is Literal:
        if value not in parts:
            _fail(place, value)
    elif origin in (dict, Mapping):
        if not isinstance(value, Mapping):
            _fail(place, value)
        for name, entry in value.items():
            require(name, parts[0], f"a key of {place or 'it'}")
            require(entry, parts[1], _within(place, name))
    elif origin in (list, tuple, Sequence):
        if not isinstance(value, list | tuple) or (origin is tuple and parts[1:] != (...,) and len(value) != len(parts)):
            _fail(place, value)
        kinds = parts if origin is tuple and parts[1:] != (...,) else parts[:1] * len(value)
        for index, (entry, kind) in enumerate(zip(value, kinds, strict=True)):
            require(entry, kind, _within(place, index))
    elif form is None or form is types.NoneType:
        if value is not None:
            _fail(place, value)
    else:
        kinds = (int, float) if form is float else (form,)
        if not isinstance(value, kinds) or (form in (int, float) and isinstance(value, bool)):
            _fail(place, value)


def require_bounded(value: Any, most: int = MOST) -> None:
    """Check that plain data consist of at most ``most`` values, counted as often as they are referred to.

    Raises:
        FormError: If there are more.
    """
    pending, seen = [value], 0
    while pending:
        node = pending.pop()
        seen += 1
        if seen > most:
            raise FormError(f"it holds more than {most} values")
        if isinstance(node, Mapping):
            pending += node.values()
        elif isinstance(node, list | tuple | set):
            pending += node


def _require_fields(value: Any, form: Any, place: str) -> None:
    if not isinstance(value, Mapping):
        _fail(place, value)
    hints = get_type_hints(form)
    required: Iterable[str] = (
        form.__required_keys__
        if typing.is_typeddict(form)
        else [
            field.name
            for field in dataclasses.fields(form)
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ]
    )
    if lacking := [name for name in required if name not in value]:
        raise FormError(f"it has no {_within(place, sorted(lacking)[0])}")
    for name, entry in value.items():
        if name in hints:
            require(entry, hints[name], _within(place, name))
        elif dataclasses.is_dataclass(form):
            raise FormError(f"{_within(place, name)} is unknown")


def _has(value: Any, form: Any) -> bool:
    try:
        require(value, form)
    except FormError:
        return False
    return True


def _within(place: str, name: Any) -> str:
    return f"{place}.{name}" if place else f"{name}"


def _fail(place: str, value: Any) -> NoReturn:
    raise FormError(f"{place or 'it'} is of the wrong kind ({type(value).__name__})")
