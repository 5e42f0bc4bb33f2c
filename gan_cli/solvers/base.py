"""Solver: the base class of all solvers, and the problem that they solve."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import NoneType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_cli.contracts import STATS, Contract, checked_turn
from gan_cli.errors import UserError
from gan_cli.games.base import Turn
from gan_cli.parallel.division import WHOLE, Computed, Division
from gan_cli.types import Batch, Stats


def unwatched(name: str, value: Tensor) -> None:
    """Ignore a loss or the norm of a gradient."""


@dataclass(frozen=True)
class Problem:
    """The knowledge that a solver has of a game.

    Attributes:
        turns: Turn by name.
        optimizers: Optimizer of each turn's parameters, with one parameter group per player.
        autocast: Makes the context in which losses are computed: ``torch.autocast`` for bfloat16, or none.
        watch: Called with the tag and the value of every loss and every norm of a gradient, in the order in which they are
            computed. ``Solver.round`` reports only the last ones of each turn.
        division: Cuts the batches of the turns into parts.
    """

    turns: Mapping[str, Turn]
    optimizers: Mapping[str, Optimizer]
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
    watch: Callable[[str, Tensor], None] = unwatched
    division: Division = WHOLE


class Solver(Contract, ABC):
    """Plays rounds of a game that it knows only by its turns."""

    contract: ClassVar = {"round": STATS}

    def __init__(self, problem: Problem) -> None:
        self.turns, self.optimizers = problem.turns, problem.optimizers
        self.autocast, self.watch, self.division = problem.autocast, problem.watch, problem.division

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
        """Return the loss of a turn on a batch that is not divided any further, and what the turn reports."""
        with self.autocast():
            return checked_turn(self.turns[name].loss, batch)

    def gradients(self, name: str, batch: Batch) -> tuple[Tensor, Stats]:
        """Leave d loss / d parameters in ``.grad`` of the turn's own parameters, and of no others.

        A gradient whose norm is not finite becomes 0 and thus never reaches the parameters.

        Returns:
            The loss, and the numbers to log, see ``turn_stats``.
        """
        parameters = list(self.turns[name].parameters)

        def of_part(part: Batch) -> Computed:
            loss, stats = self.loss(name, part)
            for parameter in parameters:
                parameter.grad = None
            loss.backward(inputs=parameters)
            return Computed(loss, stats, [parameter.grad for parameter in parameters])

        loss, stats, gradients = self.over_parts(batch, of_part)
        reported = self.turn_stats(name, loss, stats, gradients)
        for parameter, gradient in zip(parameters, zero_unless_finite(gradients, reported[f"grad_norm/{name}"]), strict=True):
            parameter.grad = gradient
        return reported[f"loss/{name}"], reported

    def value(self, name: str, batch: Batch) -> Tensor:
        """Return the loss of a turn."""
        return self.over_parts(batch, lambda part: Computed(self.loss(name, part)[0].detach(), {})).loss

    def over_parts(self, batch: Batch, compute: Callable[[Batch], Computed]) -> Computed:
        """Return the mean over the parts of ``batch`` of what ``compute`` returns for each of them."""
        return self.division.mean(self.division.each(batch, compute))

    def turn_stats(self, name: str, loss: Tensor, stats: Stats, gradients: Sequence[Tensor | None]) -> Stats:
        """Return the numbers to log under their final names, and show loss and gradient to ``watch``.

        They are ``loss/<turn>``, ``grad_norm/<turn>`` (L2 over all of the turn's parameters), and the turn's own numbers, as
        ``<number>/<turn>`` unless their names contain a slash already.
        """
        always = {f"loss/{name}": loss.detach(), f"grad_norm/{name}": total_norm(gradients)}
        for tag, value in always.items():
            self.watch(tag, value)
        return always | {key if "/" in key else f"{key}/{name}": value.detach() for key, value in stats.items()}

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
            require_fitting(optimizer)


def require_fitting(optimizer: Optimizer) -> None:
    """Check the state that an optimizer has loaded, which it would not use before its next step.

    Raises:
        ValueError: If a setting or an entry of the state cannot be one of this optimizer and these parameters.
    """
    for group in optimizer.param_groups:
        for name, default in optimizer.defaults.items():
            if not _is_alike(group.get(name, ...), default):
                raise ValueError(f"the optimizer's {name} is missing or of another kind than {default}")
    entries: dict[int, set[str]] = {}
    for parameter, state in optimizer.state.items():
        for name, value in state.items() if isinstance(state, dict) else [("", ...)]:
            if not isinstance(value, Tensor | int | float | list | NoneType):
                raise ValueError(f"the optimizer's state {name} is of the wrong kind")
        if state and entries.setdefault(parameter.ndim, set(state)) != set(state):
            raise ValueError("the optimizer's state has other entries for one parameter than for the others")


def _is_alike(value: Any, default: Any) -> bool:
    if isinstance(default, list | tuple):
        return isinstance(value, list | tuple) and len(value) == len(default) and all(map(_is_alike, value, default))
    if isinstance(default, bool | NoneType):
        return isinstance(value, bool | NoneType | int | float)
    return isinstance(value, int | float | Tensor) if isinstance(default, int | float) else value is not ...


@torch.no_grad()
def total_norm(gradients: Sequence[Tensor | None]) -> Tensor:
    """Return the L2 norm of all gradients together; None counts as 0."""
    norms = torch._foreach_norm([gradient for gradient in gradients if gradient is not None])
    return torch.linalg.vector_norm(torch.stack(norms)) if norms else torch.tensor(0.0)


def zero_unless_finite(gradients: Sequence[Tensor | None], norm: Tensor) -> list[Tensor | None]:
    """Return the gradients unchanged if their ``norm`` is finite, else zeros.

    On a GPU nothing waits for the norm: the choice is made there.
    """
    if norm.device.type == "cpu" and math.isfinite(norm.item()):  # the usual case, without a pass over the gradients
        return list(gradients)
    finite = norm.isfinite()
    return [None if gradient is None else torch.where(finite, gradient, 0.0) for gradient in gradients]
