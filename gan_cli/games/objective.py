"""The objective of a game: loss, regularizers and augmentation, and the state that they may keep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol, runtime_checkable

from gan_cli.augmentations.base import Augmentation
from gan_cli.augmentations.none import NoAugmentation
from gan_cli.losses.base import Loss
from gan_cli.regularizers.base import Regularizer
from gan_cli.types import Stateful

Part = Literal["loss", "regularizer", "augmentation"]
"""A config group that a game may or may not use, see ``Game.uses``."""


@runtime_checkable
class FollowsRounds(Protocol):
    """A loss, regularizer or augmentation that depends on the round, such as a weight that is annealed."""

    def begin_round(self, step: int) -> None:
        """Take note that round ``step`` (from 1) begins; called once per round, also for the first round after a resume."""


@dataclass(frozen=True)
class Objective:
    """The parts of the config that decide what the players of a game minimize.

    Attributes:
        loss: Loss of discriminator and generator; None in a game that does not use the config's loss.
        regularizers: Name in the config -> regularizer; each says which players it acts on.
        augmentation: Transformation of everything that the discriminator sees. It is a module: a game registers it, so that
            its buffers are in the game's state.
    """

    loss: Loss | None = None
    regularizers: Mapping[str, Regularizer] = field(default_factory=dict)
    augmentation: Augmentation = field(default_factory=NoAugmentation)

    def parts(self) -> dict[str, Loss | Regularizer]:
        """Return the loss and the regularizers by their config keys, such as ``regularizer.r1``."""
        loss: dict[str, Loss | Regularizer] = {} if self.loss is None else {"loss": self.loss}
        return loss | {f"regularizer.{name}": regularizer for name, regularizer in self.regularizers.items()}

    @cached_property
    def followers(self) -> tuple[FollowsRounds, ...]:
        """The parts that are told before each round that it begins."""
        return tuple(part for part in (*self.parts().values(), self.augmentation) if isinstance(part, FollowsRounds))

    def state_dict(self) -> dict[str, Mapping[str, Any]]:
        """Return the state of each part that is ``Stateful``, by config key."""
        return {key: part.state_dict() for key, part in self.parts().items() if isinstance(part, Stateful)}

    def load_state_dict(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Restore the state of each part that is ``Stateful``.

        Raises:
            KeyError: If ``state`` lacks one of them.
        """
        for key, part in self.parts().items():
            if isinstance(part, Stateful):
                part.load_state_dict(state[key])
