"""The least-squares loss."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gan_cli.losses.base import Loss
from gan_cli.types import Stats


@dataclass(frozen=True)
class LeastSquares(Loss):
    """LSGAN with targets 0 for fake and 1 for real (Mao et al., 2017, equation 9).

    L_D = E (D(x) - 1)^2 / 2 + E D(G(z))^2 / 2,  L_G = E (D(G(z)) - 1)^2 / 2.
    The triangular discrimination, the integral of (p - q)^2 / (p + q), lies in [0, 2] and is at least 2 - 8 L_D.
    """

    boundary: ClassVar[float | None] = 0.5
    never_negative: ClassVar[bool] = True

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return ((real - 1).square().mean() + fake.square().mean()) / 2

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return (fake - 1).square().mean() / 2

    def estimate(self, real: Tensor, fake: Tensor) -> Stats:
        return {"triangular": 2 - 8 * self.discriminator_loss(real, fake)}

    def log_ratio(self, logits: Tensor) -> Tensor:
        return logits.logit(eps=1e-6)  # D* = p / (p + q), and a trained D leaves [0, 1]
