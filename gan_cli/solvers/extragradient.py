"""Extragradient steps."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.optim import Optimizer

from gan_cli import checks
from gan_cli.games.base import Turn
from gan_cli.solvers.simultaneous import Field, Simultaneous
from gan_cli.types import Batch, Stats


class Extragradient(Simultaneous):
    """w' = w - eta F(w), then w <- w - eta F(w'), for any optimizer (Korpelevich, 1976; Gidel et al., 2019, algorithm 4).

    ``past``: the first half step uses the gradients that the last round's second one found, so that a round costs one
    evaluation of F instead of two (Popov, 1980). The first round has none to remember and evaluates both.

    As in Extra-Adam, an optimizer's moments move on in both half steps, each evaluation draws batches and latents of its own,
    and constraints (weight clipping) hold after both half steps: they are the method's projections. Buffers of the players,
    such as batch norm's, are not taken back. What is reported belongs to the second evaluation, at w'. A player may decline
    either half step.
    """

    def __init__(
        self,
        turns: Mapping[str, Turn],
        optimizers: Mapping[str, Optimizer],
        autocast: Callable[[], AbstractContextManager] = nullcontext,
        past: bool = False,
    ) -> None:
        super().__init__(turns, optimizers, autocast)
        checks.flag("past", past)
        self.past = past
        self.remembered: Field | None = None

    def round(self, order: Sequence[str], batches: Iterator[Batch]) -> Stats:
        self.check(order)
        start = [parameter.detach().clone() for parameter in self.parameters()]
        field = self.remembered
        if field is None or not set(field) <= set(order):  # another phase has begun, with other players
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
            player: [
                None if gradient is None else gradient.to(parameter.device)
                for parameter, gradient in zip(self.turns[player].parameters, gradients, strict=True)
            ]
            for player, gradients in remembered.items()
        }
