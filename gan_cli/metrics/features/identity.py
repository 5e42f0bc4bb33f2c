"""Features that are the samples themselves."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gan_cli.metrics.features.base import Features


@dataclass(frozen=True)
class Identity(Features):
    """The samples themselves, flattened to ``[N, d]``; for points."""

    name: ClassVar[str] = "identity"

    def label(self, measure: str) -> str:
        """Return ``measure`` unchanged, since the samples are compared directly."""
        return measure

    def __call__(self, x: Tensor) -> tuple[Tensor, None]:
        """Flatten ``[N, *shape]`` to ``[N, prod(shape)]``, float; uint8 images are scaled to [-1, 1]."""
        return (x if x.is_floating_point() else x / 127.5 - 1).flatten(1).cpu(), None
