"""Features that are the pixel values of images."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gan_cli.metrics.features.base import Features, quantize_images


@dataclass(frozen=True)
class Pixels(Features):
    """Pixel values, rounded to the levels of uint8 files, scaled back to [-1, 1] and flattened to ``[N, C·H·W]``."""

    name: ClassVar[str] = "pixels"

    def __call__(self, x: Tensor) -> tuple[Tensor, None]:
        """Map images ``[N, C, H, W]`` to ``[N, C·H·W]``, float32 in [-1, 1]."""
        return (quantize_images(x, self.name).float() / 127.5 - 1).flatten(1).cpu(), None
