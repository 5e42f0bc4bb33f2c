"""non_saturating, dragan: the non-saturating GAN loss."""

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.losses.base import Loss
from gan_cli.types import Stats

CERTAIN = 14.0
"""Bound of log p / q for logits at which smoothing leaves no ratio."""


@dataclass(frozen=True)
class NonSaturating(Loss):
    """The generator ascends log D instead of descending log(1 - D) (Goodfellow et al., 2014, section 3).

    L_D = E softplus(-D(x)) + E softplus(D(G(z))),  L_G = E softplus(-D(G(z))),  and JS >= log 2 - L_D / 2.

    Args:
        smoothing: e in [0, 1) of one-sided label smoothing (Salimans et al., 2016, section 3.4). D's target for data becomes
            1 - e, that for fakes stays 0. This adds e E D(x) to L_D, whose optimum is then s(D) = (1 - e) p / (p + q). The
            estimate of JS does not include it; ``log_ratio`` does.
    """

    boundary: ClassVar[float | None] = 0.0
    never_negative: ClassVar[bool] = True
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        checks.number("smoothing", self.smoothing, least=0)
        if self.smoothing >= 1:
            raise FieldError("smoothing", self.smoothing, "it must be below 1; the paper's is 0.1.")

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean() + self.smoothing * real.mean()

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-fake).mean()

    def estimate(self, real: Tensor, fake: Tensor) -> Stats:
        return {"js": math.log(2) - (softplus(-real).mean() + softplus(fake).mean()) / 2}

    def log_ratio(self, logits: Tensor) -> Tensor:
        # log s / (1 - e - s) at s = s(D), where a trained D passes 1 - e; the logits themselves without smoothing
        rest = 1 - self.smoothing - self.smoothing * logits.clamp(max=CERTAIN).exp()
        return logits - rest.clamp(min=math.exp(-CERTAIN)).log()
