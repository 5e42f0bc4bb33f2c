"""Degradations of images, which make the sources of a paired task from its targets."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gan_cli import checks
from gan_cli.errors import FieldError, UserError

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in ITU-R 601 luma."""
MAX_GRADIENT = 80**0.5
"""Largest norm of the Sobel gradient of values in [-1, 1], attained for neighbours sign(2x + y)."""


class Degradation(ABC):
    """Images ``[B, C, S, S]`` in [-1, 1] -> sources ``[B, C', S, S]`` in [-1, 1], each a function of its image alone."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor: ...


def grey(x: Tensor) -> Tensor:
    """Return the ITU-R 601 luma: ``[B, 1 | 3, H, W]`` -> ``[B, 1, H, W]``; grey images stay unchanged."""
    return x if x.shape[1] == 1 else torch.einsum("bchw,c->bhw", x, x.new_tensor(LUMA))[:, None]


def sobel(x: Tensor) -> Tensor:
    """Return the strength of edges: ``[B, C, H, W]`` in [-1, 1] -> ``[B, 1, H, W]`` in [0, 1]; 0 where the image is constant.

    It is the norm of the grey image's gradient by the 3x3 Sobel filters, divided by the largest possible one; the image is
    continued beyond its border by replication.
    """
    horizontal = x.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    filters = torch.stack([horizontal, horizontal.T])[:, None]
    gradient = functional.conv2d(functional.pad(grey(x), (1, 1, 1, 1), mode="replicate"), filters)
    return (gradient.norm(dim=1, keepdim=True) / MAX_GRADIENT).clamp(max=1)


@dataclass(frozen=True)
class Sobel(Degradation):
    """White edges on black, one channel.

    Args:
        threshold: Edges are pixels where ``sobel`` exceeds this threshold, in (0, 1); None for edges as bright as their
            strength.

    Raises:
        UserError: If ``threshold`` is not in (0, 1).
    """

    threshold: float | None

    def __post_init__(self) -> None:
        if self.threshold is not None:
            checks.number("threshold", self.threshold, above=0)
            if self.threshold >= 1:
                raise FieldError("threshold", self.threshold, "it must be below 1, the strength of the steepest edge.")

    def __call__(self, x: Tensor) -> Tensor:
        strength = sobel(x)
        return 2 * (strength if self.threshold is None else (strength > self.threshold).float()) - 1


@dataclass(frozen=True)
class Hole(Degradation):
    """The image with a grey square (0 in all channels) in its centre, as for context encoders (Pathak et al., 2016).

    Args:
        share: Side of the square as a fraction of the image's side, in (0, 1].

    Raises:
        UserError: If ``share`` is not in (0, 1].
    """

    share: float

    def __post_init__(self) -> None:
        checks.number("share", self.share, above=0)
        if self.share > 1:
            raise FieldError("share", self.share, "it must be at most 1, the whole side.")

    def __call__(self, x: Tensor) -> Tensor:
        side = x.shape[-1]
        hole = max(1, round(self.share * side))
        start = (side - hole) // 2
        y = x.clone()
        y[..., start : start + hole, start : start + hole] = 0
        return y


@dataclass(frozen=True)
class Shrink(Degradation):
    """The image at 1/``factor`` of its resolution, averaged over squares and enlarged bilinearly to its original size.

    Args:
        factor: Divisor of the side, at least 2.

    Raises:
        UserError: If ``factor`` is below 2 or does not divide the side.
    """

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
    """The luma of the image, one channel (``grey``)."""

    def __call__(self, x: Tensor) -> Tensor:
        return grey(x)
