"""DRAGAN's gradient penalty around the data."""

from dataclasses import dataclass

from torch import Tensor, nn

from gan_cli import checks
from gan_cli.parallel import draws
from gan_cli.parallel.share import whole_data
from gan_cli.regularizers.base import GradientRegularizer, Judged, per_sample_uniform, slopes
from gan_cli.types import Critic


@dataclass(frozen=True)
class Dragan(GradientRegularizer):
    """lambda E (||grad D(x + delta)|| - 1)^2 on the logit, with delta = alpha std(x) u / 2 (Kodali et al., 2017).

    alpha ~ U[0, 1] for each sample, u ~ U[0, 1] for each of its values; std(x) is taken over the whole batch.

    Args:
        weight: lambda >= 0.
    """

    weight: float = 10.0

    def __post_init__(self) -> None:
        checks.number("weight", self.weight, least=0)

    def penalty(self, network: nn.Module, critic: Critic, judged: Judged) -> Tensor:
        x = judged.real
        noise = 0.5 * whole_data(x).std(correction=0) * draws.rand_like(x)
        around = x + per_sample_uniform(x) * noise
        return self.weight * (slopes(critic, around) - 1).square().mean()
