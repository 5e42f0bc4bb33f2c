"""A discriminator that is linear in features of its input."""

from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.models.base import Discriminator


class LogLinear(Discriminator):
    """D(x) = w . phi(x), logit ``[B]``: the odds of x being real are exp(w . phi(x)) (Li et al., 2017, section 3).

    phi(x) is x itself and a constant 1, whose weight is the bias. ``bumps``: instead of x, Gaussian bumps
    exp(-||x - c||^2 / 2 h^2) at the points c of a square grid of that many a side (0: none), for points of the plane;
    ``reach``: the grid covers [-reach, reach]^2; ``bandwidth``: h. Such a D looks at more than the mean and is linear still.
    w starts at 0, where D knows nothing.
    """

    centers: Tensor

    def __init__(
        self, shape: tuple[int, ...], classes: int, bumps: int = 0, reach: float = 2.0, bandwidth: float = 0.5
    ) -> None:
        super().__init__()
        checks.count("bumps", bumps, least=0)
        checks.number("reach", reach, above=0)
        checks.number("bandwidth", bandwidth, above=0)
        if bumps and tuple(shape) != (2,):
            raise FieldError("bumps", bumps, f"there are bumps for points of the plane alone, not for {tuple(shape)}.")
        self.bumps, self.bandwidth = bumps, bandwidth
        ticks = torch.linspace(-reach, reach, bumps)
        self.register_buffer("centers", torch.cartesian_prod(ticks, ticks))
        self.weight = nn.Parameter(torch.zeros((bumps**2 or prod(shape)) + 1))

    def features(self, x: Tensor) -> Tensor:
        """phi(x): ``[B, *shape] -> [B, len(w)]``, the constant last."""
        x = x.flatten(1)
        if self.bumps:
            squares = (x[:, None] - self.centers.to(x.dtype)).square().sum(2)
            x = (-squares / (2 * self.bandwidth**2)).exp()
        return pad(x, (0, 1), value=1.0)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.features(x) @ self.weight.to(x.dtype)
