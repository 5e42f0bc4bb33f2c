"""extragradient, past_extragradient: steps along gradients that are taken one step ahead."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from gan_cli import checks
from gan_cli.solvers.base import Problem
from gan_cli.solvers.simultaneous import Field, Simultaneous
from gan_cli.types import Batch, Stats


class Extragradient(Simultaneous):
    """w' = w - eta F(w), then w <- w - eta F(w'), for any optimizer (Korpelevich, 1976; Gidel et al., 2019, algorithm 4).

    As in Extra-Adam, the optimizers' moments are updated in both half steps, and each evaluation draws its own batches and
    latents. Constraints such as weight clipping are applied after both half steps: they are the method's projections. Buffers
    of the players, such as those of batch norm, are not reset. The reported numbers belong to the second evaluation, at w'. A
    turn may decline either half step.

    Args:
        past: If true, the first half step uses the gradients of the second evaluation of the round before, so that a round
            costs one evaluation of F instead of two (Popov, 1980). The first round evaluates both.
    """

    def __init__(self, problem: Problem, past: bool = False) -> None:
        super().__init__(problem)
        checks.flag("past", past)
        self.past = past
        self.remembered: Field | None = None

    def round(self, order: Sequence[str], batches: Iterator[Batch]) -> Stats:
        self.check(order)
        start = [parameter.detach().clone() for parameter in self.parameters()]
        field = self.remembered
        if field is None or not set(field) <= set(order):  # another phase has begun, with other turns
            field, _ = self.field(order, batches)
        self.step(field)
        field, stats = self.field(order, batches)
        with torch.no_grad():
            for parameter, value in zip(self.parameters(), start, strict=True):
                parameter.copy_(value)
        self.step(field)
        if self.past:
            self.remembered = field
        return stats

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"remembered": self.remembered}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        remembered = state["remembered"]
        self.remembered = remembered and {
            name: [
                None if gradient is None else gradient.to(parameter.device)
                for parameter, gradient in zip(self.turns[name].parameters, gradients, strict=True)
            ]
            for name, gradients in remembered.items()
        }
