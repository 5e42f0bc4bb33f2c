"""A generator with a known density."""

import math

import torch
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.models.base import Generator


class Affine(Generator):
    """x = mean + std * z in each coordinate, z ~ N(0, I): the samples follow N(mean, diag std^2).

    mean and std are learnt; the sign of std does not change the distribution.

    Args:
        mean: Initial mean of all coordinates.
        std: Initial standard deviation of all coordinates, above 0.

    Raises:
        UserError: If ``std`` is not above 0.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, mean: float, std: float) -> None:
        super().__init__()
        checks.number("mean", mean)
        checks.number("std", std, above=0)
        self.shape, self.latent_dim = tuple(shape), math.prod(shape)
        self.mean = nn.Parameter(torch.full((self.latent_dim,), float(mean)))
        self.std = nn.Parameter(torch.full((self.latent_dim,), float(std)))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return (self.mean + self.std * z).unflatten(1, self.shape)
