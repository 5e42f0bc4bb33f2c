"""Weight clipping."""

from dataclasses import dataclass

import torch
from torch import nn

from gan_cli import checks
from gan_cli.regularizers.base import Regularizer


@dataclass(frozen=True)
class WeightClipping(Regularizer):
    """w <- clip(w, -c, c) after every step of the critic (Arjovsky et al., 2017, algorithm 1, line 7).

    ``bound``: c > 0. The critic is then K-Lipschitz for a K that depends on its architecture and on c.
    """

    bound: float = 0.01

    def __post_init__(self) -> None:
        checks.number("WeightClipping.bound", self.bound, above=0)

    @torch.no_grad()
    def constrain(self, network: nn.Module) -> None:
        for parameter in network.parameters():
            parameter.clamp_(-self.bound, self.bound)
