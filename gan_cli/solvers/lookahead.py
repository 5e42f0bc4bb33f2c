"""lookahead, nested_lookahead: slow weights that follow the fast ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.solvers.alternating import Alternating
from gan_cli.solvers.base import Problem, Solver
from gan_cli.types import Batch, Stats


class Lookahead(Solver):
    """Every ``k`` rounds of another solver, w <- slow + alpha (w - slow), where slow is w of k rounds ago.

    All players go back together (Lookahead-minmax, Chavdarova et al., 2021). A lookahead around a lookahead has super-slow
    weights, the paper's nested form; its ``k`` should be a multiple of the inner one's.

    The optimizers' moments and the players' buffers stay as the fast weights left them. After going back, the turns of that
    round are finished again, because the first slow weights, those before training, need not satisfy the constraints.

    Args:
        k: Number of rounds, at least 1.
        alpha: In (0, 1]; 1 means that the slow weights are the fast ones.
        inner: Makes the solver that plays the rounds; alternating by default.
    """

    def __init__(self, problem: Problem, k: int = 5, alpha: float = 0.5, inner: Callable[..., Solver] = Alternating) -> None:
        checks.count("k", k)
        checks.number("alpha", alpha, above=0)
        if alpha > 1:
            raise FieldError("alpha", alpha, "it must be at most 1, at which the slow weights are the fast ones.")
        self.inner = inner(problem)
        super().__init__(replace(problem, optimizers=self.inner.optimizers))
        self.k, self.alpha = k, alpha
        self.played = 0
        self.slow: list[Tensor] = []

    def round(self, order: Sequence[str], batches: Iterator[Batch]) -> Stats:
        if self.played == 0:
            # copied when the k rounds begin, not when they end, so that whatever moves the weights in between counts
            self.slow = [parameter.detach().clone() for parameter in self.parameters()]
        stats = self.inner.round(order, batches)
        self.played += 1
        if self.played == self.k:
            self.backtrack()
            for name in dict.fromkeys(order):
                self.turns[name].finish()
        return stats

    @torch.no_grad()
    def backtrack(self) -> None:
        """Move the slow weights towards the fast ones, and the fast ones to the same place."""
        for parameter, slow in zip(self.parameters(), self.slow, strict=True):
            parameter.copy_(slow.lerp(parameter, self.alpha))
        self.played, self.slow = 0, []

    def check(self, order: Sequence[str]) -> None:
        self.inner.check(order)

    def state_dict(self) -> dict[str, Any]:
        return {"inner": self.inner.state_dict(), "played": self.played, "slow": self.slow}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.inner.load_state_dict(state["inner"])
        self.played = state["played"]
        self.slow = [slow.to(p.device) for slow, p in zip(state["slow"], self.parameters(), strict=False)]
