"""What turns an image into the source of a paired task, whose target is the image itself."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gan_cli import checks
from gan_cli.errors import FieldError, UserError

LUMA = (0.299, 0.587, 0.114)
"""Red, green and blue in grey (ITU-R 601)."""
STEEPEST = 80**0.5
"""The longest gradient that the Sobel filters give of values in [-1, 1]: at sign(2x + y) of the eight neighbours."""


class Degradation(ABC):
    """Images ``[B, C, S, S]`` in [-1, 1] -> sources ``[B, C', S, S]`` in [-1, 1], each from its own image and nothing else."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor: ...


def grey(x: Tensor) -> Tensor:
    """``[B, 1 | 3, H, W]`` -> ``[B, 1, H, W]``: ITU-R 601 luma; grey stays what it is."""
    return x if x.shape[1] == 1 else torch.einsum("bchw,c->bhw", x, x.new_tensor(LUMA))[:, None]


def sobel(x: Tensor) -> Tensor:
    """Strength of edges, ``[B, C, H, W]`` in [-1, 1] -> ``[B, 1, H, W]`` in [0, 1]; 0 where the image is constant.

    The length of the grey image's gradient by the 3x3 Sobel filters, as a share of the longest there can be; beyond the border
    the image goes on as it ends.
    """
    across = x.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    filters = torch.stack([across, across.T])[:, None]
    gradient = functional.conv2d(functional.pad(grey(x), (1, 1, 1, 1), mode="replicate"), filters)
    return (gradient.norm(dim=1, keepdim=True) / STEEPEST).clamp(max=1)


@dataclass(frozen=True)
class Sobel(Degradation):
    """White edges on black, one channel: where ``sobel`` exceeds ``threshold`` in (0, 1), or (None) as bright as it is."""

    threshold: float | None

    def __post_init__(self) -> None:
        if self.threshold is not None:
            checks.number("threshold", self.threshold, above=0)
            if self.threshold >= 1:
                raise FieldError("threshold", self.threshold, "no edge is steeper than the steepest, 1.")

    def __call__(self, x: Tensor) -> Tensor:
        strength = sobel(x)
        return 2 * (strength if self.threshold is None else (strength > self.threshold).float()) - 1


@dataclass(frozen=True)
class Hole(Degradation):
    """The image with a grey square in its middle, as the context encoders' (Pathak et al., 2016): value 0 in all channels.

    ``share``: of the image's side, in (0, 1].
    """

    share: float

    def __post_init__(self) -> None:
        checks.number("share", self.share, above=0)
        if self.share > 1:
            raise FieldError("share", self.share, "a hole is at most the whole side, 1.")

    def __call__(self, x: Tensor) -> Tensor:
        side = x.shape[-1]
        hole = max(1, round(self.share * side))
        start = (side - hole) // 2
        y = x.clone()
        y[..., start : start + hole, start : start + hole] = 0
        return y


@dataclass(frozen=True)
class Shrink(Degradation):
    """The image at 1/``factor`` of its resolution (means of squares), brought back to its size bilinearly."""

    factor: int

    def __post_init__(self) -> None:
        checks.count("factor", self.factor, least=2)

    def __call__(self, x: Tensor) -> Tensor:
        side = x.shape[-1]
        if side % self.factor:
            raise UserError(f"dataset.source.factor={self.factor} does not divide dataset.size={side}.")
        small = functional.avg_pool2d(x, self.factor)
        return functional.interpolate(small, size=(side, side), mode="bilinear", align_corners=False)


@dataclass(frozen=True)
class Grey(Degradation):
    """The image without its colours, one channel (``grey``)."""

    def __call__(self, x: Tensor) -> Tensor:
        return grey(x)
