"""What every solver does with a turn."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from gan_cli.errors import UserError
from gan_cli.games.base import Turn
from gan_cli.types import Batch, Stats


class Solver(ABC):
    """Plays rounds of a game that it knows only by its turns.

    ``turns``: player -> turn. ``optimizers``: player -> optimizer of that turn's parameters.
    ``autocast``: makes the context in which losses are computed (bfloat16 by ``torch.autocast``, or nothing).
    """

    def __init__(
        self,
        turns: Mapping[str, Turn],
        optimizers: Mapping[str, Optimizer],
        autocast: Callable[[], AbstractContextManager] = nullcontext,
    ) -> None:
        self.turns, self.optimizers, self.autocast = turns, optimizers, autocast

    @abstractmethod
    def round(self, order: Sequence[str], batches: Iterator[Batch]) -> Stats:
        """One round: the turns in ``order``, each with a batch of its own; returns what the last of each reported."""

    def check(self, order: Sequence[str]) -> None:
        """UserError if this solver cannot play a round in this order of this game."""
        for player in order:
            if player not in self.turns:
                raise UserError(f"schedule: this game has no player {player!r}. Its players are: {', '.join(self.turns)}.")

    def loss(self, player: str, batch: Batch) -> tuple[Tensor, Stats]:
        """What the player minimises, and what its turn reports."""
        with self.autocast():
            return self.turns[player].loss(batch)

    def gradients(self, player: str, batch: Batch) -> tuple[Tensor, Stats]:
        """Leaves d loss / d parameters in ``.grad`` of the player's own parameters, and nobody else's.

        Returns the loss and the numbers to log, see ``turn_stats``.
        """
        loss, stats = self.loss(player, batch)
        parameters = list(self.turns[player].parameters)
        for parameter in parameters:
            parameter.grad = None
        loss.backward(inputs=parameters)
        return loss.detach(), self.turn_stats(player, loss, stats, [parameter.grad for parameter in parameters])

    def turn_stats(self, player: str, loss: Tensor, stats: Stats, gradients: Sequence[Tensor | None]) -> Stats:
        """The numbers to log under their final names.

        They are ``loss/<player>``, ``grad_norm/<player>`` (L2 over all of the player's parameters), and the turn's own,
        ``<name>/<player>`` unless they are named in full.
        """
        norm = get_total_norm([gradient.detach() for gradient in gradients if gradient is not None])
        own = {name if "/" in name else f"{name}/{player}": value.detach() for name, value in stats.items()}
        return {f"loss/{player}": loss.detach(), f"grad_norm/{player}": norm, **own}

    def parameters(self) -> list[nn.Parameter]:
        """Every player's parameters, those that turns share once."""
        return list(dict.fromkeys(parameter for turn in self.turns.values() for parameter in turn.parameters))

    def state_dict(self) -> dict[str, Any]:
        """Everything the solver remembers between rounds."""
        return {"optimizers": {player: optimizer.state_dict() for player, optimizer in self.optimizers.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of ``state_dict``."""
        for player, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][player])
