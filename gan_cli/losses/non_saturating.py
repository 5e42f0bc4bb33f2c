"""The non-saturating GAN loss."""

import math
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

from gan_cli.losses.base import Loss
from gan_cli.types import Stats


@dataclass(frozen=True)
class NonSaturating(Loss):
    """Generator ascends log D instead of descending log(1 - D) (Goodfellow et al., 2014, section 3).

    L_D = E softplus(-D(x)) + E softplus(D(G(z))),  L_G = E softplus(-D(G(z))),  and JS >= log 2 - L_D / 2.
    """

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-fake).mean()

    def estimate(self, real: Tensor, fake: Tensor) -> Stats:
        return {"js": math.log(2) - self.discriminator_loss(real, fake) / 2}
