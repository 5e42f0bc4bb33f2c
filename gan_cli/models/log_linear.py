"""A discriminator that is linear in fixed features of its input."""

from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.models.base import Discriminator


class LogLinear(Discriminator):
    """D(x) = w . phi(x), logits ``[B]``: the odds that x is real are exp(w . phi(x)) (Li et al., 2017, section 3).

    phi(x) is x and the constant 1, whose weight is the bias. With ``bumps`` it is Gaussian bumps exp(-||x - c||^2 / 2 h^2)
    and the constant, with centres c on a square grid: D then depends on more than the mean and is still linear in w.
    w starts at 0, where D does not distinguish data and fakes.

    Args:
        bumps: Number of centres along a side of the grid, for points of the plane; 0 for phi(x) = (x, 1).
        reach: The grid covers [-reach, reach]^2; above 0.
        bandwidth: Width h of the bumps, above 0.

    Raises:
        UserError: If ``bumps`` is above 0 and the samples are no points of the plane.
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
            raise FieldError("bumps", bumps, f"bumps need points of the plane, samples of shape (2,), not {tuple(shape)}.")
        self.bumps, self.bandwidth = bumps, bandwidth
        ticks = torch.linspace(-reach, reach, bumps)
        self.register_buffer("centers", torch.cartesian_prod(ticks, ticks))
        self.weight = nn.Parameter(torch.zeros((bumps**2 or prod(shape)) + 1))

    def features(self, x: Tensor) -> Tensor:
        """Return phi(x): ``[B, *shape] -> [B, len(w)]``, the constant last."""
        x = x.flatten(1)
        if self.bumps:
            squares = (x[:, None] - self.centers.to(x.dtype)).square().sum(2)
            x = (-squares / (2 * self.bandwidth**2)).exp()
        return pad(x, (0, 1), value=1.0)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.features(x) @ self.weight.to(x.dtype)
