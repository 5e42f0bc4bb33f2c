"""Laws: numbers of a config that change in the course of a run."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar, NamedTuple

from gan_cli import checks
from gan_cli.contracts import Contract, instance_of
from gan_cli.errors import FieldError


class Progress(NamedTuple):
    """Progress of a run before a round.

    Attributes:
        rounds: Number of rounds that have been played.
        images: Number of images that they count, see ``gan_cli.schedules.length``.
        minutes: Minutes that they have taken.
    """

    rounds: int
    images: int
    minutes: float = 0.0


UNITS = Progress._fields


class Law(Contract, ABC):
    """A number that depends on the progress of a run and on nothing else, so that a resumed run follows it exactly.

    It stands in a config in place of a number, as ``{_target_: gan_cli.schedules.Cosine, start: 0.05, ...}``.
    """

    contract: ClassVar = {"__call__": instance_of(Real, "a number")}
    unit: str
    """``rounds``, ``images`` or ``minutes``."""

    @abstractmethod
    def __call__(self, progress: Progress) -> float:
        """Return the number for the round that follows ``progress``."""

    @abstractmethod
    def values(self) -> Sequence[float]:
        """Return the first number, all those between which the others lie, and the last one."""


@dataclass(frozen=True)
class Ramp(Law):
    """From ``start`` to ``end`` over a length; ``start`` before it and ``end`` behind it.

    Args:
        start: The first number.
        end: The last number.
        over: Length of the change, above 0.
        unit: What lengths are counted in: ``rounds``, ``images`` or ``minutes``, by which no run is repeated to the bit.
        after: Length before the change begins.
    """

    start: float
    end: float
    over: float
    unit: str = "rounds"
    after: float = 0.0

    def __post_init__(self) -> None:
        checks.number("start", self.start)
        checks.number("end", self.end)
        checks.number("over", self.over, above=0)
        checks.number("after", self.after, least=0)
        require_unit(self.unit)

    def __call__(self, progress: Progress) -> float:
        share = (getattr(progress, self.unit) - self.after) / self.over
        if share <= 0:
            return float(self.start)
        return float(self.end) if share >= 1 else self.start + (self.end - self.start) * self.way(share)

    @abstractmethod
    def way(self, share: float) -> float:
        """Return the part of the way after a ``share`` of the length, both in (0, 1)."""

    def values(self) -> Sequence[float]:
        return float(self.start), float(self.end)


class Linear(Ramp):
    """start + (end - start) s at the share s of the length."""

    def way(self, share: float) -> float:
        return share


class Cosine(Ramp):
    """start + (end - start) (1 - cos(pi s)) / 2 at the share s of the length."""

    def way(self, share: float) -> float:
        return (1 - math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class Steps(Law):
    """One number after another.

    Args:
        numbers: The numbers, at least one.
        at: Progress at which each number but the first one begins, increasing.
        unit: What ``at`` is counted in: ``rounds``, ``images`` or ``minutes``.
    """

    numbers: Sequence[float]
    at: Sequence[float]
    unit: str = "rounds"

    def __post_init__(self) -> None:
        for name, values in (("numbers", self.numbers), ("at", self.at)):
            checks.listed(name, values)
            for value in values:
                checks.number(name, value)
        if len(self.numbers) != len(self.at) + 1 or list(self.at) != sorted(set(self.at)):
            raise FieldError("at", list(self.at), "it needs an increasing number for each of numbers but the first.")
        require_unit(self.unit)

    def __call__(self, progress: Progress) -> float:
        return float(self.numbers[sum(getattr(progress, self.unit) >= at for at in self.at)])

    def values(self) -> Sequence[float]:
        return [float(value) for value in self.numbers]


def require_unit(unit: str) -> None:
    """Check the unit of a law.

    Raises:
        UserError: If there is none of this name.
    """
    if unit not in UNITS:
        raise FieldError("unit", unit, f"it must be one of {', '.join(UNITS)}.")
