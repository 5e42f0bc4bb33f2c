"""Weight clipping."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.regularizers.base import Regularizer


@dataclass(frozen=True)
class WeightClipping(Regularizer):
    """w <- clip(w, -c, c) after every step of the critic (Arjovsky et al., 2017, algorithm 1, line 7).

    The critic is then K-Lipschitz for a K that depends on its architecture and on c.

    Args:
        bound: c > 0.
    """

    bound: float = 0.01

    def __post_init__(self) -> None:
        checks.number("bound", self.bound, above=0)

    @torch.no_grad()
    def constrain(self, network: nn.Module) -> None:
        for parameter in network.parameters():
            parameter.clamp_(-self.bound, self.bound)

    def share_at_bound(self, parameters: Iterable[Tensor], tol: float = 1e-3) -> float:
        """Return the share in [0, 1] of weights with |w| >= c(1 - tol); near 1 the critic has become a pattern of signs."""
        parts = [parameter.detach().abs() >= self.bound * (1 - tol) for parameter in parameters]
        return sum(int(part.sum()) for part in parts) / sum(part.numel() for part in parts)
