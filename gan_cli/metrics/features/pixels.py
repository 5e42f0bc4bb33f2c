"""Images compared pixel by pixel."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gan_cli.metrics.features.base import Features, levels


@dataclass(frozen=True)
class Pixels(Features):
    """Pixel values as uint8 files hold them, scaled back to [-1, 1] and flattened to ``[N, C·H·W]``."""

    name: ClassVar[str] = "pixels"

    def __call__(self, x: Tensor) -> tuple[Tensor, None]:
        """Images ``[N, C, H, W]`` -> ``[N, C·H·W]``, float32 in [-1, 1]."""
        return (levels(x, self.name).float() / 127.5 - 1).flatten(1).cpu(), None
