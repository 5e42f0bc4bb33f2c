"""Random values within the step of 8-bit pixels of training images."""

import torch
from torch import Tensor

from gan_cli.data.base import DatasetWrapper
from gan_cli.data.content import Content
from gan_cli.types import Batch

LEVELS = 128
"""Grey values from -1 to 0, and from 0 to 1."""


class Dequantized(DatasetWrapper):
    """Another data set's images as u / 128 - 1 + U(0, 1/128) in training, where u = 0 ... 255 are their grey values.

    The values of an image then fill [-1, 1) instead of 256 points of it, as in the published code of WGAN-GP (Gulrajani et
    al., 2017). The last column of a row of ``epoch`` is the seed of the sample's noise. ``order`` and plain indices leave the
    images unchanged, and so do all measurements.

    Args:
        dataset: The other data set, whose images are u / 127.5 - 1.
    """

    def content(self) -> Content | None:
        return self.dataset.content()

    def epoch(self, random: torch.Generator) -> Tensor:
        """Draw rows of the other data set with a seed behind them, int64 ``[len(self), k + 1]``."""
        rows = self.dataset.epoch(random)
        seeds = torch.randint(2**62, (len(rows), 1), generator=random)
        return torch.cat([rows if rows.ndim > 1 else rows[:, None], seeds], dim=1)

    def batch(self, indices: Tensor) -> Batch:
        """Return the images at indices int64 ``[B]`` unchanged, or those of rows of ``epoch`` with their noise."""
        if indices.ndim == 1:
            return self.dataset.batch(indices)
        rows = indices[:, :-1]
        x, y = self.dataset.batch(rows if rows.shape[1] > 1 else rows[:, 0])
        noise = torch.stack([_uniform(x.shape[1:], seed) for seed in indices[:, -1].tolist()])
        return Batch(((x + 1) * 127.5 + noise) / LEVELS - 1, y)


def _uniform(shape: torch.Size, seed: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))
