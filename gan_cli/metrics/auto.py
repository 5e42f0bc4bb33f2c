"""What is measured when nobody chooses: of images the Fréchet distance in the best features at hand, of sequences others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

import torch

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, Features
from gan_cli.metrics.features.efficientnet_lite0 import EfficientNetLite0
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.features.inception import SHA256, Inception
from gan_cli.metrics.images.frechet import Frechet
from gan_cli.metrics.sequences.sequence_distances import SequenceDistances


@dataclass(frozen=True)
class Auto(Metric):
    """The Fréchet distance in the best features at hand; of sequences ``SequenceDistances``.

    Of images those of the Inception network, if its weights are here, named by ``path`` or fetched by ``download`` (see
    ``Inception`` for these and ``sha256``); else the given ``features``. Other features than the bundled EfficientNet-Lite0 at
    its own resolution have been chosen by somebody and stay. ``describe`` says what it comes to before ``fitted`` does it.

    Raises UserError where weights that were asked for by ``path`` or ``download`` cannot be had or would not be used.
    """

    path: str | None = None
    download: bool = False
    sha256: str = SHA256

    def __post_init__(self):
        super().__post_init__()
        checks.flag("download", self.download)
        if self._wanted and not _bundled(self.features):
            raise UserError(
                f"metric.{'path' if self.path else 'download'} asks for the Inception network, features={self.features.name} "
                "for another space.\nLeave one of the two out."
            )

    def describe(self, data: Data | None = None) -> str:
        """One line for the start of a run: which number is measured, and why."""
        if data is not None and _are_sequences(data):
            return self._of_sequences().describe(data)
        features = self.resolved().features
        if not isinstance(features, Inception):
            hint = (
                " (no Inception weights here: metric=auto metric.download=true fetches them for FID)"
                if _bundled(features)
                else ""
            )
            return f"metric: {self.name}{hint}"
        if found := features.found():
            return f"metric: {self.name} (Inception weights in {found})"
        return f"metric: {self.name}{' (Inception weights to be downloaded)' if features.download else ''}"

    def resolved(self) -> Frechet:
        """The metric that it comes to of images and points, not yet fitted."""
        if not _bundled(self.features):
            return Frechet(self.features, self.n_samples, self.split)
        inception = Inception(self.features.batch_size, self.path, self.download, self.sha256)
        best = inception if self._wanted or inception.found() else self.features
        return Frechet(best, self.n_samples, self.split)

    def fitted(self, data: Data, device: torch.device) -> Metric:
        """What it comes to, ready for samples of ``data``; from here on nothing is left open."""
        return (self._of_sequences() if _are_sequences(data) else self.resolved()).fitted(data, device)

    def _of_sequences(self) -> Metric:
        return SequenceDistances(Identity(), self.n_samples, self.split)

    @property
    def name(self) -> str:
        """What it comes to of images is called: ``fid``, ``fd_efficientnet_lite0``, …"""
        return self.resolved().name

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """The numbers of what it comes to of images, for sets encoded in its features."""
        return self.resolved().measure(real, fake)

    @property
    def _wanted(self) -> bool:
        """Whether the Inception network is asked for, and not merely preferred."""
        return self.download or self.path is not None


def _are_sequences(data: Data) -> bool:
    return len(data.shape) == 2


def _bundled(features: Features) -> TypeGuard[EfficientNetLite0]:
    """Whether these are the features that are there when nobody chooses."""
    return isinstance(features, EfficientNetLite0) and features.resolution == EfficientNetLite0.resolution
