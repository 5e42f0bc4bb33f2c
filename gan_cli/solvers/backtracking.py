"""Backtracking: steps that are shortened until they lower the loss."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.randomness import fork_rng
from gan_cli.solvers.base import Problem, Solver
from gan_cli.types import Batch, Stats

SHORTEST = 2.0**-40
"""Least length t that is remembered; without it a player that has arrived could never move again."""


class Backtracking(Solver):
    """Alternating turns w <- w + t u, where t is halved until the turn's own loss has fallen enough (Armijo, 1966).

    u is the optimizer's step. The condition is loss(w + t u) <= loss(w) + decrease t <grad, u> (or loss(w), if u leads
    uphill), on the batch and with the random draws of the turn, so that no turn raises its loss there. If ``halvings`` do not
    suffice, the players rest and halving continues in the next turn. A turn begins with twice the t of the last one, whatever
    the learning rate.

    For players with a common loss this is a monotone descent; opponents each still follow their own loss only. The players'
    buffers move with every trial. t is read on the host, so that each trial waits for the device.

    Args:
        halvings: Largest number of halvings in one turn.
        decrease: In [0, 1), the part of the promised decrease that is required.
    """

    def __init__(self, problem: Problem, halvings: int = 10, decrease: float = 1e-4) -> None:
        super().__init__(problem)
        checks.count("halvings", halvings)
        checks.number("decrease", decrease, least=0)
        if decrease >= 1:
            raise FieldError("decrease", decrease, "it must be below 1.")
        self.halvings, self.decrease = halvings, decrease
        self.lengths = dict.fromkeys(self.turns, 0.5)

    def round(self, order: Sequence[str], batches: Iterator[Batch]) -> Stats:
        stats: Stats = {}
        for name in order:
            stats |= self.turn(name, self.draw(name, batches))
        return stats

    def turn(self, name: str, batch: Batch) -> Stats:
        """Play one turn with the longest step that satisfies the condition; return what it reports."""
        turn, parameters = self.turns[name], list(self.turns[name].parameters)
        seed = int(torch.randint(2**62, ()))
        device = parameters[0].device
        with fork_rng(seed, device):
            loss, stats = self.gradients(name, batch)
        if not turn.should_step(loss, stats):
            return stats
        start = [parameter.detach().clone() for parameter in parameters]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in parameters]
        self.optimizers[name].step()
        step = [parameter.detach() - before for parameter, before in zip(parameters, start, strict=True)]
        slope = min(0.0, sum(float((g * u).sum()) for g, u in zip(gradients, step, strict=True)))
        t = 2 * self.lengths[name]
        for _ in range(self.halvings + 1):
            move(parameters, start, step, t)
            with fork_rng(seed, device):
                if float(self.value(name, batch)) <= float(loss) + self.decrease * t * slope:
                    self.lengths[name] = t
                    break
            t /= 2
        else:
            self.lengths[name] = max(t, SHORTEST)
            t = 0.0
            move(parameters, start, step, t)
        turn.finish()
        return stats | {f"length/{name}": loss.new_tensor(t)}

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"lengths": dict(self.lengths)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.lengths = dict(state["lengths"])


@torch.no_grad()
def move(parameters: Sequence[Tensor], start: Sequence[Tensor], step: Sequence[Tensor], t: float) -> None:
    """Set ``parameters`` to start + t step."""
    for parameter, before, u in zip(parameters, start, step, strict=True):
        parameter.copy_(before + t * u)
