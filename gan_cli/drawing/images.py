"""Pictures of images: grids and strips."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


def grid(images: Tensor, columns: int | None = None) -> np.ndarray:
    """Draw images side by side; small ones are enlarged by an integer factor without interpolation.

    Args:
        images: ``[N, C, H, W]`` in [-1, 1]; if C is neither 1 nor 3, only the first channel is drawn.
        columns: Number of columns; None for a square grid.
    """
    columns = columns or round(len(images) ** 0.5)
    factor = max(1, 64 // images.shape[-2])
    images = images.float().cpu().repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    if images.shape[1] not in (1, 3):
        images = images[:, :1]
    return _side_by_side(np.stack([picture(image) for image in images]), columns, gap=2 * factor)


def _side_by_side(pictures: np.ndarray, columns: int, gap: int) -> np.ndarray:
    """Arrange pictures ``[N, H, W, 3]`` row by row, with a white gap around each of them; a single one has none."""
    n, height, width, colours = pictures.shape
    if n == 1:
        gap = 0
    across = min(columns, n)
    down = -(-n // across)
    whole = np.full((gap + down * (height + gap), gap + across * (width + gap), colours), 255, np.uint8)
    for index, one in enumerate(pictures):
        top, left = (gap + place * (size + gap) for place, size in zip(divmod(index, across), (height, width), strict=True))
        whole[top : top + height, left : left + width] = one
    return whole


class Panel(NamedTuple):
    """A grid of images with a title and names of rows and columns.

    Attributes:
        images: ``[rows * columns, C, H, W]`` in [-1, 1], row by row.
        title: Title of the grid.
        rows: Names of the rows.
        columns: Names of the columns.
    """

    images: Tensor
    title: str
    rows: Sequence[str]
    columns: Sequence[str]


def strips(parts: Sequence[Tensor], across: int | None = None) -> np.ndarray:
    """Draw strips of images that belong together, one for each of N, in a square with gaps.

    Args:
        parts: The images of all strips, ``[N, C, H, W]`` for each position in a strip; grey and colour may be mixed.
        across: Number of strips side by side; None for as many as make the picture about square.
    """
    if len(parts) == 1:
        return grid(parts[0], across)
    colour = any(part.shape[1] == 3 for part in parts)
    columns = [part.float().cpu().expand(-1, 3, -1, -1) if colour else part.float().cpu() for part in parts]
    n, channels, height, _ = columns[0].shape
    edge = torch.ones(n, channels, height, max(1, height // 32))  # a white gap between the images of a strip
    spaced = [piece for column in columns for piece in (column, edge)][:-1]
    return grid(torch.cat(spaced, dim=3), columns=across or max(1, round((n / len(parts)) ** 0.5)))


def to_uint8(images: Tensor) -> Tensor:
    """Convert [-1, 1] to 0 ... 255, rounded and clamped."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def picture(image: Tensor) -> np.ndarray:
    """Convert one image ``[C, H, W]`` in [-1, 1]; if C is neither 1 nor 3, only the first channel is drawn."""
    drawn = pixels(image)
    return drawn if drawn.ndim == 3 else np.repeat(drawn[..., None], 3, axis=2)


def pixels(image: Tensor) -> np.ndarray:
    """Convert one image ``[C, H, W]`` in [-1, 1] to uint8 ``[H, W, 3]``, or ``[H, W]`` unless it is in colour, where C is 3."""
    drawn = to_uint8(image).cpu()
    return (drawn.permute(1, 2, 0) if len(image) == 3 else drawn[0]).numpy()
