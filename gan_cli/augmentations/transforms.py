"""Random transformations of images ``[B, C, H, W]`` in [-1, 1], with one draw per image, all twice differentiable in x.

The argument ``p`` is the probability, a float or a 0-d tensor, that an image is transformed.
"""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from gan_cli.errors import UserError
from gan_cli.parallel import draws

Probability = float | Tensor


def uniform(x: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Draw one number from U[low, high] for each image: ``[B, 1, 1, 1]``."""
    return low + (high - low) * draws.rand(len(x), 1, 1, 1, device=x.device, dtype=x.dtype)


def apply_randomly(x: Tensor, transformed: Tensor, p: Probability) -> Tensor:
    """Return for each image ``transformed`` with probability ``p``, otherwise ``x``."""
    return torch.where(uniform(x) < p, transformed, x)


def require_images(x: Tensor, option: str) -> None:
    """Check that ``x`` is a batch of images ``[B, C, H, W]``.

    Args:
        x: Samples ``[B, *shape]``.
        option: Name of the augmentation, for the message.

    Raises:
        UserError: If ``x`` does not have four dimensions.
    """
    if x.ndim != 4:
        raise UserError(
            f"augmentation={option} transforms images, but this data set's samples have shape {tuple(x.shape[1:])}.\n"
            "Use augmentation=instance_noise for points and sequences, or augmentation=none."
        )


def brightness(x: Tensor, p: Probability) -> Tensor:
    """Add u ~ U[-1/2, 1/2] to each image."""
    return apply_randomly(x, x + uniform(x, -0.5, 0.5), p)


def saturation(x: Tensor, p: Probability) -> Tensor:
    """Multiply the deviation from the mean over channels by u ~ U[0, 2]; grey images do not change."""
    mean = x.mean(1, keepdim=True)
    return apply_randomly(x, mean + (x - mean) * uniform(x, 0.0, 2.0), p)


def contrast(x: Tensor, p: Probability) -> Tensor:
    """Multiply the deviation from the image's mean by u ~ U[1/2, 3/2]."""
    mean = x.mean((1, 2, 3), keepdim=True)
    return apply_randomly(x, mean + (x - mean) * uniform(x, 0.5, 1.5), p)


def flip(x: Tensor, p: Probability) -> Tensor:
    """Flip images left-right, each with probability ``p`` / 2: a fair coin decides for each image that is transformed."""
    return apply_randomly(x, x.flip(3), 0.5 * p)


def translation(x: Tensor, p: Probability, ratio: float) -> Tensor:
    """Shift images by whole pixels, up to ``ratio`` of the side in each direction; the gap is filled with 0 (grey)."""
    height, width = x.shape[2:]
    return apply_randomly(x, _shift(_shift(x, 2, round(height * ratio)), 3, round(width * ratio)), p)


def _shift(x: Tensor, axis: int, reach: int) -> Tensor:
    """Shift along one axis by multiplying with a 0/1 matrix per image, which is differentiable any number of times."""
    n = x.shape[axis]
    shift = draws.randint(-reach, reach + 1, len(x), 1, device=x.device)
    source = torch.arange(n, device=x.device) - shift + reach  # within the axis with ``reach`` pixels around it
    pick = one_hot(source, n + 2 * reach)[:, :, reach : n + reach].to(x.dtype)  # [B, n, n]
    return torch.einsum("bij,bcjw->bciw" if axis == 2 else "bij,bchj->bchi", pick, x)


def cutout(x: Tensor, p: Probability, ratio: float) -> Tensor:
    """Set a rectangle of ``ratio`` of both sides to 0 (grey); its centre is uniform, so the border may cut it off."""
    hole = torch.ones((), device=x.device, dtype=torch.bool)
    for axis in (2, 3):
        n = x.shape[axis]
        size = round(n * ratio)
        start = draws.randint(0, n + 1 - size % 2, len(x), 1, device=x.device) - size // 2
        position = torch.arange(n, device=x.device)
        inside = (position >= start) & (position < start + size)
        hole = hole & (inside[:, None, :, None] if axis == 2 else inside[:, None, None, :])
    return apply_randomly(x, x * ~hole, p)


def scale_and_rotate(x: Tensor, p: Probability, scale: float, rotation: float) -> Tensor:
    """Scale by 2^(scale n), n ~ N(0, 1), and rotate by rotation * u, u ~ U[-pi, pi], each with probability ``p``.

    Pixels are interpolated linearly, and the image is continued by reflection at its borders.
    """
    one = torch.ones_like(uniform(x))
    factor = torch.where(uniform(x) < p, torch.exp2(scale * draws.randn_like(one)), one)
    angle = torch.where(uniform(x) < p, uniform(x, -torch.pi, torch.pi) * rotation, 0 * one)
    height, width = x.shape[2:]
    rows = torch.arange(height, device=x.device, dtype=x.dtype)[:, None] - (height - 1) / 2
    columns = torch.arange(width, device=x.device, dtype=x.dtype) - (width - 1) / 2
    cosine, sine = (value[:, 0] / factor[:, 0] for value in (angle.cos(), angle.sin()))
    vertical = cosine * rows - sine * columns + (height - 1) / 2  # source coordinates of each pixel, [B, H, W]
    horizontal = sine * rows + cosine * columns + (width - 1) / 2
    return bilinear(x, vertical, horizontal)


def bilinear(x: Tensor, vertical: Tensor, horizontal: Tensor) -> Tensor:
    """Interpolate images bilinearly at real coordinates, reflecting coordinates outside the image.

    This repositions torch's ``grid_sample``, which has no second derivative.

    Args:
        x: Images ``[B, C, H, W]``.
        vertical: Row of each output pixel in ``x``, in pixels, ``[B, H, W]``.
        horizontal: Column of each output pixel in ``x``, in pixels, ``[B, H, W]``.

    Returns:
        Interpolated images ``[B, C, H, W]``.
    """
    top, left = vertical.floor(), horizontal.floor()
    result = torch.zeros_like(x)
    for row, in_row in ((top, 1 - (vertical - top)), (top + 1, vertical - top)):
        for column, in_column in ((left, 1 - (horizontal - left)), (left + 1, horizontal - left)):
            index = _reflect(row, x.shape[2]) * x.shape[3] + _reflect(column, x.shape[3])
            index = index.flatten(1)[:, None].expand(-1, x.shape[1], -1)
            result = result + x.flatten(2).gather(2, index).view_as(x) * (in_row * in_column)[:, None]
    return result


def _reflect(index: Tensor, n: int) -> Tensor:
    """Fold integer coordinates into 0 ... n - 1 by reflection, without repeating the border pixels."""
    period = max(2 * (n - 1), 1)
    index = index.long() % period
    return torch.minimum(index, period - index).clamp(max=n - 1)
