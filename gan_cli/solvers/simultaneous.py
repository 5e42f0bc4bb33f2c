"""Simultaneous gradient steps."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.solvers.base import Solver
from gan_cli.types import Batch, Stats

Field = Mapping[str, Sequence[Tensor | None]]
"""Turn -> gradient of its loss, parameter by parameter; turns that decline to step are not in it."""


class Simultaneous(Solver):
    """w <- w - eta F(w), where F is the gradients of all turns at the same point, so that no turn sees another's move.

    On min max theta phi each step multiplies the distance to the equilibrium by sqrt(1 + eta^2).
    """

    def round(self, order: Sequence[str], batches: Iterator[Batch]) -> Stats:
        self.check(order)
        field, stats = self.field(order, batches)
        self.step(field)
        return stats

    def check(self, order: Sequence[str]) -> None:
        super().check(order)
        for name, times in Counter(order).items():
            if times > 1:
                raise UserError(
                    f"solver: {type(self).__name__} plays every turn once a round, but the schedule has {name} {times}x.\n"
                    "Set train.n_critic=1 and leave warm-up rounds out, or use solver=alternating."
                )

    def field(self, order: Sequence[str], batches: Iterator[Batch]) -> tuple[Field, Stats]:
        """Return F(w), each turn's part on a batch of its own, and what the turns reported."""
        field: dict[str, Sequence[Tensor | None]] = {}
        stats: Stats = {}
        for name in order:
            turn = self.turns[name]
            loss, reported = self.gradients(name, self.draw(name, batches))
            stats |= reported
            if turn.should_step(loss, reported):
                # kept apart from .grad, which turns that share a parameter would overwrite
                field[name] = [parameter.grad for parameter in turn.parameters]
        return field, stats

    def step(self, field: Field) -> None:
        """Step every optimizer along its part of the field, then finish the turns, as after any step."""
        self.optimize(field)
        self.finish(field)

    def optimize(self, field: Field) -> None:
        """Step every optimizer along its part of the field."""
        for name, gradients in field.items():
            for parameter, gradient in zip(self.turns[name].parameters, gradients, strict=True):
                parameter.grad = gradient
            self.optimizers[name].step()

    def finish(self, turns: Iterable[str]) -> None:
        """Finish these turns, as after any step."""
        for name in turns:
            self.turns[name].finish()
