"""Points compared as they are."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gan_cli.metrics.features.base import Features


@dataclass(frozen=True)
class Identity(Features):
    """The samples themselves, flattened to ``[N, d]``: for points."""

    name: ClassVar[str] = "identity"

    def label(self, measure: str) -> str:
        """The measure's own name: nothing stands between it and the samples."""
        return measure

    def __call__(self, x: Tensor) -> tuple[Tensor, None]:
        """``[N, *shape]`` -> ``[N, prod(shape)]``, float; of uint8 images in [-1, 1]."""
        return (x if x.is_floating_point() else x / 127.5 - 1).flatten(1).cpu(), None
