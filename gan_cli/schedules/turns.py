"""The order of turns in each round."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gan_cli import checks
from gan_cli.errors import FieldError


class Schedule(ABC):
    """Maps a round's number to the turns played in it, in order."""

    @abstractmethod
    def __call__(self, step: int) -> Sequence[str]:
        """Return the names of the turns of round ``step`` (from 1), in the order in which they are played."""


@dataclass(frozen=True)
class AlternatingOrder(Schedule):
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
            checks.count(name, value, least=0)

    def __call__(self, step: int) -> Sequence[str]:
        warm = step <= self.warmup_rounds or (self.warmup_every and step % self.warmup_every == 0)
        return ["discriminator"] * (self.warmup_critic if warm else self.n_critic) + ["generator"]


@dataclass(frozen=True)
class FixedOrder(Schedule):
    """The same turns in every round, ``players`` by name; none where a game only measures."""

    players: list[str]

    def __post_init__(self) -> None:
        if not isinstance(self.players, list) or not all(isinstance(player, str) for player in self.players):
            raise FieldError("players", self.players, "it must be a list of players, for instance [theta,phi].")

    def __call__(self, step: int) -> Sequence[str]:
        return list(self.players)


@dataclass(frozen=True)
class Phases(Schedule):
    """One order of turns after another. ``phases``: name -> ``{rounds, players}``; rounds null: for ever, the last one only."""

    phases: dict[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.phases, dict) or not self.phases:
            raise FieldError("phases", self.phases, "it must have a phase, as in first: {rounds: 100, players: [d]}.")
        *earlier, last = self.phases.items()
        for name, phase in (*earlier, last):
            if not isinstance(phase, dict) or set(phase) != {"rounds", "players"}:
                raise FieldError(f"phases.{name}", phase, "it must have rounds and players, and nothing else.")
            if phase["rounds"] is not None or name != last[0]:
                checks.count(f"phases.{name}.rounds", phase["rounds"], least=0)
            FixedOrder(phase["players"])

    def __call__(self, step: int) -> Sequence[str]:
        end = 0
        for phase in self.phases.values():
            end += phase["rounds"] or 0
            if step <= end or phase["rounds"] is None:
                return list(phase["players"])
        return list(phase["players"])  # a last phase that was counted stays


@dataclass(frozen=True)
class Without(Schedule):
    """``schedule`` without the turns of ``players``."""

    schedule: Schedule
    players: frozenset[str]

    def __call__(self, step: int) -> Sequence[str]:
        return [player for player in self.schedule(step) if player not in self.players]
