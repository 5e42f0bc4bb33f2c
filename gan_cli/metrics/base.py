"""What a metric is: one number for how far generated samples lie from real ones."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.metrics.features import Features

SPLITS = ("train", "heldout")


@dataclass(frozen=True)
class Metric(ABC):
    """A measure between real and generated samples, taken in a space of features.

    ``features``: the space; ``n_samples``: how many samples of either kind it wants, 0 for a metric that is never
    evaluated; ``split``: the part of the data set that the real samples come from, ``train`` or ``heldout``.

    Samples are float32 ``[N, *shape]`` on any device, images in [-1, 1]. The features of the real samples never change
    during a run: take them once by ``reference`` and hand them to every call.

        reference = metric.reference(real)
        value = metric(reference, fake)

    A subclass says what it is called and how it measures two feature matrices. Raises UserError for an unknown split
    or a number of samples below 0.
    """

    features: Features
    n_samples: int = 2000
    split: str = "train"
    lower_is_better: ClassVar[bool] = True

    def __post_init__(self):
        if not isinstance(self.n_samples, int) or self.n_samples < 0:
            raise UserError(f"metric.n_samples={self.n_samples}: it must be a whole number, 0 or more.")
        if self.split not in SPLITS:
            raise UserError(f"no split named {self.split!r} in metric.split. Choose one of: {', '.join(SPLITS)}.")

    @property
    @abstractmethod
    def name(self) -> str:
        """What its numbers are called wherever they are written: ``metric/<name>``."""

    @abstractmethod
    def measure(self, real: Tensor, fake: Tensor) -> float:
        """The measure between two feature matrices ``[N, d]`` and ``[M, d]``."""

    def reference(self, real: Tensor) -> Tensor:
        """Real samples ``[N, *shape]`` -> what every call compares with: their features ``[N, d]``."""
        return self.features(real)

    def __call__(self, reference: Tensor, fake: Tensor) -> float:
        """The measure between the real features ``[N, d]`` and generated samples ``[M, *shape]``."""
        return self.measure(reference, self.features(fake))


@dataclass(frozen=True)
class NoMetric(Metric):
    """No measure: it wants no samples, so that it is never evaluated, and its value is not a number."""

    n_samples: int = field(default=0, init=False)
    split: str = field(default="train", init=False)

    @property
    def name(self) -> str:
        """``none``."""
        return "none"

    def measure(self, real: Tensor, fake: Tensor) -> float:
        """Not a number, whatever the samples are."""
        return math.nan
