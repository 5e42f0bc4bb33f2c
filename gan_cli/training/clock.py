"""Clocks of a run: the time since it began, and the time that its rounds take."""

import time
from collections.abc import Mapping
from typing import Any

from gan_cli.types import Stats


class Elapsed:
    """Seconds since a run began: those of its earlier parts, up to the checkpoint that it continues from, and of this one.

    Args:
        before: Seconds of the earlier parts.
    """

    def __init__(self, before: float = 0.0) -> None:
        self.before, self.started = before, time.perf_counter()

    def __call__(self) -> float:
        return self.before + time.perf_counter() - self.started


class Stopwatch:
    """The time between ``start`` and ``stop``, summed up, so that evaluation can be excluded.

    Attributes:
        seconds: Seconds that have passed.
        processor_seconds: Seconds of processor time, of all threads of this process together.
    """

    def __init__(self) -> None:
        self.seconds = self.processor_seconds = self.lapped = 0.0
        self.started, self.processor_started = time.perf_counter(), time.process_time()

    def start(self, step: int = 0, stats: Stats | None = None) -> None:
        self.started, self.processor_started = time.perf_counter(), time.process_time()

    def stop(self, step: int = 0, stats: Stats | None = None) -> None:
        self.seconds += time.perf_counter() - self.started
        self.processor_seconds += time.process_time() - self.processor_started

    def split(self, step: int = 0, stats: Stats | None = None) -> None:
        """Count the time up to now, and go on."""
        self.stop()
        self.start()

    def lap(self) -> float:
        """Return the seconds since the last lap."""
        seconds, self.lapped = self.seconds - self.lapped, self.seconds
        return seconds

    def numbers(self) -> dict[str, float]:
        """Return both times by the tags under which they are logged."""
        return {"time/training_seconds": round(self.seconds, 3), "time/processor_seconds": round(self.processor_seconds, 3)}

    def state_dict(self) -> dict[str, float]:
        """Return both times."""
        return {"seconds": self.seconds, "processor_seconds": self.processor_seconds}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from these times."""
        self.seconds, self.processor_seconds = state["seconds"], state["processor_seconds"]
        self.lapped = self.seconds
