"""Numbers of a run that follow laws: where they stand in a config, and how they are set before each round."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from gan_cli.config.instantiate import instantiate, keys_that_make
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.schedules.averages import Averaging
from gan_cli.schedules.laws import Law, Progress
from gan_cli.solvers.base import Solver
from gan_cli.types import Stats

GROUPS = ("loss", "regularizer", "augmentation", "game", "optimizer", "averaging")
"""The config groups whose numbers may follow laws."""
Setter = Callable[[float], None]


def laws_in(cfg: DictConfig, *places: str) -> dict[str, Law]:
    """Return the laws of a config, or of the nodes at ``places``, by the dotted keys of the numbers that follow them.

    A setting of an optimizer that each player takes over has a key for each of them, such as ``optimizer.generator.lr``.
    """
    keys = [key for place in places or GROUPS for key in keys_that_make(cfg, place, Law)]
    return {key: instantiate(cfg, key, Law, nn.Module) for key in keys}


def with_numbers(cfg: DictConfig, laws: Mapping[str, Law], index: int = 0) -> DictConfig:
    """Return the config with a number in place of each law: the first of its ``values``, or that at ``index`` if it has one."""
    if not laws:
        return cfg
    cfg = cfg.copy()
    for key, law in laws.items():
        parent, _, name = key.rpartition(".")
        node, values = OmegaConf.select(cfg, parent), law.values()
        node[int(name) if OmegaConf.is_list(node) else name] = values[min(index, len(values) - 1)]
    return cfg


def variants(cfg: DictConfig, laws: Mapping[str, Law]) -> list[DictConfig]:
    """Return the config with numbers in place of its laws, once for each of the ``values`` of the laws."""
    return [with_numbers(cfg, laws, index) for index in range(max((len(law.values()) for law in laws.values()), default=0))]


class Following:
    """Sets the numbers that follow laws.

    Args:
        cfg: The config with numbers in place of its laws.
        laws: Law by dotted key, see ``laws_in``.
        game: Its loss, regularizers and augmentation follow their laws, and so do numbers of its own.
        averaging: The averages of the players.
        solver: Its optimizers follow their laws.
        rates: Learning rates of the parameter groups of all its optimizers, one after another, before the factor of the
            ``learning_rate`` schedule.
        set_rates: Called with the number of rounds played if a rate has been set; it sets the rates of the next round.

    Raises:
        UserError: If a number is read only once, when its component is made.
    """

    def __init__(
        self,
        cfg: DictConfig,
        laws: Mapping[str, Law],
        game: Game,
        averaging: Averaging,
        solver: Solver,
        rates: list[float],
        set_rates: Callable[[int], object],
    ) -> None:
        self.cfg, self.laws, self.game, self.solver, self.rates = cfg, laws, game, solver, rates
        parts: dict[str, Any] = {"game": game, "augmentation": game.objective.augmentation, "averaging": averaging}
        self.fields: set[tuple[int, str]] = set()
        self.parts, self.set_rates = parts | game.objective.parts(), set_rates
        found = {key: list(self._of_groups(key) if key.startswith("optimizer.") else self._of_parts(key)) for key in laws}
        self.setters = {key: setters for key, setters in found.items() if setters}
        self.moves_rates = any(key.startswith("optimizer.") and key.endswith(".lr") for key in self.setters)

    def set(self, progress: Progress) -> Stats:
        """Set all numbers for the round that follows ``progress``, and return them as ``schedule/KEY``."""
        values = {key: self.laws[key](progress) for key in self.setters}
        for key, value in values.items():
            for set_to in self.setters[key]:
                set_to(value)
        if self.moves_rates:
            self.set_rates(progress.rounds)
        return {f"schedule/{key}": torch.tensor(value, device=self.game.device) for key, value in values.items()}

    def sets(self, part: Any, name: str) -> bool:
        """Return True if this attribute of a part follows a law."""
        return (id(part), name) in self.fields

    def _of_parts(self, key: str) -> Iterator[Setter]:
        """Yield what sets a number of a component of the game, or of the averages."""
        place, _, name = key.rpartition(".")
        part = self.parts.get(place)
        now = getattr(part, name, None)
        if not isinstance(now, float) or now != self.laws[key].values()[0]:
            raise _read_once(key)
        self.fields.add((id(part), name))
        yield partial(object.__setattr__, part, name)  # a part may be a frozen dataclass

    def _of_groups(self, key: str) -> Iterator[Setter]:
        """Yield what sets a setting in each parameter group that takes it from this key.

        A player takes the settings under its own name, and the common ones of which it has none there.
        """
        node, path = self.cfg.optimizer, key.removeprefix("optimizer.")
        place = 0
        for turn, optimizer in self.solver.optimizers.items():
            for number, player in enumerate(self.solver.turns[turn].players):
                owner = player if player in node else self.game.follows.get(player, player)
                own = node.get(owner, {})
                name, _, index = path.removeprefix(f"{owner}.").partition(".")
                if path.startswith(f"{owner}.") or (name not in own and not OmegaConf.is_dict(node.get(name))):
                    if name not in optimizer.param_groups[number]:
                        raise _read_once(key)
                    yield (
                        partial(self.rates.__setitem__, place)
                        if name == "lr"
                        else partial(self._set_in_group, turn, number, name, int(index) if index else None)
                    )
                place += 1

    def _set_in_group(self, turn: str, number: int, name: str, index: int | None, value: float) -> None:
        group = self.solver.optimizers[turn].param_groups[number]  # loading a state replaces the groups
        group[name] = value if index is None else tuple(value if i == index else v for i, v in enumerate(group[name]))


def _read_once(key: str) -> UserError:
    return UserError(
        f"{key} cannot follow a law: it is read only once, when its component is made, or is no number with a fraction.\n"
        "Give it one value."
    )
