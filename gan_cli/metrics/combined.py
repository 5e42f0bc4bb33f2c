"""Several metrics as one: all that can be said of images, all that can be said of points."""

import dataclasses
import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from gan_cli.data.base import Data, Dataset
from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, Picture, Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.features.classifier import Classifier
from gan_cli.metrics.images.class_accuracy import ClassAccuracy
from gan_cli.metrics.images.frechet import Frechet
from gan_cli.metrics.images.inception_score import InceptionScore
from gan_cli.metrics.images.precision_recall import PrecisionRecall
from gan_cli.metrics.images.reconstruction import Reconstruction
from gan_cli.metrics.points.histogram import Histogram
from gan_cli.metrics.points.mmd import MMD
from gan_cli.metrics.points.modes import ModeCoverage, mixture_of
from gan_cli.metrics.points.sliced_wasserstein import SlicedWassersteinDistance
from gan_cli.metrics.points.wasserstein import WassersteinDistance

T = TypeVar("T")


@dataclass(frozen=True)
class Combined(Metric):
    """The numbers of several metrics, its parts, of the same samples in the same features; the first part is the chief.

    ``parts`` are those for any data; what only some data allow is added by ``more`` when it is fitted.
    """

    @abstractmethod
    def parts(self) -> Sequence[Metric]:
        """The metrics that it is made of, the chief one first."""

    def more(self, data: Data) -> Sequence[Metric]:
        """Further parts, which make sense for such data in these features, not fitted yet."""
        return ()

    def fitted(self, data: Data, device: torch.device) -> Metric:
        """All parts for samples of ``data``, fitted. Raises UserError where one of ``parts`` makes no sense for such data."""
        whole = dataclasses.replace(self, features=self.features.fitted(data, device))
        members = tuple(part.fitted(data, device) for part in (*whole.parts(), *whole.more(data)))
        return Together(whole.features, whole.n_samples, whole.split, members)

    @property
    def name(self) -> str:
        """The chief part's."""
        return self.parts()[0].name

    @property
    def equal_sizes(self) -> bool:  # type: ignore[override]
        """Whether any part needs as many real as generated samples."""
        return any(part.equal_sizes for part in self.parts())

    @property
    def higher_is_better(self) -> bool:  # type: ignore[override]
        """Which way the chief part's chief number is better."""
        return self.parts()[0].higher_is_better

    @property
    def selects_checkpoint(self) -> bool:  # type: ignore[override]
        """Whether the chief part's chief number says which checkpoint is best."""
        return self.parts()[0].selects_checkpoint

    @property
    def looks_at_samples(self) -> bool:  # type: ignore[override]
        """Whether any part needs the samples themselves."""
        return any(part.looks_at_samples for part in self.parts())

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """The numbers of all parts."""
        return _merged(part.measure(real, fake) for part in self.parts())

    def floor(self, real: Encoded, others: Encoded) -> Mapping[str, Value]:
        """The floors of all parts."""
        return _merged(part.floor(real, others) for part in self.parts())

    def floor_or_nothing(self, real: Encoded, others: Encoded) -> Mapping[str, Value]:
        """The floors of those parts for which the sets are not too small."""
        return _merged(part.floor_or_nothing(real, others) for part in self.parts())

    def with_errors(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """The numbers of all parts, each part seeing to its own errors."""
        return _merged(part.with_errors(real, fake) for part in self.parts())

    def details(self, real: Encoded, fake: Encoded) -> Mapping[str, Any]:
        """The details of each part that has some, under its name."""
        details = {part.name: part.details(real, fake) for part in self.parts()}
        return {name: of_part for name, of_part in details.items() if of_part}

    def pictures(self, real: Encoded, fake: Encoded) -> Mapping[str, Picture]:
        """The pictures of all parts."""
        return _merged(part.pictures(real, fake) for part in self.parts())

    def settings(self) -> dict[str, Any]:
        """The settings of each part, under its name."""
        return {part.name: part.settings() for part in self.parts()}


@dataclass(frozen=True)
class Together(Combined):
    """The given metrics, ``members``, in the same features; the first is the chief."""

    members: tuple[Metric, ...] = ()

    def parts(self) -> Sequence[Metric]:
        """``members``."""
        return self.members


@dataclass(frozen=True)
class All(Combined):
    """What can be said of images: the Fréchet distance (chief) and KID, precision, recall, density and coverage.

    With features that have logits the Inception Score too, and with the data set's own classifier (features=classifier) the
    class accuracy: of a game that takes no labels, the balance of classes. Raises UserError for points.
    """

    def parts(self) -> Sequence[Metric]:
        """The parts for any features."""
        return [kind(self.features, self.n_samples, self.split) for kind in (Frechet, PrecisionRecall)]

    def more(self, data: Data) -> Sequence[Metric]:
        """``InceptionScore`` where there are logits, ``ClassAccuracy`` where they are of the data's classes."""
        _, logits = self.features(data.train.batch(torch.zeros(1, dtype=torch.int64)).x)
        kinds: list[type[Metric]] = [InceptionScore] if logits is not None else []
        if isinstance(self.features, Classifier):
            kinds.append(ClassAccuracy)
        return [kind(self.features, self.n_samples, self.split) for kind in kinds]

    def fitted(self, data: Data, device: torch.device) -> Metric:
        """All parts for images such as these, fitted."""
        if len(data.shape) != 3:
            raise UserError(f"metric=all is for images, these samples are {list(data.shape)}. Take metric=points.")
        return super().fitted(data, device)


@dataclass(frozen=True)
class Translation(Combined):
    """What can be said of translations: the Fréchet distance to the target domain (chief) and KID; of pairs the errors too."""

    n_samples: int = 1000
    split: str = "heldout"

    def parts(self) -> Sequence[Metric]:
        """The parts for any data."""
        return [Frechet(self.features, self.n_samples, self.split)]

    def more(self, data: Data) -> Sequence[Metric]:
        """``Reconstruction`` where every source has its target."""
        return [Reconstruction(self.features, self.n_samples, self.split)] if data.paired else []


@dataclass(frozen=True)
class Points(Combined):
    """What can be said of points: Wasserstein distances of order 1 (chief) and 2, the sliced one and MMD².

    In one and two dimensions also divergences between histograms, and the modes reached where the data set knows its own.
    Raises UserError for images.
    """

    n_samples: int = 1000

    def parts(self) -> Sequence[Metric]:
        """The parts for any points."""
        words = (self.features, self.n_samples, self.split)
        return [
            WassersteinDistance(*words, p=1),
            WassersteinDistance(*words, p=2),
            SlicedWassersteinDistance(*words),
            MMD(*words),
        ]

    def more(self, data: Data) -> Sequence[Metric]:
        """``Histogram`` in one or two dimensions, ``ModeCoverage`` where there are modes."""
        kinds: list[type[Metric]] = [Histogram] if math.prod(data.shape) <= 2 else []
        if has_modes(data.train):
            kinds.append(ModeCoverage)
        return [kind(self.features, self.n_samples, self.split) for kind in kinds]

    def fitted(self, data: Data, device: torch.device) -> Metric:
        """All parts for points such as these, fitted."""
        if len(data.shape) != 1:
            raise UserError(f"metric=points is for points, these samples are {list(data.shape)}. Take metric=all.")
        return super().fitted(data, device)


def has_modes(dataset: Dataset) -> bool:
    """Whether ``ModeCoverage`` knows the modes of such data."""
    try:
        mixture_of(dataset)
    except UserError:
        return False
    return True


def _merged(parts: Iterable[Mapping[str, T]]) -> dict[str, T]:
    return {name: found for part in parts for name, found in part.items()}
