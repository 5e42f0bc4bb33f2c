"""minimax, zero_sum: the zero-sum GAN loss."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from gan_cli.losses.non_saturating import NonSaturating


@dataclass(frozen=True)
class Minimax(NonSaturating):
    """The zero-sum game of Goodfellow et al., 2014, equation 1; its generator saturates if D wins.

    L_D = E softplus(-D(x)) + E softplus(D(G(z))),  L_G = -E softplus(D(G(z))) = E log(1 - s(D(G(z)))).
    """

    never_negative: ClassVar[bool] = False

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -softplus(fake).mean()


@dataclass(frozen=True)
class ZeroSum(Minimax):
    """The same game with the data's term left in L_G = -L_D, as in equation 1.

    The additional term does not depend on the generator as long as D is fixed. With ``solver=unrolled`` (Metz et al., 2017) the
    generator takes D's answer into account, and the term penalizes it if D comes to doubt the data.
    """

    looks_at_real: ClassVar[bool] = True

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -self.discriminator_loss(real, fake)
