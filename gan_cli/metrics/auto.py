"""The default metric: Fréchet distance in the best available features for images, sequence distances for sequences."""

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
    """The Fréchet distance in the best available features; for sequences ``SequenceDistances``.

    For images these are the features of the Inception network if its weights are available: found in the cache, named by
    ``path`` or downloaded. Otherwise they are the given ``features``. Any ``features`` other than the bundled
    EfficientNet-Lite0 at its default resolution were chosen explicitly and are kept. ``describe`` names the choice, ``fitted``
    makes it.

    Args:
        features: Features that are used if the Inception network is not available.
        n_samples: Number of samples of each kind.
        split: Part of the data set that the real samples come from, ``train`` or ``heldout``.
        path: File with the Inception weights; None to search the default locations, see ``Inception``.
        download: True to download the weights if none are found.
        sha256: Expected checksum of the weights, see ``Inception``.

    Raises:
        UserError: If ``path`` or ``download`` is set but the weights are unavailable or would not be used.
    """

    path: str | None = None
    download: bool = False
    sha256: str = SHA256

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.flag("download", self.download)
        if self._requested and not _is_bundled(self.features):
            raise UserError(
                f"metric.{'path' if self.path else 'download'} asks for the Inception network, but features="
                f"{self.features.name} selects other features.\nSet only one of the two."
            )

    def describe(self, data: Data | None = None) -> str:
        """Return one line for the start of a run that names the metric and the reason for it."""
        if data is not None and _are_sequences(data):
            return self._for_sequences().describe(data)
        features = self.resolve().features
        if not isinstance(features, Inception):
            return f"metric: {self.name}{_way_to_fid() if _is_bundled(features) else ''}"
        if found := features.locate():
            return f"metric: {self.name} (Inception weights in {found})"
        return f"metric: {self.name}{' (Inception weights to be downloaded)' if features.download else ''}"

    def resolve(self) -> Frechet:
        """Return the metric chosen for images and points, not yet fitted."""
        if not _is_bundled(self.features):
            return Frechet(self.features, self.n_samples, self.split)
        inception = Inception(self.features.batch_size, self.path, self.download, self.sha256)
        best = inception if self._requested or (checks.installed("torch-fidelity") and inception.locate()) else self.features
        return Frechet(best, self.n_samples, self.split)

    def fitted(self, data: Data, device: torch.device) -> Metric:
        """Return the chosen metric, fitted to ``data``."""
        return (self._for_sequences() if _are_sequences(data) else self.resolve()).fitted(data, device)

    def _for_sequences(self) -> Metric:
        return SequenceDistances(Identity(), self.n_samples, self.split)

    @property
    def name(self) -> str:
        """Name of the metric chosen for images, such as ``fid`` or ``fd_efficientnet_lite0``."""
        return self.resolve().name

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return the numbers of the metric chosen for images; both sets must be encoded in its features."""
        return self.resolve().measure(real, fake)

    @property
    def _requested(self) -> bool:
        """True if the Inception network was asked for explicitly."""
        return self.download or self.path is not None


def _are_sequences(data: Data) -> bool:
    return len(data.shape) == 2


def _way_to_fid() -> str:
    if not checks.installed("torch-fidelity"):
        return " (FID needs the package torch-fidelity: pip install 'gan-cli[fid]')"
    return " (no Inception weights found: metric=auto metric.download=true downloads them for FID)"


def _is_bundled(features: Features) -> TypeGuard[EfficientNetLite0]:
    """True for the default features: EfficientNet-Lite0 at its default resolution."""
    return isinstance(features, EfficientNetLite0) and features.resolution == EfficientNetLite0.resolution
