"""The numbers that turns report beside their losses: computed only in rounds in which something looks at them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from gan_cli.types import Stats

_is_reported: ContextVar[bool] = ContextVar("is_reported", default=True)


@contextmanager
def reporting(wanted: bool) -> Iterator[None]:
    """Set for a round if the numbers that its turns report beside their losses are wanted."""
    token = _is_reported.set(wanted)
    try:
        yield
    finally:
        _is_reported.reset(token)


def is_reporting() -> bool:
    """Return True in a round in which these numbers are wanted."""
    return _is_reported.get()


def reported(numbers: Callable[[], Stats]) -> Stats:
    """Return ``numbers()``, which must draw nothing and change nothing, or nothing in a round in which they are not wanted.

    Most rounds are not logged. A loss needs to be computed in each of them, but not an estimate.
    """
    return numbers() if is_reporting() else {}
