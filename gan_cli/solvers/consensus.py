"""Consensus optimization."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.optim import Optimizer

from gan_cli import checks
from gan_cli.games.base import Turn, differentiable_in_all_players
from gan_cli.solvers.simultaneous import Field, Simultaneous
from gan_cli.types import Batch, Stats


class Consensus(Simultaneous):
    """w <- w - eta (v + gamma grad 1/2 ||v||^2), v = F(w) being all players' gradients (Mescheder et al., 2017).

    All players agree to make ||v|| small, which draws the field inwards where it would only turn: on min max theta phi a step
    multiplies the distance to the equilibrium by sqrt((1 - eta gamma)^2 + eta^2). The paper's experiments on images take
    gamma = 10 with RMSProp at 1e-4 and 5e-5.

    ``weight``: gamma >= 0. What is reported as ``grad_norm`` is v's. Players who decline their turn have no part in v and do
    not move. Costs a second derivative of every loss, a third where a loss holds a gradient penalty.
    """

    def __init__(
        self,
        turns: Mapping[str, Turn],
        optimizers: Mapping[str, Optimizer],
        autocast: Callable[[], AbstractContextManager] = nullcontext,
        weight: float = 10.0,
    ) -> None:
        super().__init__(turns, optimizers, autocast)
        checks.number("weight", weight, least=0)
        self.weight = weight

    def field(self, order: Sequence[str], batches: Iterator[Batch]) -> tuple[Field, Stats]:
        v: dict[str, tuple[Tensor | None, ...]] = {}
        stats: Stats = {}
        with differentiable_in_all_players():
            for player in order:
                turn = self.turns[player]
                loss, reported = self.loss(player, next(batches))
                gradients = torch.autograd.grad(loss, list(turn.parameters), create_graph=True, allow_unused=True)
                reported = self.turn_stats(player, loss, reported, gradients)
                stats |= reported
                if turn.should_step(loss.detach(), reported):
                    v[player] = gradients
        pull = self.pull(v)
        # a parameter that players share is pulled once, in the turn of the first
        return {
            player: [_sum(g, pull.pop(p, None)) for p, g in zip(self.turns[player].parameters, own, strict=True)]
            for player, own in v.items()
        }, stats

    def pull(self, v: Field) -> dict[Tensor, Tensor | None]:
        """gamma grad 1/2 ||v||^2, by parameter of those who play."""
        half = [0.5 * g.square().sum() for gradients in v.values() for g in gradients if g is not None and g.requires_grad]
        if not half:  # nobody plays, or all losses are linear
            return {}
        parameters = list(dict.fromkeys(p for player in v for p in self.turns[player].parameters))
        pulls = torch.autograd.grad(torch.stack(half).sum(), parameters, allow_unused=True)
        return {p: None if pull is None else self.weight * pull for p, pull in zip(parameters, pulls, strict=True)}


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """a + b outside of any graph, None being 0."""
    if a is None or b is None:
        return b if a is None else a.detach()
    return a.detach() + b
