"""hinge, sngan: the hinge loss."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import relu

from gan_cli.losses.base import Loss
from gan_cli.types import Stats


@dataclass(frozen=True)
class Hinge(Loss):
    """Geometric GAN's hinge (Lim and Ye, 2017), as used by SNGAN and BigGAN.

    L_D = E [1 - D(x)]_+ + E [1 + D(G(z))]_+,  L_G = -E D(G(z)),  and TV >= 1 - L_D / 2.
    """

    boundary: ClassVar[float | None] = 0.0

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -fake.mean()

    def estimate(self, real: Tensor, fake: Tensor) -> Stats:
        return {"tv": 1 - self.discriminator_loss(real, fake) / 2}
