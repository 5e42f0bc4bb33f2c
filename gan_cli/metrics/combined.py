"""all, points, translation: several metrics as one."""

import dataclasses
import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import torch

from gan_cli.activity import activity
from gan_cli.data.base import Data, Dataset
from gan_cli.errors import TooFewSamples, UserError, first_line
from gan_cli.metrics.base import Metric, Picture, Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.features.classifier import Classifier
from gan_cli.metrics.images.class_accuracy import ClassAccuracy
from gan_cli.metrics.images.class_diversity import ClassDiversity
from gan_cli.metrics.images.cmmd import CMMD
from gan_cli.metrics.images.frechet import Frechet
from gan_cli.metrics.images.frechet_infinity import FrechetInfinity
from gan_cli.metrics.images.inception_score import InceptionScore
from gan_cli.metrics.images.intra_frechet import IntraFrechet
from gan_cli.metrics.images.mind import MIND
from gan_cli.metrics.images.precision_recall import PrecisionRecall
from gan_cli.metrics.images.reconstruction import Reconstruction
from gan_cli.metrics.images.vendi import Vendi
from gan_cli.metrics.points.histogram import Histogram
from gan_cli.metrics.points.mmd import MMD
from gan_cli.metrics.points.modes import ModeCoverage, mixture_of
from gan_cli.metrics.points.sliced_wasserstein import SlicedWassersteinDistance
from gan_cli.metrics.points.wasserstein import WassersteinDistance

T = TypeVar("T")


@dataclass(frozen=True)
class Combined(Metric):
    """Several metrics, its parts, of the same samples in the same features; the first part holds the primary number.

    ``parts`` are the metrics for any data. ``extra_parts`` are added by ``fitted`` if the data allow them. ``fitted`` leaves
    out the parts that need more samples, or as many generated as real ones, or that are not defined for the data;
    ``left_out`` says why.
    """

    @abstractmethod
    def parts(self) -> Sequence[Metric]:
        """Return the metrics for any data, the primary one first."""

    def extra_parts(self, data: Data) -> Sequence[Metric]:
        """Return further metrics, not yet fitted, that are defined for ``data`` in these features."""
        return ()

    def fitted(self, data: Data, device: torch.device) -> Metric:
        """Return the parts that can be computed, fitted to ``data``.

        Raises:
            UserError: If there are none.
        """
        whole = dataclasses.replace(self, features=self.features.fitted(data, device))
        members: list[Metric] = []
        errors: list[UserError] = []
        left_out: dict[str, str] = {}
        n = whole.n_samples if whole.n_fake is None else min(whole.n_samples, whole.n_fake)
        for part in (*whole.parts(), *whole.extra_parts(data)):
            if need := part.shortage(n):
                left_out[part.name] = f"it {need}, and there are {n}."
                errors.append(TooFewSamples(f"{part.name} {need}, and there are {n}."))
                continue
            if part.equal_sizes and whole.n_fake not in (None, whole.n_samples):
                left_out[part.name] = "it needs as many generated as real samples."
                errors.append(UserError(f"{part.name} needs as many generated as real samples: leave n_fake out."))
                continue
            try:
                members.append(part.fitted(data, device))
            except UserError as error:
                left_out[part.name] = first_line(error)
                errors.append(error)
        if not members:
            raise errors[0]
        return MetricCollection(whole.features, whole.n_samples, whole.split, tuple(members), left_out)

    @property
    def name(self) -> str:
        """Name of the first part."""
        return self.parts()[0].name

    @property
    def least_samples(self) -> int:  # type: ignore[override]
        """The number from which any part can be computed."""
        return min(part.least_samples for part in self.parts())

    @property
    def equal_sizes(self) -> bool:  # type: ignore[override]
        """True if any part needs as many real samples as generated ones."""
        return any(part.equal_sizes for part in self.parts())

    @property
    def higher_is_better(self) -> bool:  # type: ignore[override]
        """True if larger values of the first part's primary number are better."""
        return self.parts()[0].higher_is_better

    @property
    def selects_checkpoint(self) -> bool:  # type: ignore[override]
        """True if the first part's primary number selects the best checkpoint."""
        return self.parts()[0].selects_checkpoint

    @property
    def needs_samples(self) -> bool:  # type: ignore[override]
        """True if any part needs the samples themselves."""
        return any(part.needs_samples for part in self.parts())

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return the numbers of all parts."""
        return _merge(part.measure(real, fake) for part in self._announced())

    def floor(self, real: Encoded, others: Encoded) -> Mapping[str, Value]:
        """Return the floors of all parts."""
        return _merge(part.floor(real, others) for part in self.parts())

    def floor_or_empty(self, real: Encoded, others: Encoded) -> Mapping[str, Value]:
        """Return the floors of those parts for which the sets are large enough."""
        return _merge(part.floor_or_empty(real, others) for part in self.parts())

    def floors(
        self, draw: Callable[[int], tuple[Encoded, Encoded]], draws: int, partial: bool = False
    ) -> Mapping[str, list[float]]:
        """Return the floors of all parts, each over its own number of draws."""
        return _merge(part.floors(draw, draws, partial) for part in self.parts())

    def _announced(self) -> Iterator[Metric]:
        """Yield the parts, and announce the computation of each."""
        for part in self.parts():
            with activity(f"computing {part.short_name}"):
                yield part

    @property
    def has_seen_training_samples(self) -> bool:
        """True if any part has seen them."""
        return any(part.has_seen_training_samples for part in self.parts())

    def with_errors(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return the numbers of all parts; each part computes its own errors."""
        return _merge(part.with_errors(real, fake) for part in self._announced())

    def values_within_a_class(self, real: Encoded, fake: Encoded) -> Mapping[str, float]:
        """Return the numbers of all parts that are defined within a class."""
        return _merge(part.values_within_a_class(real, fake) for part in self.parts())

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """Return the details of each part that has any, by the part's name."""
        details = {part.name: part.details(real, fake) for part in self.parts()}
        return {name: values for name, values in details.items() if values}

    def pictures(self, real: Encoded, fake: Encoded) -> Mapping[str, Picture]:
        """Return the pictures of all parts."""
        return _merge(part.pictures(real, fake) for part in self.parts())

    def settings(self) -> dict[str, Any]:
        """Return the settings of each part, by the part's name."""
        return {part.name: part.settings() for part in self.parts()}


@dataclass(frozen=True)
class MetricCollection(Combined):
    """A fixed list of metrics in the same features.

    Args:
        members: The metrics; the first one holds the primary number.
        omitted: The metrics that cannot be computed, by name, each with the reason.
    """

    members: tuple[Metric, ...] = ()
    omitted: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def left_out(self) -> Mapping[str, str]:
        """Return ``omitted``."""
        return self.omitted

    def parts(self) -> Sequence[Metric]:
        """Return ``members``."""
        return self.members


@dataclass(frozen=True)
class AllImageMetrics(Combined):
    """All metrics for images that need no training samples and no training of their own, the Fréchet distance first.

    These are the Fréchet distance (primary) and its extrapolation, KID, CMMD, MIND, precision, recall, density, coverage and
    Vendi score. The Inception Score is added if the features have logits. For data with labels the intra-class Fréchet distance
    and the diversity within classes are added. ``ClassAccuracy`` is added with the data set's own classifier
    (features=classifier); for a game that takes no labels it reports only the balance of classes.

    Raises:
        UserError: In ``fitted``, if the samples are not images.
    """

    def parts(self) -> Sequence[Metric]:
        """Return the metrics for any features."""
        kinds = (Frechet, FrechetInfinity, CMMD, MIND, PrecisionRecall, Vendi)
        return [kind(self.features, self.n_samples, self.split) for kind in kinds]

    def extra_parts(self, data: Data) -> Sequence[Metric]:
        """Return the metrics that need logits, labels, or logits over the data's own classes."""
        _, logits = self.features(data.train.batch(torch.zeros(1, dtype=torch.int64)).x)
        kinds: list[type[Metric]] = [InceptionScore] if logits is not None else []
        if data.classes > 1:
            kinds += [IntraFrechet, ClassDiversity]
        if isinstance(self.features, Classifier):
            kinds.append(ClassAccuracy)
        return [kind(self.features, self.n_samples, self.split) for kind in kinds]

    def fitted(self, data: Data, device: torch.device) -> Metric:
        if len(data.shape) != 3:
            raise UserError(f"metric=all is for images; these samples are {list(data.shape)}. Use metric=points.")
        return super().fitted(data, device)


@dataclass(frozen=True)
class AllTranslationMetrics(Combined):
    """All metrics for translations: Fréchet distance to the target domain (primary), KID, and for pairs L1, PSNR and SSIM."""

    least_samples: ClassVar[int] = 1  # of the reconstruction of pairs
    n_samples: int = 1000
    split: str = "heldout"

    def parts(self) -> Sequence[Metric]:
        """Return the metrics for any data."""
        return [Frechet(self.features, self.n_samples, self.split)]

    def extra_parts(self, data: Data) -> Sequence[Metric]:
        """Return ``Reconstruction`` if every source has a target."""
        return [Reconstruction(self.features, self.n_samples, self.split)] if data.paired else []


@dataclass(frozen=True)
class AllPointMetrics(Combined):
    """All metrics for points: Wasserstein distances of order 1 (primary) and 2, sliced Wasserstein distance and MMD².

    Divergences between histograms are added in one and two dimensions, ``ModeCoverage`` if the modes of the data are known.

    Raises:
        UserError: In ``fitted``, if the samples are not points.
    """

    n_samples: int = 1000

    def parts(self) -> Sequence[Metric]:
        """Return the metrics for any points."""
        settings = (self.features, self.n_samples, self.split)
        return [
            WassersteinDistance(*settings, p=1),
            WassersteinDistance(*settings, p=2),
            SlicedWassersteinDistance(*settings),
            MMD(*settings),
        ]

    def extra_parts(self, data: Data) -> Sequence[Metric]:
        """Return ``Histogram`` in one or two dimensions, and ``ModeCoverage`` if the data have known modes."""
        kinds: list[type[Metric]] = [Histogram] if math.prod(data.shape) <= 2 else []
        if has_modes(data.train):
            kinds.append(ModeCoverage)
        return [kind(self.features, self.n_samples, self.split) for kind in kinds]

    def fitted(self, data: Data, device: torch.device) -> Metric:
        if len(data.shape) != 1:
            raise UserError(f"metric=points is for points; these samples are {list(data.shape)}. Use metric=all.")
        return super().fitted(data, device)


def has_modes(dataset: Dataset) -> bool:
    """Return True if ``ModeCoverage`` is defined for ``dataset``."""
    try:
        mixture_of(dataset)
    except UserError:
        return False
    return True


def _merge(parts: Iterable[Mapping[str, T]]) -> dict[str, T]:
    return {name: value for part in parts for name, value in part.items()}
