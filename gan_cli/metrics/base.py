"""none: a metric that is never evaluated. Beside it the base class of all metrics, their values and jackknife errors."""

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.activity import counted
from gan_cli.contracts import Contract, instance_of
from gan_cli.data.base import Data
from gan_cli.errors import FieldError, UserError
from gan_cli.metrics.features.base import Encoded, Features

SPLITS = ("train", "heldout")

JACKKNIFE_GROUPS = 10
"""Number of groups of samples that the jackknife leaves out in turn."""


class Value(NamedTuple):
    """One number of a metric.

    Attributes:
        value: The number.
        error: Its standard error, or None if the metric does not know it without measuring again.
        higher_is_better: True if larger values are better, False if smaller ones are, None if neither is.
    """

    value: float
    error: float | None = None
    higher_is_better: bool | None = False


class Picture(NamedTuple):
    """Images to be drawn as a grid.

    Attributes:
        images: ``[N, C, H, W]``, float in [-1, 1] or uint8.
        columns: Number of images per row.
    """

    images: Tensor
    columns: int


@dataclass(frozen=True)
class Metric(Contract, ABC):
    """A measure between real and generated samples, computed in a feature space.

        metric = metric.fitted(data, device)
        values = metric.measure(metric.features.encode(real), metric.features.encode(fake))

    A subclass names its numbers and computes them from two encoded sets. The first of them is the primary number.

    Args:
        features: The feature space.
        n_samples: Number of real samples, and of generated ones unless ``n_fake`` is set; 0 for a metric that is never
            evaluated.
        split: Part of the data set that the real samples come from, ``train`` or ``heldout``.
        n_fake: Number of generated samples if it differs from the number of real ones. None: as many.

    Raises:
        UserError: If the split is unknown, or a number of samples is not a whole number in its range.
    """

    contract: ClassVar = {"measure": instance_of(Mapping, "a mapping from names to Values")}
    features: Features
    n_samples: int = 2000
    split: str = "train"
    n_fake: int | None = field(default=None, kw_only=True)
    least_samples: ClassVar[int] = 2
    """Smallest number of samples of each kind from which the metric can be computed."""
    equal_sizes: ClassVar[bool] = False
    """True if the metric needs as many real samples as generated ones."""
    needs_samples: ClassVar[bool] = False
    """True if the metric needs the samples themselves besides their features, logits and labels."""
    needs_labels: ClassVar[bool] = False
    """True if the primary number is defined only for samples that were generated for a given class."""
    within_classes: ClassVar[bool] = False
    """True if the numbers are also computed within each class of a game with labels."""
    floor_draws: ClassVar[int] = 10
    """Largest number of draws that the floor is averaged over: 1 if a draw is expensive, or if all draws are equal."""
    selects_checkpoint: ClassVar[bool] = True
    """True if the best checkpoint of a run is the one with the best primary number."""
    higher_is_better: ClassVar[bool] = False
    """True if larger values of the primary number are better."""

    def __post_init__(self) -> None:
        if not isinstance(self.n_samples, int) or self.n_samples < 0:
            raise FieldError("n_samples", self.n_samples, "it must be a whole number, 0 or more.")
        if self.n_fake is not None:
            checks.count("n_fake", self.n_fake)
        if self.split not in SPLITS:
            raise FieldError("split", self.split, f"it must be one of {', '.join(SPLITS)}.")

    def describe(self, data: Data | None = None) -> str:
        """Return one line for the start of a run that says what will be measured.

        Args:
            data: The data set, or None if the samples come from folders. The metric need not be fitted yet.
        """
        return f"metric: {self.name}"

    def fitted(self, data: Data, device: torch.device) -> "Metric":
        """Return this metric, prepared for samples of ``data``: what it has to know about the data is computed here.

        Args:
            data: The data set whose samples will be compared.
            device: Device on which features are computed.

        Raises:
            UserError: If the metric is not defined for such data.
        """
        return dataclasses.replace(self, features=self.features.fitted(data, device))

    def shortage(self, n: int) -> str | None:
        """Return what the metric needs if ``n`` samples of each kind are too few, as ``needs ...``; None if they are enough."""
        return None if n >= self.least_samples else f"needs at least {self.least_samples} samples"

    @property
    def left_out(self) -> Mapping[str, str]:
        """The parts of a combined metric that cannot be computed, by name, each with the reason as a sentence."""
        return {}

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the primary number, in ``measure`` and wherever the number is logged."""

    @property
    def short_name(self) -> str:
        """``name`` without the name of the features."""
        return self.name.removesuffix(f"_{self.features.name}")

    @abstractmethod
    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return all numbers by name, the primary one (``name``) first.

        Args:
            real: N encoded real samples.
            fake: M encoded generated samples.

        Raises:
            UserError: If the sets do not meet the metric's requirements, for instance if they are too small.
        """

    def floor(self, real: Encoded, others: Encoded) -> Mapping[str, Value]:
        """Return the floor: the numbers for other real samples, drawn in the same way as the generated ones."""
        return self.measure(real, others)

    def floor_or_empty(self, real: Encoded, others: Encoded) -> Mapping[str, Value]:
        """Return ``floor``, or no numbers if the sets are too small for it."""
        try:
            return self.floor(real, others)
        except UserError:
            return {}

    def floors(
        self, draw: Callable[[int], tuple[Encoded, Encoded]], draws: int, partial: bool = False
    ) -> Mapping[str, list[float]]:
        """Return the numbers of the floor over several draws of real samples.

        Args:
            draw: Returns the two sets of a draw, from 0 on.
            draws: Number of draws; ``floor_draws`` limits it.
            partial: True to leave out the numbers for which the sets are too small.
        """
        floor = self.floor_or_empty if partial else self.floor
        indices = counted(f"floor of {self.short_name}", range(max(1, min(draws, self.floor_draws))))
        found = [(self.floor_or_empty if index else floor)(*draw(index)) for index in indices]
        return {name: [each[name].value for each in found if name in each] for name in found[0]}

    @property
    def has_seen_training_samples(self) -> bool:
        """True if training samples are unlike other real ones, because the metric or its features were fitted to them."""
        return self.features.trained_on_data

    def with_errors(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``measure``, with missing standard errors filled in by a delete-a-group jackknife.

        The error is the standard deviation of the number over other generated samples of the same players, with the real
        samples fixed. J = (G − 1)/G Σ_g (t_g − t̄)² over G = 10 values t_g, each computed without one tenth of the generated
        samples (Kott: The Delete-a-Group Jackknife, 2001). All t_g come from the same number of samples and so have the same
        bias, which cancels.

        J counts the variance Q of the terms that depend on two samples twice, which matters where the linear terms vanish, near
        equal distributions. Q is estimated from the numbers t_gh without two tenths, for 5 disjoint pairs of them, as
        ½ ((G − 2)/G)² times the variance of G t − (G − 1)(t_g + t_h) + (G − 2) t_gh (Efron and Stein: The Jackknife Estimate of
        Variance, 1981). The error is √(J − Q), and at least √(J/2), its value if there are no linear terms.

        If the metric needs equal sizes, as many real samples are left out as generated ones, always the last ones. With fewer
        than 20 samples, or if eight tenths of them are too few for the metric, no error is computed.

        Args:
            real: N encoded real samples.
            fake: M encoded generated samples.
        """
        values = self.measure(real, fake)
        if len(fake) < 2 * JACKKNIFE_GROUPS or all(value.error is not None for value in values.values()):
            return values
        if self.shortage(len(fake) - 2 * -(-len(fake) // JACKKNIFE_GROUPS)) is not None:
            return values
        if not self.needs_samples:
            real, fake = real.without_samples(), fake.without_samples()  # saves ten copies of samples that are not used
        group = torch.arange(len(fake)) % JACKKNIFE_GROUPS
        single = [(g,) for g in range(JACKKNIFE_GROUPS)]
        pairs = [(g, g + 1) for g in range(0, JACKKNIFE_GROUPS, 2)]

        def without(left_out: tuple[int, ...]) -> Mapping[str, Value]:
            kept = ~torch.isin(group, torch.tensor(left_out))
            fixed = real.subset(slice(int(kept.sum()))) if self.equal_sizes else real
            return self.jackknife_values(fixed, fake.subset(kept))

        found = [without(groups) for groups in counted(f"standard errors of {self.short_name}", [*single, *pairs])]
        return {
            name: value
            if value.error is not None or name not in found[0]
            else value._replace(error=_jackknife(value.value, [part[name].value for part in found]))
            for name, value in values.items()
        }

    def jackknife_values(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return those numbers of ``measure`` that lack an error of their own; the jackknife calls this 15 times."""
        return self.measure(real, fake)

    def values_within_a_class(self, real: Encoded, fake: Encoded) -> Mapping[str, float]:
        """Return the numbers of samples of one class, real and generated; none unless ``within_classes``.

        Args:
            real: Encoded real samples of the class.
            fake: Samples that were generated for the class, encoded.
        """
        if not self.within_classes:
            return {}
        if self.equal_sizes:
            n = min(len(real), len(fake))
            real, fake = real.subset(slice(n)), fake.subset(slice(n))
        return {name: value.value for name, value in self.measure(real, fake).items()}

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """Return results that do not fit into a table, such as curves and counts, as plain data."""
        return {}

    def pictures(self, real: Encoded, fake: Encoded) -> Mapping[str, Picture]:
        """Return images that illustrate the numbers, by name."""
        return {}

    def settings(self) -> dict[str, Any]:
        """Return all settings that affect the numbers besides the samples and the features, as plain data."""
        return {
            entry.name: getattr(self, entry.name)
            for entry in dataclasses.fields(self)
            if entry.init and entry.name not in ("features", "n_samples", "split", "n_fake")
        }


@dataclass(frozen=True)
class NoMetric(Metric):
    """A metric that asks for no samples, so that it is never evaluated; its value is NaN."""

    n_samples: int = field(default=0, init=False)
    split: str = field(default="train", init=False)
    n_fake: int | None = field(default=None, init=False)

    def fitted(self, data: Data, device: torch.device) -> Self:
        """Return the metric itself; no features are ever computed."""
        return self

    @property
    def name(self) -> str:
        """``none``."""
        return "none"

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return NaN."""
        return {self.name: Value(math.nan)}


def _jackknife(value: float, without: list[float]) -> float | None:
    """Return the standard error of ``value`` from those without one group and without two; None if one is not finite."""
    t = torch.tensor(without, dtype=torch.float64)
    if not bool(t.isfinite().all()):
        return None
    G = JACKKNIFE_GROUPS
    single, pairs = t[:G], t[G:]
    J = (G - 1) / G * (single - single.mean()).square().sum()
    interactions = G * value - (G - 1) * single.view(-1, 2).sum(1) + (G - 2) * pairs
    Q = ((G - 2) / G) ** 2 * interactions.var() / 2
    return float(torch.maximum(J - Q, J / 2).sqrt())
