"""extragradient, past_extragradient: steps along gradients that are taken one step ahead."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from gan_cli import checks
from gan_cli.solvers.base import Problem, place
from gan_cli.solvers.simultaneous import Field, Simultaneous
from gan_cli.types import Batch, Stats


class Evaluation(NamedTuple):
    """F at a point.

    Attributes:
        point: Value of every parameter.
        field: Gradients of the turns that step.
    """

    point: Sequence[Tensor]
    field: Field


class Extragradient(Simultaneous):
    """w' = w - eta F(w), then w <- w - eta F(w'), for any optimizer (Korpelevich, 1976; Gidel et al., 2019, algorithm 4).

    An optimizer's weight decay belongs to F: the second half step decays by w', not by w.

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
        self.remembered: Evaluation | None = None

    def round(self, order: Sequence[str], batches: Iterator[Batch]) -> Stats:
        self.check(order)
        start = self.point()
        ahead = self.remembered
        if ahead is None or not set(ahead.field) <= set(order):  # another phase has begun, with other turns
            ahead = Evaluation(start, self.field(order, batches)[0])
        self.step_from(start, ahead)
        point = self.point()
        field, stats = self.field(order, batches)
        there = Evaluation(point, field)
        self.step_from(start, there)
        if self.past:
            self.remembered = there
        return stats

    def point(self) -> list[Tensor]:
        """Return copies of all parameters."""
        return [parameter.detach().clone() for parameter in self.parameters()]

    def step_from(self, start: Sequence[Tensor], evaluation: Evaluation) -> None:
        """Move from ``start`` by the step that the optimizers take at the point of ``evaluation``.

        Weight decay is a part of F. The optimizers add it where they stand, so they stand where the rest of F was evaluated.
        """
        parameters = self.parameters()
        place(parameters, evaluation.point)
        self.optimize(evaluation.field)
        moved = zip(start, parameters, evaluation.point, strict=True)
        place(parameters, [w + (there.detach() - at) for w, there, at in moved])
        self.finish(evaluation.field)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"remembered": self.remembered and self.remembered._asdict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        remembered = state["remembered"]
        self.remembered = remembered and Evaluation(
            [value.to(parameter.device) for parameter, value in zip(self.parameters(), remembered["point"], strict=True)],
            {
                name: [
                    None if gradient is None else gradient.to(parameter.device)
                    for parameter, gradient in zip(self.turns[name].parameters, gradients, strict=True)
                ]
                for name, gradients in remembered["field"].items()
            },
        )
