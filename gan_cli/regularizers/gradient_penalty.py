"""The gradient penalty of WGAN-GP."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from gan_cli import checks
from gan_cli.regularizers.base import GradientRegularizer, Judged, per_sample_uniform, slopes
from gan_cli.types import Critic


@dataclass(frozen=True)
class GradientPenalty(GradientRegularizer):
    """lambda E (||grad D(x^)|| - 1)^2 at x^ = eps x + (1 - eps) G(z), one eps ~ U[0, 1] per sample (Gulrajani et al., 2017).

    Between parallel lines at distance d the optimal slope is 1 + d / (2 lambda), so that W is overestimated by that factor.

    Args:
        weight: lambda >= 0.
        one_sided: If true, only slopes above 1 are penalized: lambda E [||grad D(x^)|| - 1]_+^2.
    """

    weight: float = 10.0
    one_sided: bool = False

    def __post_init__(self) -> None:
        checks.number("weight", self.weight, least=0)
        checks.flag("one_sided", self.one_sided)

    def penalty(self, network: nn.Module, critic: Critic, judged: Judged) -> Tensor:
        interpolates = torch.lerp(judged.fake, judged.real, per_sample_uniform(judged.real))
        excess = slopes(critic, interpolates) - 1
        if self.one_sided:
            excess = relu(excess)
        return self.weight * excess.square().mean()
