"""Random transformations of images ``[B, C, H, W]`` in [-1, 1]: one draw for each image, all twice differentiable in x.

Every one takes ``p``, the probability (a number or a 0-d tensor) that an image is transformed at all.
"""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from gan_cli.errors import UserError

Probability = float | Tensor


def uniform(x: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """One draw from U[low, high] for each image, ``[B, 1, 1, 1]``."""
    return low + (high - low) * torch.rand(len(x), 1, 1, 1, device=x.device, dtype=x.dtype)


def sometimes(x: Tensor, transformed: Tensor, p: Probability) -> Tensor:
    """Of each image the transformed one with probability ``p``."""
    return torch.where(uniform(x) < p, transformed, x)


def need_images(x: Tensor, who: str) -> None:
    """UserError unless ``x`` is a batch of images."""
    if x.ndim != 4:
        raise UserError(
            f"augmentation={who} transforms images, but this data set's samples have shape {tuple(x.shape[1:])}.\n"
            "Use augmentation=instance_noise for points and sequences, or augmentation=none."
        )


def brightness(x: Tensor, p: Probability) -> Tensor:
    """x + u, u ~ U[-1/2, 1/2]."""
    return sometimes(x, x + uniform(x, -0.5, 0.5), p)


def saturation(x: Tensor, p: Probability) -> Tensor:
    """Distances to the mean of the channels times u ~ U[0, 2]; nothing happens to grey images."""
    mean = x.mean(1, keepdim=True)
    return sometimes(x, mean + (x - mean) * uniform(x, 0.0, 2.0), p)


def contrast(x: Tensor, p: Probability) -> Tensor:
    """Distances to the mean of the image times u ~ U[1/2, 3/2]."""
    mean = x.mean((1, 2, 3), keepdim=True)
    return sometimes(x, mean + (x - mean) * uniform(x, 0.5, 1.5), p)


def flip(x: Tensor, p: Probability) -> Tensor:
    """Left and right exchanged in one half of the images that are transformed, as a flip of a fair coin has it."""
    return sometimes(x, x.flip(3), 0.5 * p)


def translation(x: Tensor, p: Probability, ratio: float) -> Tensor:
    """Moved by whole pixels, up to ``ratio`` of the side in each direction; 0 (grey) comes in from outside."""
    height, width = x.shape[2:]
    return sometimes(x, _moved(_moved(x, 2, round(height * ratio)), 3, round(width * ratio)), p)


def _moved(x: Tensor, axis: int, reach: int) -> Tensor:
    """Along one axis, by a matrix of zeros and ones for each image: differentiable as often as one likes."""
    n = x.shape[axis]
    shift = torch.randint(-reach, reach + 1, (len(x), 1), device=x.device)
    source = torch.arange(n, device=x.device) - shift + reach  # within the axis with ``reach`` pixels around it
    pick = one_hot(source, n + 2 * reach)[:, :, reach : n + reach].to(x.dtype)  # [B, n, n]
    return torch.einsum("bij,bcjw->bciw" if axis == 2 else "bij,bchj->bchi", pick, x)


def cutout(x: Tensor, p: Probability, ratio: float) -> Tensor:
    """A rectangle of ``ratio`` of both sides becomes 0 (grey); its middle lies anywhere in the image, so it may be cut off."""
    hole = torch.ones((), device=x.device, dtype=torch.bool)
    for axis in (2, 3):
        n = x.shape[axis]
        size = round(n * ratio)
        start = torch.randint(0, n + 1 - size % 2, (len(x), 1), device=x.device) - size // 2
        place = torch.arange(n, device=x.device)
        inside = (place >= start) & (place < start + size)
        hole = hole & (inside[:, None, :, None] if axis == 2 else inside[:, None, None, :])
    return sometimes(x, x * ~hole, p)


def geometry(x: Tensor, p: Probability, scale: float, rotation: float) -> Tensor:
    """Scaled by 2^(scale n), n ~ N(0, 1), and turned by u ~ U[-pi, pi] ``rotation``, each with probability ``p``.

    Pixels are interpolated linearly, and the image goes on beyond its borders as in a mirror.
    """
    one = torch.ones_like(uniform(x))
    factor = torch.where(uniform(x) < p, torch.exp2(scale * torch.randn_like(one)), one)
    angle = torch.where(uniform(x) < p, uniform(x, -torch.pi, torch.pi) * rotation, 0 * one)
    height, width = x.shape[2:]
    rows = torch.arange(height, device=x.device, dtype=x.dtype)[:, None] - (height - 1) / 2
    columns = torch.arange(width, device=x.device, dtype=x.dtype) - (width - 1) / 2
    cosine, sine = (value[:, 0] / factor[:, 0] for value in (angle.cos(), angle.sin()))
    vertical = cosine * rows - sine * columns + (height - 1) / 2  # where each pixel comes from, [B, H, W]
    horizontal = sine * rows + cosine * columns + (width - 1) / 2
    return bilinear(x, vertical, horizontal)


def bilinear(x: Tensor, vertical: Tensor, horizontal: Tensor) -> Tensor:
    """The image at real coordinates ``[B, H, W]`` in pixels, by its four neighbours; mirrored outside.

    By hand, because torch's ``grid_sample`` has no second derivative.
    """
    top, left = vertical.floor(), horizontal.floor()
    result = torch.zeros_like(x)
    for row, in_row in ((top, 1 - (vertical - top)), (top + 1, vertical - top)):
        for column, in_column in ((left, 1 - (horizontal - left)), (left + 1, horizontal - left)):
            index = _mirrored(row, x.shape[2]) * x.shape[3] + _mirrored(column, x.shape[3])
            index = index.flatten(1)[:, None].expand(-1, x.shape[1], -1)
            result = result + x.flatten(2).gather(2, index).view_as(x) * (in_row * in_column)[:, None]
    return result


def _mirrored(index: Tensor, n: int) -> Tensor:
    """Whole coordinates folded into 0 ... n - 1, the pixels at the border not repeated."""
    period = max(2 * (n - 1), 1)
    index = index.long() % period
    return torch.minimum(index, period - index).clamp(max=n - 1)
