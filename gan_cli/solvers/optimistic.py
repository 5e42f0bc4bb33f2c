"""Optimistic gradient steps."""

from dataclasses import replace

from gan_cli.optim.optimistic import Optimistic as OptimisticOptimizer
from gan_cli.solvers.base import Problem
from gan_cli.solvers.simultaneous import Simultaneous


class Optimistic(Simultaneous):
    """Simultaneous steps w <- w + 2 u_t - u_{t-1}, where u_t is the optimizer's step at w_t (Daskalakis et al., 2018).

    One evaluation of the field per round, and as good as extragradient's two on min max theta phi.
    """

    def __init__(self, problem: Problem) -> None:
        optimizers = {name: OptimisticOptimizer(inner) for name, inner in problem.optimizers.items()}
        super().__init__(replace(problem, optimizers=optimizers))
