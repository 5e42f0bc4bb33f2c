"""The order of turns in each round."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, ClassVar

from gan_cli import checks
from gan_cli.contracts import Contract, instance_of
from gan_cli.errors import FieldError, UserError


class Schedule(Contract, ABC):
    """Maps a round's number to the turns played in it, in order."""

    contract: ClassVar = {"__call__": instance_of(Sequence, "a list of names of turns")}

    @abstractmethod
    def __call__(self, step: int) -> Sequence[str]:
        """Return the names of the turns of round ``step`` (from 1), in the order in which they are played."""

    def orders(self, steps: int) -> set[tuple[str, ...]]:
        """Return every order of turns that rounds 1 to ``steps`` have. Subclasses may know them without going through all."""
        return {tuple(self(step)) for step in range(1, steps + 1)}


@dataclass(frozen=True)
class AlternatingOrder(Schedule):
    """``n_critic`` turns of the critic, then one turn of the generator.

    The WGAN authors' code trains its critic longer, for 100 turns, in the first 25 rounds and in every 500th round. The paper
    does not, and neither does the default.

    Args:
        n_critic: Critic turns in an ordinary round.
        warmup_critic: Critic turns in a warm-up round.
        warmup_rounds: Number of warm-up rounds at the start.
        warmup_every: Every so many rounds there is a warm-up round; 0 for none.
        critic: Name of the turn that is repeated.
        generator: Name of the turn that follows.
    """

    n_critic: int = 1
    warmup_critic: int = 100
    warmup_rounds: int = 0
    warmup_every: int = 0
    critic: str = "discriminator"
    generator: str = "generator"

    def __post_init__(self) -> None:
        for name in ("n_critic", "warmup_critic", "warmup_rounds", "warmup_every"):
            checks.count(name, getattr(self, name), least=0)

    def __call__(self, step: int) -> Sequence[str]:
        warm = step <= self.warmup_rounds or (self.warmup_every and step % self.warmup_every == 0)
        return [self.critic] * (self.warmup_critic if warm else self.n_critic) + [self.generator]

    def orders(self, steps: int) -> set[tuple[str, ...]]:
        # of each of the two orders one of these rounds is the first, so that no others need be looked at
        first = self.warmup_rounds + 1
        return {tuple(self(step)) for step in {1, first, first + 1, self.warmup_every} if 1 <= step <= steps}


@dataclass(frozen=True)
class FixedOrder(Schedule):
    """The same turns in every round.

    Args:
        players: Names of the turns, in order; none for a game that only measures.
    """

    players: list[str]

    def __post_init__(self) -> None:
        if not isinstance(self.players, list) or not all(isinstance(player, str) for player in self.players):
            raise FieldError("players", self.players, "it must be a list of turns, for instance [theta,phi].")

    def __call__(self, step: int) -> Sequence[str]:
        return list(self.players)

    def orders(self, steps: int) -> set[tuple[str, ...]]:
        return super().orders(min(steps, 1))


@dataclass(frozen=True)
class Phases(Schedule):
    """One order of turns after another.

    Args:
        phases: Name -> ``{rounds, players}``: the number of rounds, and the names of the turns in each of them. The last phase
            never ends; its rounds may be null.
    """

    phases: dict[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.phases, dict) or not self.phases:
            raise FieldError("phases", self.phases, "it needs a phase, such as first: {rounds: 100, players: [generator]}.")
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
        return list(phase["players"])  # the last phase never ends

    def orders(self, steps: int) -> set[tuple[str, ...]]:
        ends = accumulate((phase["rounds"] or 0 for phase in self.phases.values()), initial=0)
        return {tuple(self(end + 1)) for end in ends if end < steps}


@dataclass(frozen=True)
class Without(Schedule):
    """Another schedule without some turns, those that are left out because nothing moves in them."""

    schedule: Schedule
    turns: frozenset[str]

    def __call__(self, step: int) -> Sequence[str]:
        return [name for name in self.schedule(step) if name not in self.turns]

    def orders(self, steps: int) -> set[tuple[str, ...]]:
        return {tuple(name for name in order if name not in self.turns) for order in self.schedule.orders(steps)}


def batches_of_turns(generator_batches: int, turns: Collection[str]) -> dict[str, int]:
    """Return the number of batches of the turns that take more than one.

    Raises:
        UserError: If the game has no turn of the generator.
    """
    if generator_batches > 1 and "generator" not in turns:
        raise UserError(
            f"train.generator_batches={generator_batches}: this game has no turn named generator, only {', '.join(turns)}.\n"
            "Leave it out; train.batch_size holds for all turns."
        )
    return {"generator": generator_batches} if generator_batches > 1 else {}
