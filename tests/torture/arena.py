"""A row of the table: its tries within a budget of time, their seeds, their folders and their losses."""

import random
import shutil
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Arena:
    """Counts the tries of one row.

    Args:
        name: Name of the row.
        folder: Everything that the row writes lies below it.
        seconds: No try but the first begins later than this after the first one.
        scale: Factor on the number of tries of a row that has a fixed number.
        seed: Seed of all tries; each has a random stream of its own.
        only: Number of the one try to play; None plays all.
        number: Number of the newest try.
        tries: How many were played.
    """

    name: str
    folder: Path
    seconds: float
    scale: float
    seed: int
    only: int | None = None
    number: int = 0
    tries: int = 0
    losses: list[str] = field(default_factory=list)
    remark: str = ""
    began: float = 0.0

    def repeat(self, play: Callable[["Try"], str | None], most: int | None = None) -> None:
        """Play tries until the time or their number is used up. ``play`` returns why something was lost, or None."""
        first, self.began = self.number, time.monotonic()
        while (most is None or self.number - first < max(1, most)) and (self.number == first or self.remaining() > 0):
            self.number += 1
            if self.only not in (None, self.number):
                continue
            self.tries += 1
            attempt = Try(
                self.number, self.folder / f"try_{self.number}", random.Random(f"{self.seed} {self.name} {self.number}")
            )
            attempt.folder.mkdir(parents=True)
            try:
                problem = play(attempt)
            except Exception:
                problem = f"the row itself failed: {traceback.format_exc(limit=-3)}"
            if problem:
                again = f"ROWS={self.name} SEED={self.seed} TRY={self.number}"
                self.losses.append(f"{self.name}: {problem}\n  again: make torture {again}; files: {attempt.folder}")
            else:
                shutil.rmtree(attempt.folder, ignore_errors=True)

    def remaining(self) -> float:
        """Return the seconds that are left."""
        return self.seconds - (time.monotonic() - self.began)

    def over(self, cases: Sequence[Any], play: Callable[["Try", Any], str | None]) -> None:
        """Play one try for each case, in an order drawn from the seed."""
        order = random.Random(f"{self.seed} {self.name}").sample(cases, len(cases))
        first = self.number
        self.repeat(lambda attempt: play(attempt, order[attempt.number - first - 1]), len(order))
        if self.number - first < len(order):
            self.add(f"{self.number - first} of {len(order)} cases in the time given")

    def add(self, remark: str) -> None:
        """Add to the remark of the row."""
        self.remark = f"{self.remark}; {remark}" if self.remark else remark


@dataclass(frozen=True)
class Try:
    """One try: its number, its folder and its random stream."""

    number: int
    folder: Path
    random: random.Random


@dataclass(frozen=True)
class Row:
    """A row of the table: a fault, the seconds that it may take at scale 1, and the function that plays its tries."""

    name: str
    seconds: float
    play: Callable[[Arena], None]
