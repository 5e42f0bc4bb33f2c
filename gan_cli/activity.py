"""The work in progress: long computations announce it here, and a display reads it. Standard library only."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class Activity:
    """A piece of work, from its beginning to its end.

    Args:
        name: The work in a few words, as in ``measuring kid``.
        total: Number of its parts; None if it is not known.
        done: Number of parts that are done at the beginning.
        counts_samples: True if its parts are samples, which networks count as they go.

    Attributes:
        started: Time of the beginning, in seconds of ``time.monotonic``.
        pace: Number of parts done and the time from which the remaining time is estimated; None to give no estimate.
    """

    def __init__(self, name: str, total: int | None = None, done: int = 0, counts_samples: bool = False) -> None:
        self.name, self.total, self.done, self.counts_samples = name, total, done, counts_samples
        self.started = self.updated = time.monotonic()
        self.pace: tuple[int, float] | None = (done, self.started)

    def advance(self, n: int = 1) -> None:
        """Count ``n`` more parts as done."""
        self.reach(self.done + n)

    def reach(self, n: int) -> None:
        """Count ``n`` parts in all as done."""
        self.done, self.updated = n, time.monotonic()

    def expect(self, n: int) -> None:
        """Add ``n`` parts to the total."""
        self.total = (self.total or 0) + n

    @property
    def count(self) -> str:
        """The parts that are done, of the total; empty if that is not known."""
        return f"{self.done}/{self.total}" if self.total else ""

    @property
    def share(self) -> float | None:
        """The share that is done; None if it is not known."""
        return min(self.done / self.total, 1.0) if self.total else None

    @property
    def seconds_left(self) -> float | None:
        """The remaining time at the pace so far; None if it cannot be estimated yet."""
        if self.total is None or self.pace is None or self.done <= self.pace[0]:
            return None
        done, since = self.pace
        return (self.updated - since) / (self.done - done) * (self.total - self.done)


class _Thread(threading.local):
    def __init__(self) -> None:
        self.activities: list[Activity] = []


_THREAD = _Thread()


def in_progress() -> Sequence[Activity]:
    """Return the activities of this thread, the outermost first; the list always holds the current ones."""
    return _THREAD.activities


@contextmanager
def activity(name: str, total: int | None = None, counts_samples: bool = False) -> Iterator[Activity]:
    """Announce an :class:`Activity` for as long as the context lasts; its ``advance`` counts the parts that are done."""
    work = Activity(name, total, 0, counts_samples)
    with announced(work):
        yield work


@contextmanager
def announced(work: Activity) -> Iterator[None]:
    """Announce an activity for as long as the context lasts."""
    activities = _THREAD.activities
    activities.append(work)
    try:
        yield
    finally:
        if work in activities:  # with what an exception has interrupted inside it
            del activities[activities.index(work) :]


def count_samples(n: int) -> None:
    """Count ``n`` more samples as done if the innermost activity counts samples."""
    if _THREAD.activities and _THREAD.activities[-1].counts_samples:
        _THREAD.activities[-1].advance(n)


def counted(name: str, parts: Sequence[T]) -> Iterator[T]:
    """Yield ``parts`` one by one and announce work on them, of which each is done when the next one is asked for."""
    with activity(name, len(parts)) as work:
        for part in parts:
            yield part
            work.advance()
