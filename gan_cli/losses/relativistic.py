"""The relativistic pairing loss."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from gan_cli.losses.base import Loss


@dataclass(frozen=True)
class Relativistic(Loss):
    """RpGAN: D compares a real sample with a fake (Jolicoeur-Martineau, 2019; R3GAN, Huang et al., 2024).

    L_D = E softplus(D(G(z)) - D(x)),  L_G = E softplus(D(x) - D(G(z))), over pairs of one real and one fake.
    """

    looks_at_real: ClassVar[bool] = True
    never_negative: ClassVar[bool] = True

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake - real).mean()

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(real - fake).mean()
