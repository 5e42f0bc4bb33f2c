"""DRAGAN's penalty around the data."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.regularizers.base import GradientRegularizer, per_sample_uniform, slopes
from gan_cli.types import Critic


@dataclass(frozen=True)
class Dragan(GradientRegularizer):
    """lambda E (||grad D(x + delta)|| - 1)^2 with delta = alpha std(x) u / 2 (Kodali et al., 2017), on the logit.

    alpha ~ U[0, 1] for each sample, u ~ U[0, 1] for each of its values, std(x) over the whole batch.
    ``weight``: lambda >= 0.
    """

    weight: float = 10.0

    def __post_init__(self) -> None:
        checks.number("weight", self.weight, least=0)

    def penalty(self, network: nn.Module, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        noise = 0.5 * real.std(correction=0) * torch.rand_like(real)
        around = real + per_sample_uniform(real) * noise
        return self.weight * (slopes(critic, around) - 1).square().mean()
