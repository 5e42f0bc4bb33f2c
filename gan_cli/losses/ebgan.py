"""The loss of energy-based GANs."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import relu

from gan_cli import checks
from gan_cli.losses.base import Loss
from gan_cli.types import Stats


@dataclass(frozen=True)
class EBGAN(Loss):
    """EBGAN (Zhao et al., 2017, equations 1 and 2), where the logits are negative energies: D(x) = -E(x), E >= 0.

    L_D = E E(x) + E [m - E(G(z))]_+,  L_G = E E(G(z)).  L_D >= m (1 - TV), hence the estimate TV >= 1 - L_D / m, which is
    tight for E* = m [p < q]. At this optimum L_G - E E(x) = m TV.

    Args:
        margin: m > 0, in units of the energy. For ||Dec(Enc(x)) - x|| the paper uses 10 (MNIST), 20 (CelebA), 80 (LSUN).
    """

    margin: float = 10.0

    def __post_init__(self) -> None:
        checks.number("margin", self.margin, above=0)

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(self.margin + fake).mean() - real.mean()

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -fake.mean()

    def estimate(self, real: Tensor, fake: Tensor) -> Stats:
        return {"tv": 1 - self.discriminator_loss(real, fake) / self.margin}
