"""Simultaneous gradient steps."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.solvers.base import Solver
from gan_cli.types import Batch, Stats

Field = Mapping[str, Sequence[Tensor | None]]
"""Player -> gradient of its loss, parameter by parameter; players who decline their turn are not in it."""


class Simultaneous(Solver):
    """w <- w - eta F(w): nobody sees the others' moves, F being all players' gradients at the same point.

    On min max theta phi each step multiplies the distance to the equilibrium by sqrt(1 + eta^2).
    """

    def round(self, order: Sequence[str], batches: Iterator[Batch]) -> Stats:
        self.check(order)
        field, stats = self.field(order, batches)
        self.step(field)
        return stats

    def check(self, order: Sequence[str]) -> None:
        super().check(order)
        for player, times in Counter(order).items():
            if times > 1:
                raise UserError(
                    f"solver: {type(self).__name__} plays every turn once a round, but the schedule has {player} {times}x.\n"
                    "Set train.n_critic=1 and leave warm-up rounds out, or use solver=alternating."
                )

    def field(self, order: Sequence[str], batches: Iterator[Batch]) -> tuple[Field, Stats]:
        """F(w), each player's part with a batch of its own, and what the turns reported."""
        field: dict[str, Sequence[Tensor | None]] = {}
        stats: Stats = {}
        for player in order:
            turn = self.turns[player]
            loss, reported = self.gradients(player, next(batches))
            stats |= reported
            if turn.should_step(loss, reported):
                # kept apart from .grad, which turns that share a parameter would overwrite
                field[player] = [parameter.grad for parameter in turn.parameters]
        return field, stats

    def step(self, field: Field) -> None:
        """Every player's optimizer steps along its part of the field; then the constraints, as after any step."""
        for player, gradients in field.items():
            for parameter, gradient in zip(self.turns[player].parameters, gradients, strict=True):
                parameter.grad = gradient
            self.optimizers[player].step()
        for player in field:
            self.turns[player].after()
