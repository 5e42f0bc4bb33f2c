"""Time: the loop, the order of turns in a round, what happens every so often, and learning-rate decay."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.solvers.base import Solver
from gan_cli.types import Batch, Stats

Schedule = Callable[[int], Sequence[str]]
"""step (from 1) -> the players in the order in which they take their turns in that round."""

Event = Callable[[int, Stats], None]
"""What happens after a round: (step, what the round reported)."""


def train(
    solver: Solver, batches: Iterator[Batch], schedule: Schedule, steps: int, events: Iterable[Event], start: int = 0
) -> None:
    """Plays the rounds start + 1 ... steps; after each one the events happen in their order."""
    for step in range(start + 1, steps + 1):
        stats = solver.round(schedule(step), batches)
        for event in events:
            event(step, stats)


@dataclass(frozen=True)
class Every:
    """Lets ``action`` happen at every ``period``-th step (0: never) and at step ``last``."""

    period: int
    action: Event
    last: int = 0

    def __call__(self, step: int, stats: Stats) -> None:
        if step == self.last or (self.period and step % self.period == 0):
            self.action(step, stats)


@dataclass(frozen=True)
class CriticRounds:
    """``n_critic`` discriminator turns, then one generator turn.

    The WGAN authors' code trains its critic longer, ``warmup_critic`` = 100 turns, in the first ``warmup_rounds`` = 25 rounds
    and in every ``warmup_every`` = 500th; the paper does not, and neither does this unless asked to (both are 0).
    """

    n_critic: int = 1
    warmup_critic: int = 100
    warmup_rounds: int = 0
    warmup_every: int = 0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            checks.count(f"schedule.{name}", value, least=0)

    def __call__(self, step: int) -> Sequence[str]:
        warm = step <= self.warmup_rounds or (self.warmup_every and step % self.warmup_every == 0)
        return ["discriminator"] * (self.warmup_critic if warm else self.n_critic) + ["generator"]


@dataclass(frozen=True)
class InOrder:
    """The same turns in every round, ``players`` by name; none where a game only measures."""

    players: list[str]

    def __post_init__(self) -> None:
        if not isinstance(self.players, list) or not all(isinstance(player, str) for player in self.players):
            raise UserError(f"schedule.players={self.players!r}: it must be a list of players, for instance [theta,phi].")

    def __call__(self, step: int) -> Sequence[str]:
        return list(self.players)


@dataclass(frozen=True)
class Phases:
    """One order of turns after another. ``phases``: name -> ``{rounds, players}``; rounds null: for ever, the last one only."""

    phases: dict[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.phases, dict) or not self.phases:
            raise UserError(
                f"schedule.phases={self.phases!r}: it must have a phase, as in first: {{rounds: 100, players: [d]}}."
            )
        *earlier, last = self.phases.items()
        for name, phase in (*earlier, last):
            if not isinstance(phase, dict) or set(phase) != {"rounds", "players"}:
                raise UserError(f"schedule.phases.{name} must have rounds and players, and nothing else.")
            if phase["rounds"] is not None or name != last[0]:
                checks.count(f"schedule.phases.{name}.rounds", phase["rounds"], least=0)
            InOrder(phase["players"])

    def __call__(self, step: int) -> Sequence[str]:
        end = 0
        for phase in self.phases.values():
            end += phase["rounds"] or 0
            if step <= end or phase["rounds"] is None:
                return list(phase["players"])
        return list(phase["players"])  # a last phase that was counted stays


@dataclass(frozen=True)
class LearningRate:
    """Factor on every player's learning rate: 1, always. A schedule of rates overrides the call."""

    def __call__(self, step: int) -> float:
        return 1.0


@dataclass(frozen=True)
class LinearDecay(LearningRate):
    """1 up to step ``start``, then linearly down to 0 after step ``end`` (WGAN-GP, SNGAN and CycleGAN, each with its own)."""

    start: int
    end: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            checks.count(f"learning_rate.{name}", value, least=0)

    def __call__(self, step: int) -> float:
        if step <= self.start:
            return 1.0
        return max(0.0, 1 - (step - 1 - self.start) / max(1, self.end - self.start))


@dataclass(frozen=True)
class WarmUp(LearningRate):
    """Linearly up to 1 in step ``steps``, and 1 from there on: ``step`` / ``steps`` (Ho et al., 2020, published code)."""

    steps: int

    def __post_init__(self) -> None:
        checks.count("learning_rate.steps", self.steps)

    def __call__(self, step: int) -> float:
        return min(1.0, step / self.steps)


@dataclass(frozen=True)
class SecondHalf(LearningRate):
    """1 up to the middle, then linearly down to 0 after step ``end``, as pix2pix's and CycleGAN's published code has it."""

    end: int

    def __post_init__(self) -> None:
        checks.count("learning_rate.end", self.end, least=0)

    def __call__(self, step: int) -> float:
        return LinearDecay(self.end // 2, self.end)(step)
