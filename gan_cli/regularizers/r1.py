"""r1, r2, r1_r2: zero-centred gradient penalties."""

from dataclasses import dataclass

from torch import Tensor, nn

from gan_cli import checks
from gan_cli.regularizers.base import GradientRegularizer, Judged, squared_slopes
from gan_cli.types import Critic


@dataclass(frozen=True)
class R1(GradientRegularizer):
    """gamma / 2 E ||grad D(x)||^2 on real samples (Mescheder et al., 2018, equation 9).

    It damps the rotation of Dirac-GAN, whose eigenvalues become -gamma/2 +- sqrt(gamma^2/4 - 1/4).

    Args:
        weight: gamma >= 0; the best value depends on the data set.
    """

    weight: float = 10.0

    def __post_init__(self) -> None:
        checks.number("weight", self.weight, least=0)

    def penalty(self, network: nn.Module, critic: Critic, judged: Judged) -> Tensor:
        return self.weight / 2 * squared_slopes(critic, judged.real).mean()


@dataclass(frozen=True)
class R2(GradientRegularizer):
    """gamma / 2 E ||grad D(G(z))||^2 on fakes (Mescheder et al., 2018, equation 10).

    Args:
        weight: gamma >= 0.
    """

    weight: float = 10.0

    def __post_init__(self) -> None:
        checks.number("weight", self.weight, least=0)

    def penalty(self, network: nn.Module, critic: Critic, judged: Judged) -> Tensor:
        return self.weight / 2 * squared_slopes(critic, judged.fake).mean()
