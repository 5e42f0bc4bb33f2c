"""Solver: the base class of all solvers, and the problem that they solve."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from gan_cli.errors import UserError
from gan_cli.games.base import Turn
from gan_cli.types import Batch, Stats


@dataclass(frozen=True)
class Problem:
    """The knowledge that a solver has of a game.

    Attributes:
        turns: Turn by name.
        optimizers: Optimizer of each turn's parameters, with one parameter group per player.
        autocast: Makes the context in which losses are computed: ``torch.autocast`` for bfloat16, or none.
    """

    turns: Mapping[str, Turn]
    optimizers: Mapping[str, Optimizer]
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext


class Solver(ABC):
    """Plays rounds of a game that it knows only by its turns."""

    def __init__(self, problem: Problem) -> None:
        self.turns, self.optimizers, self.autocast = problem.turns, problem.optimizers, problem.autocast

    @abstractmethod
    def round(self, order: Sequence[str], batches: Iterator[Batch]) -> Stats:
        """Play one round.

        Args:
            order: Names of the turns, in the order in which they are played.
            batches: Training data; every turn draws a batch of its own.

        Returns:
            The numbers that the last of each turn reported, see ``turn_stats``.
        """

    def check(self, order: Sequence[str]) -> None:
        """Check that this solver can play a round of this game in this order.

        Raises:
            UserError: If it cannot.
        """
        for name in order:
            if name not in self.turns:
                raise UserError(f"schedule: this game has no turn {name!r}. Its turns are: {', '.join(self.turns)}.")

    def loss(self, name: str, batch: Batch) -> tuple[Tensor, Stats]:
        """Return the loss of a turn, and what the turn reports."""
        with self.autocast():
            return self.turns[name].loss(batch)

    def gradients(self, name: str, batch: Batch) -> tuple[Tensor, Stats]:
        """Leave d loss / d parameters in ``.grad`` of the turn's own parameters, and of no others.

        Returns:
            The loss, and the numbers to log, see ``turn_stats``.
        """
        loss, stats = self.loss(name, batch)
        parameters = list(self.turns[name].parameters)
        for parameter in parameters:
            parameter.grad = None
        loss.backward(inputs=parameters)
        return loss.detach(), self.turn_stats(name, loss, stats, [parameter.grad for parameter in parameters])

    def turn_stats(self, name: str, loss: Tensor, stats: Stats, gradients: Sequence[Tensor | None]) -> Stats:
        """Return the numbers to log under their final names.

        They are ``loss/<turn>``, ``grad_norm/<turn>`` (L2 over all of the turn's parameters), and the turn's own numbers, as
        ``<number>/<turn>`` unless their names contain a slash already.
        """
        norm = get_total_norm([gradient.detach() for gradient in gradients if gradient is not None])
        own = {key if "/" in key else f"{key}/{name}": value.detach() for key, value in stats.items()}
        return {f"loss/{name}": loss.detach(), f"grad_norm/{name}": norm, **own}

    def parameters(self) -> list[nn.Parameter]:
        """Return the parameters of all turns, each once even if turns share it."""
        return list(dict.fromkeys(parameter for turn in self.turns.values() for parameter in turn.parameters))

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the solver remembers between rounds."""
        return {"optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
