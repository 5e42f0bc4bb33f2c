"""decay, half_life: how fast the averages of the players forget."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

from gan_cli import checks
from gan_cli.contracts import Contract, instance_of
from gan_cli.errors import FieldError
from gan_cli.schedules.laws import Progress


class Averaging(Contract, ABC):
    """The decay d of the average in each round: theta_ema <- d theta_ema + (1 - d) theta."""

    contract: ClassVar = {"__call__": instance_of(Real, "a number")}

    @abstractmethod
    def __call__(self, progress: Progress, images: int) -> float:
        """Return d in [0, 1] after the round that follows ``progress`` and counts so many ``images``."""


@dataclass(frozen=True)
class Decay(Averaging):
    """The same d in each round.

    Args:
        decay: d in [0, 1). 0 keeps a plain copy.
        start: Rounds before this one keep a plain copy.
        warm_up: If true, d is at most (1 + t) / (10 + t) in round t, so that the initial weights are soon forgotten.
    """

    decay: float
    start: int = 0
    warm_up: bool = True

    def __post_init__(self) -> None:
        checks.number("decay", self.decay, least=0)
        if self.decay >= 1:
            raise FieldError("decay", self.decay, "it must be below 1, for instance 0.999; ema=null keeps no average.")
        checks.count("start", self.start, least=0)
        checks.flag("warm_up", self.warm_up)

    def __call__(self, progress: Progress, images: int) -> float:
        step = progress.rounds + 1
        if step < self.start:
            return 0.0
        return min(self.decay, (1 + step) / (10 + step)) if self.warm_up else self.decay


@dataclass(frozen=True)
class HalfLife(Averaging):
    """d = 2^(-n / h) for a round of n images: a half is forgotten within h images, whatever the batch size.

    Args:
        images: h at least 0. 0 keeps a plain copy.
        rampup: h is at most this share of the images so far (StyleGAN2: 0.05). None: h does not depend on them.
    """

    images: float
    rampup: float | None = None

    def __post_init__(self) -> None:
        checks.number("images", self.images, least=0)
        if self.rampup is not None:
            checks.number("rampup", self.rampup, above=0)

    def __call__(self, progress: Progress, images: int) -> float:
        h = self.images if self.rampup is None else min(self.images, self.rampup * progress.images)
        return 0.5 ** (images / h) if h > 0 else 0.0
