"""Solver: the base class of all solvers, and the problem that they solve."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from types import NoneType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_cli.contracts import STATS, Contract, checked_turn
from gan_cli.errors import UserError
from gan_cli.games.base import Turn
from gan_cli.games.compiled import CompiledPlayers, no_second_derivatives
from gan_cli.parallel.division import WHOLE, Computed, Division
from gan_cli.precision import LossScale
from gan_cli.types import Batch, Stats


def unwatched(name: str, value: Tensor) -> None:
    """Ignore a loss or the norm of a gradient."""


@dataclass(frozen=True)
class Problem:
    """The knowledge that a solver has of a game.

    Attributes:
        turns: Turn by name.
        optimizers: Optimizer of each turn's parameters, with one parameter group per player.
        autocast: Makes the context in which losses are computed: ``torch.autocast`` to 16 bits, or none.
        watch: Called with the tag and the value of every loss and every norm of a gradient, in the order in which they are
            computed. ``Solver.round`` reports only the last ones of each turn.
        division: Cuts the batches of the turns into parts.
        scales: Scale of each turn's loss in float16; empty in every other precision.
        batches: How many batches of data make up the batch of a turn, by the name of the turn; 1 for turns that it lacks.
        compiled: The players as losses call them. None: they are not compiled.
    """

    turns: Mapping[str, Turn]
    optimizers: Mapping[str, Optimizer]
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
    watch: Callable[[str, Tensor], None] = unwatched
    division: Division = WHOLE
    scales: Mapping[str, LossScale] = field(default_factory=dict)
    batches: Mapping[str, int] = field(default_factory=dict)
    compiled: CompiledPlayers | None = None


def with_scaled_losses(problem: Problem, device: torch.device) -> Problem:
    """Return the same problem with a scale for the loss of each turn, which declines to step where its gradient overflows."""
    scales = {name: LossScale(device) for name in problem.turns}
    turns = {
        name: turn._replace(should_step=scales[name].unless_skipped(turn.should_step)) for name, turn in problem.turns.items()
    }
    return replace(problem, turns=turns, scales=scales)


class Solver(Contract, ABC):
    """Plays rounds of a game that it knows only by its turns."""

    contract: ClassVar = {"round": STATS}
    differentiates_gradients: ClassVar[bool] = False
    """True for a solver that differentiates gradients, or losses beside ``gradients``, where float16 does not scale them."""

    def __init__(self, problem: Problem) -> None:
        if problem.compiled and self.differentiates_gradients:
            raise no_second_derivatives(f"solver {type(self).__name__}")
        if problem.scales and self.differentiates_gradients:
            raise UserError(
                f"precision=fp16: {type(self).__name__} takes derivatives of gradients, whose losses it cannot scale.\n"
                "Use precision=bf16 or precision=fp32, or solver=alternating."
            )
        self.turns, self.optimizers, self.scales = problem.turns, problem.optimizers, problem.scales
        self.autocast, self.watch, self.division = problem.autocast, problem.watch, problem.division
        self.batches, self.compiled = problem.batches, problem.compiled

    @abstractmethod
    def round(self, order: Sequence[str], batches: Iterator[Batch]) -> Stats:
        """Play one round.

        Args:
            order: Names of the turns, in the order in which they are played.
            batches: Training data; every turn draws a batch of its own, see ``draw``.

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

    def draw(self, name: str, batches: Iterator[Batch]) -> Batch:
        """Return the next batch of a turn, which may consist of several batches of the data."""
        return Batch.joined([next(batches) for _ in range(self.batches.get(name, 1))])

    def loss(self, name: str, batch: Batch) -> tuple[Tensor, Stats]:
        """Return the loss of a turn on a batch that is not divided any further, and what the turn reports."""
        turn = self.turns[name]
        with self.autocast(), nullcontext() if self.compiled is None else self.compiled.called_for(turn.parameters):
            return checked_turn(turn.loss, batch)

    def gradients(self, name: str, batch: Batch) -> tuple[Tensor, Stats]:
        """Leave d loss / d parameters in ``.grad`` of the turn's own parameters, and of no others.

        A gradient whose norm is not finite becomes 0 and thus never reaches the parameters. In float16 the loss is scaled;
        a gradient that is too large for its scale becomes 0, too, is reported as 0, and its turn declines to step.

        Returns:
            The loss, and the numbers to log, see ``turn_stats``.
        """
        parameters = list(self.turns[name].parameters)
        scale = self.scales.get(name)

        def of_part(part: Batch) -> Computed:
            loss, stats = self.loss(name, part)
            for parameter in parameters:
                parameter.grad = None
            (loss if scale is None else scale.scaled(loss)).backward(inputs=parameters)
            return Computed(loss, stats, [parameter.grad for parameter in parameters])

        loss, stats, gradients = self.over_parts(batch, of_part)
        if scale is not None:
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            scale.unscale(self.optimizers[name])
            gradients = [torch.zeros_like(parameter) if scale.skipped else parameter.grad for parameter in parameters]
            stats = {**stats, "loss_scale": loss.new_tensor(scale.factor)}
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
        scales = {"scales": {name: scale.state_dict() for name, scale in self.scales.items()}} if self.scales else {}
        return {"optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}, **scales}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
            require_fitting(optimizer)
            lay_out_as_parameters(optimizer)
        for name, scale in self.scales.items():
            scale.load_state_dict(state["scales"][name])


def lay_out_as_parameters(optimizer: Optimizer) -> None:
    """Give the state that an optimizer has loaded the memory format of its parameters, which may not be the stored one."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items() if isinstance(state, dict) else ():
            if isinstance(value, Tensor) and value.shape == parameter.shape and value.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)


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


@torch.no_grad()
def place(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Set ``parameters`` to ``values``."""
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)
