"""What a metric is: numbers for how far generated samples lie from real ones, each with its error."""

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from gan_cli.data.base import Data
from gan_cli.errors import FieldError, UserError
from gan_cli.metrics.features.base import Encoded, Features

SPLITS = ("train", "heldout")

GROUPS = 10
"""Parts of the samples that the jackknife leaves out in turn."""


class Value(NamedTuple):
    """One number, its standard error where that is known without measuring again, and which way is better (None: neither)."""

    value: float
    error: float | None = None
    higher_is_better: bool | None = False


class Picture(NamedTuple):
    """Images ``[N, C, H, W]`` in [-1, 1] or uint8 to be laid out in rows of ``columns``."""

    images: Tensor
    columns: int


@dataclass(frozen=True)
class Metric(ABC):
    """A measure between real and generated samples, taken in a space of features.

    ``features``: the space; ``n_samples``: how many samples of either kind it wants, 0 for a metric that is never
    evaluated; ``split``: the part of the data set that the real samples come from, ``train`` or ``heldout``.

        metric = metric.fitted(data, device)
        values = metric.measure(metric.features.encode(real), metric.features.encode(fake))

    A subclass names its numbers and says how two encoded sets give them. Raises UserError for an unknown split or a number
    of samples below 0.
    """

    features: Features
    n_samples: int = 2000
    split: str = "train"
    equal_sizes: ClassVar[bool] = False
    """Whether it needs as many real as generated samples."""
    looks_at_samples: ClassVar[bool] = False
    """Whether it needs the samples themselves, not only their features, logits and labels."""
    needs_labels: ClassVar[bool] = False
    """Whether its chief number is of samples that were asked for a class."""
    selects_checkpoint: ClassVar[bool] = True
    """Whether the best of several checkpoints is best by its chief number."""
    higher_is_better: ClassVar[bool] = False
    """Which way its chief number is better."""

    def __post_init__(self):
        if not isinstance(self.n_samples, int) or self.n_samples < 0:
            raise FieldError("n_samples", self.n_samples, "it must be a whole number, 0 or more.")
        if self.split not in SPLITS:
            raise UserError(f"no split named {self.split!r} in metric.split. Choose one of: {', '.join(SPLITS)}.")

    def describe(self, data: Data | None = None) -> str:
        """One line for the start of a run, before ``fitted``: what will be measured of ``data`` (None: of folders)."""
        return f"metric: {self.name}"

    def fitted(self, data: Data, device: torch.device) -> "Metric":
        """This metric, ready for samples of ``data``: what it must know of the data it learns here.

        Raises UserError where it makes no sense for such data.
        """
        return dataclasses.replace(self, features=self.features.fitted(data, device))

    @property
    @abstractmethod
    def name(self) -> str:
        """What its chief number is called, in ``measure`` and wherever it is written."""

    @abstractmethod
    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """All its numbers by name, the chief one, ``name``, first."""

    def floor(self, real: Encoded, others: Encoded) -> Mapping[str, Value]:
        """The floor: the numbers that other real samples have, drawn as the generated ones are."""
        return self.measure(real, others)

    def floor_or_nothing(self, real: Encoded, others: Encoded) -> Mapping[str, Value]:
        """``floor``, or no numbers where the sets are too small for it."""
        try:
            return self.floor(real, others)
        except UserError:
            return {}

    def with_errors(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """``measure``, with the standard errors that it leaves open filled in by a delete-a-group jackknife.

        σ² = (G − 1)/G Σ_g (t_g − t̄)² over G = 10 values t_g, each without a tenth of the generated samples: what other samples
        of the same players would change, the real ones staying. Where the metric wants equal numbers a tenth of both is left
        out, so that it says what other samples of both kinds would change. Values of the same sample count all have the same
        bias, so that it drops out. Fewer than 20 samples: no error.
        Kott: The Delete-a-Group Jackknife (2001).
        """
        values = self.measure(real, fake)
        if len(fake) < 2 * GROUPS or all(value.error is not None for value in values.values()):
            return values
        if not self.looks_at_samples:
            real, fake = real.bare(), fake.bare()  # ten copies of what nobody looks at
        group = torch.arange(len(fake)) % GROUPS
        without = [
            self.resampled(real.part(group != g) if self.equal_sizes else real, fake.part(group != g)) for g in range(GROUPS)
        ]
        return {
            name: value
            if value.error is not None or name not in without[0]
            else value._replace(error=_jackknife([part[name].value for part in without]))
            for name, value in values.items()
        }

    def resampled(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Those numbers of ``measure`` again that know no error of their own: what the jackknife asks for ten times."""
        return self.measure(real, fake)

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """What is too much for a table, as plain data: curves, counts."""
        return {}

    def pictures(self, real: Encoded, fake: Encoded) -> Mapping[str, Picture]:
        """What should be looked at beside the numbers, by name."""
        return {}

    def settings(self) -> dict[str, Any]:
        """What decides its numbers beside samples and features, as plain data."""
        return {
            entry.name: getattr(self, entry.name)
            for entry in dataclasses.fields(self)
            if entry.init and entry.name not in ("features", "n_samples", "split")
        }


@dataclass(frozen=True)
class NoMetric(Metric):
    """No measure: it wants no samples, so that it is never evaluated, and its value is not a number."""

    n_samples: int = field(default=0, init=False)
    split: str = field(default="train", init=False)

    def fitted(self, data: Data, device: torch.device) -> Self:
        """Itself: no features are ever taken."""
        return self

    @property
    def name(self) -> str:
        """``none``."""
        return "none"

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Not a number, whatever the samples are."""
        return {self.name: Value(math.nan)}


def _jackknife(values: list[float]) -> float | None:
    """The standard error from the values without one group each; None where one of them is not finite."""
    t = torch.tensor(values, dtype=torch.float64)
    return float(((len(t) - 1) / len(t) * (t - t.mean()).square().sum()).sqrt()) if bool(t.isfinite().all()) else None
