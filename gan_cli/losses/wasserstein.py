"""wgan, wgan_gp: the Wasserstein loss."""

from dataclasses import dataclass

from torch import Tensor

from gan_cli.losses.base import Loss
from gan_cli.types import Stats


@dataclass(frozen=True)
class Wasserstein(Loss):
    """Kantorovich-Rubinstein dual of the earth mover's distance (Arjovsky et al., 2017, equation 2).

    L_D = E D(G(z)) - E D(x),  L_G = -E D(G(z)).  The estimate E D(x) - E D(G(z)) is signed. It is K * W for an optimal critic
    that a regularizer keeps K-Lipschitz: weight clipping leaves K unknown, the gradient penalty aims at K = 1.
    """

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -fake.mean()

    def estimate(self, real: Tensor, fake: Tensor) -> Stats:
        return {"wasserstein": real.mean() - fake.mean()}
