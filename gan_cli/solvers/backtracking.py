"""Steps that are shortened until they help."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.games.base import Turn
from gan_cli.randomness import fork_rng
from gan_cli.solvers.base import Solver
from gan_cli.types import Batch, Stats

SHORTEST = 2.0**-40
"""From here on lengths grow again, or one who has arrived would never move any more."""


class Backtracking(Solver):
    """Alternating turns w <- w + t u, t being halved until the player's own loss has fallen enough (Armijo, 1966).

    u is the optimizer's step; enough is loss(w + t u) <= loss(w) + decrease t <grad, u> (or loss(w), where u leads uphill),
    on the batch and with the draws of the turn, so that no turn raises its loss there. If ``halvings`` do not suffice the
    player rests and goes on halving in its next turn. A turn begins with twice the t of the last one, whatever the rate.

    For players who want the same thing this is a monotone ascent; for opponents each still follows its own loss only. The
    players' buffers move with every trial, and t is read on the host: each trial waits for the device.
    """

    def __init__(
        self,
        turns: Mapping[str, Turn],
        optimizers: Mapping[str, Optimizer],
        autocast: Callable[[], AbstractContextManager] = nullcontext,
        halvings: int = 10,
        decrease: float = 1e-4,
    ) -> None:
        super().__init__(turns, optimizers, autocast)
        checks.count("halvings", halvings)
        checks.number("decrease", decrease, least=0)
        if decrease >= 1:
            raise FieldError("decrease", decrease, "it must be below 1, where no loss falls so fast for long.")
        self.halvings, self.decrease = halvings, decrease
        self.lengths = dict.fromkeys(turns, 0.5)

    def round(self, order: Sequence[str], batches: Iterator[Batch]) -> Stats:
        stats: Stats = {}
        for player in order:
            stats |= self.turn(player, next(batches))
        return stats

    def turn(self, player: str, batch: Batch) -> Stats:
        """One player's step, as long as it helps."""
        turn, parameters = self.turns[player], list(self.turns[player].parameters)
        seed = int(torch.randint(2**62, ()))
        device = parameters[0].device
        with fork_rng(seed, device):
            loss, stats = self.gradients(player, batch)
        if not turn.should_step(loss, stats):
            return stats
        start = [parameter.detach().clone() for parameter in parameters]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in parameters]
        self.optimizers[player].step()
        step = [parameter.detach() - before for parameter, before in zip(parameters, start, strict=True)]
        slope = min(0.0, sum(float((g * u).sum()) for g, u in zip(gradients, step, strict=True)))
        t = 2 * self.lengths[player]
        for _ in range(self.halvings + 1):
            move(parameters, start, step, t)
            with fork_rng(seed, device):
                if float(self.loss(player, batch)[0].detach()) <= float(loss) + self.decrease * t * slope:
                    self.lengths[player] = t
                    break
            t /= 2
        else:
            self.lengths[player] = max(t, SHORTEST)
            t = 0.0
            move(parameters, start, step, t)
        turn.after()
        return stats | {f"length/{player}": loss.new_tensor(t)}

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"lengths": dict(self.lengths)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.lengths = dict(state["lengths"])


@torch.no_grad()
def move(parameters: Sequence[Tensor], start: Sequence[Tensor], step: Sequence[Tensor], t: float) -> None:
    """Sets ``parameters`` to start + t step."""
    for parameter, before, u in zip(parameters, start, step, strict=True):
        parameter.copy_(before + t * u)
