"""Checks of what methods of the user's own components return, so that an error names the method and not its caller."""

import json
from collections.abc import Callable, Mapping
from functools import wraps
from types import FunctionType
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from gan_cli import own_code
from gan_cli.errors import UserError
from gan_cli.types import Batch, Stats


class WrongResult(UserError, AssertionError):
    """A method has returned something that it must not; an AssertionError, too, as are the failures of ``gan_cli.testing``."""


class Result(NamedTuple):
    """The result that a method must return.

    Attributes:
        wanted: It in words.
        holds: (result, self, arguments of the method) -> True if the result is one.
    """

    wanted: str
    holds: Callable[..., bool]


class Contract:
    """A base class of components: methods of subclasses from outside the package have their results checked.

    Attributes:
        contract: The result of each method that is checked, by name.
    """

    contract: ClassVar[Mapping[str, Result]] = {}

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for name, method in list(vars(cls).items()):
            result = cls.contract.get(name)
            if result and isinstance(method, FunctionType) and own_code.is_own(method.__code__.co_filename):
                setattr(cls, name, _checked(method, result))


def _checked(method: Callable[..., Any], result: Result) -> Callable[..., Any]:
    @wraps(method)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        value = method(self, *args, **kwargs)
        if not result.holds(value, self, *args, *kwargs.values()):
            raise wrong_result(method, value, result.wanted)
        return value

    return checked


def checked_turn(loss: Callable[[Batch], tuple[Tensor, Stats]], batch: Batch) -> tuple[Tensor, Stats]:
    """Return the loss of a turn and its numbers, checked to be those."""
    result = loss(batch)
    if not (isinstance(result, tuple) and len(result) == 2 and is_scalar(result[0]) and is_stats(result[1])):
        raise wrong_result(loss, result, "a scalar tensor, the loss, and a mapping from names to scalar tensors")
    return result


def wrong_result(function: Callable[..., Any], value: Any, wanted: str) -> WrongResult:
    """Return the error for a function that has returned ``value``."""
    function = getattr(function, "__func__", function)
    place = own_code.definition_of(function)
    return WrongResult(
        f"{getattr(function, '__qualname__', function)} returned {_form(value)}: it must return {wanted}."
        f"{f' See {place}.' if place else ''}"
    )


def _form(value: Any) -> str:
    if isinstance(value, Tensor):
        graph = "" if value.requires_grad else " without a gradient"
        return f"a tensor of shape {tuple(value.shape)} and type {str(value.dtype).removeprefix('torch.')}{graph}"
    text = repr(value)
    return text if len(text) <= 40 else f"a {type(value).__name__}"


def is_scalar(value: Any, *inputs: Any) -> bool:
    """Return True if ``value`` is a floating-point scalar, with a gradient if it is computed from tensors that have one."""
    if not (isinstance(value, Tensor) and value.ndim == 0 and value.is_floating_point()):
        return False
    needs_gradient = torch.is_grad_enabled() and any(isinstance(one, Tensor) and one.requires_grad for one in inputs)
    return value.requires_grad or not needs_gradient


def is_stats(value: Any, *inputs: Any) -> bool:
    """Return True if ``value`` maps names to scalars."""
    return isinstance(value, Mapping) and all(isinstance(one, Tensor) and one.ndim == 0 for one in value.values())


def is_batch(value: Any, dataset: Any, indices: Tensor) -> bool:
    """Return True if ``value`` is a batch of as many samples of the data set as there are indices."""
    x = value.x if isinstance(value, Batch) else None
    return isinstance(x, Tensor) and x.dtype == torch.float32 and x.shape == (len(indices), *dataset.shape)


def is_plain(value: Any, *inputs: Any) -> bool:
    """Return True if ``value`` is a mapping that JSON can hold."""
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return isinstance(value, Mapping)


SCALAR = Result("a scalar tensor of floating point, computed from its arguments", is_scalar)
STATS = Result("a mapping from names to scalar tensors", is_stats)
BATCH = Result("a Batch whose x is float32 with one row of the data set's shape for each index", is_batch)
PLAIN = Result("a mapping of plain data: names, numbers, lists and mappings of these", is_plain)
TENSOR = Result("a floating-point tensor", lambda value, *inputs: isinstance(value, Tensor) and value.is_floating_point())
LOGITS = Result("logits", lambda value, *inputs: value is not None)


def instance_of(kind: type, wanted: str) -> Result:
    """Return the result that is a ``kind``, ``wanted`` in words."""
    return Result(wanted, lambda value, *inputs: isinstance(value, kind))
