"""Optimistic gradient steps."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

from torch.optim import Optimizer

from gan_cli.games.base import Turn
from gan_cli.optim.optimistic import Optimistic as OptimisticOptimizer
from gan_cli.solvers.simultaneous import Simultaneous


class Optimistic(Simultaneous):
    """Simultaneous steps w <- w + 2 u_t - u_{t-1}, u_t being the optimizer's step at w_t (Daskalakis et al., 2018).

    One evaluation of the field a round, as good as extragradient's two on min max theta phi.
    """

    def __init__(
        self,
        turns: Mapping[str, Turn],
        optimizers: Mapping[str, Optimizer],
        autocast: Callable[[], AbstractContextManager] = nullcontext,
    ) -> None:
        super().__init__(turns, {player: OptimisticOptimizer(inner) for player, inner in optimizers.items()}, autocast)
