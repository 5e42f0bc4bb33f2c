"""constant, linear, second_half, warm_up: schedules of the learning rate."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

from gan_cli import checks
from gan_cli.contracts import Contract, instance_of


class LearningRateSchedule(Contract, ABC):
    """A factor on the learning rates of all players."""

    contract: ClassVar = {"__call__": instance_of(Real, "a number")}

    @abstractmethod
    def __call__(self, step: int) -> float:
        """Return the factor, at least 0, of round ``step`` (from 1)."""


@dataclass(frozen=True)
class Constant(LearningRateSchedule):
    """1 in every step: the learning rates of the optimizer as they are."""

    def __call__(self, step: int) -> float:
        return 1.0


@dataclass(frozen=True)
class LinearDecay(LearningRateSchedule):
    """1 up to step ``start``, then linearly to 0 after step ``end`` (WGAN-GP, SNGAN and CycleGAN, each with its own values)."""

    start: int
    end: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            checks.count(name, value, least=0)

    def __call__(self, step: int) -> float:
        if step <= self.start:
            return 1.0
        return max(0.0, 1 - (step - 1 - self.start) / max(1, self.end - self.start))


@dataclass(frozen=True)
class WarmUp(LearningRateSchedule):
    """step / ``steps`` until it reaches 1, then 1 (Ho et al., 2020, published code)."""

    steps: int

    def __post_init__(self) -> None:
        checks.count("steps", self.steps)

    def __call__(self, step: int) -> float:
        return min(1.0, step / self.steps)


@dataclass(frozen=True)
class SecondHalf(LearningRateSchedule):
    """1 in the first half, then linearly to 0 after step ``end``, as in the published code of pix2pix and CycleGAN."""

    end: int

    def __post_init__(self) -> None:
        checks.count("end", self.end, least=0)

    def __call__(self, step: int) -> float:
        return LinearDecay(self.end // 2, self.end)(step)
