"""Players of another run that a new run begins with."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig
from torch import Tensor, nn

from gan_cli.config.identity import flat, to_plain
from gan_cli.data.base import Data
from gan_cli.errors import UserError, shortened_list
from gan_cli.export import stored
from gan_cli.games.base import Game
from gan_cli.runs import checkpoint
from gan_cli.runs.folder import run_folder


def load_players(game: Game, cfg: DictConfig, data: Data) -> list[str]:
    """Load the players that ``init_from`` and ``init_players`` name into ``game``, as far as their weights fit.

    They are the trained players, or with ``init_average`` the averaged ones; a file of gan-export holds one of the two.

    Args:
        game: The game whose players are loaded.
        cfg: The config of the new run.
        data: Its data.

    Returns:
        A line for each player of which a part stays as it was initialized.

    Raises:
        UserError: If there is no such run or player, the file holds no averaged player where one is wanted, or no weight of a
            player fits; the message names what differs.
    """
    source, players = cfg.init_from, cfg.init_players
    if source is None:
        if players is not None or cfg.init_average:
            key = "init_average" if players is None else "init_players"
            raise UserError(f"{key} needs init_from: name the run or checkpoint to load them from, init_from=RUN_DIR.")
        return []
    path = Path(source)
    if exported := path.exists() and stored.is_exported(path):
        state: Mapping[str, Any] | None = stored.load_state(path, players, cfg.init_average)
    else:
        state = checkpoint.load(path) if path.is_file() else checkpoint.newest(run_folder(path))
    if state is None:
        raise UserError(f"init_from={source}: this run holds no checkpoint yet.")
    own = game.players()
    entries = state["ema" if cfg.init_average else "game"]
    weights = {name: weights_of(game, network, entries) for name, network in own.items()}
    lines = []
    if exported and players is None:
        players = [name for name in own if weights[name]]
    for player in own if players is None else players:
        if not weights.get(player):
            common = ", ".join(sorted(name for name, entries in weights.items() if entries))
            raise UserError(
                f"init_from={source}: both games must have a player {player!r}. They have in common: {common or 'none'}."
            )
        fit = Fit.of(own[player], weights[player])
        if not fit.has_weights:
            advice = "Make them equal, or name the players that fit in init_players=[...]."
            raise unlike(f"init_from={source}", player, state, cfg, data, advice)
        with checkpoint.fitting(path):
            own[player].load_state_dict({**own[player].state_dict(), **fit.taken})
        if fit.left:
            lines.append(f"init_from: {fit.in_words(player)}")
    return lines


class Fit(NamedTuple):
    """The weights of another run's player that fit a player.

    Attributes:
        taken: The entries that fit, under the player's keys.
        left: What does not fit, in words.
        has_weights: True if a weight matrix is among the entries that fit, or all that the player has.
    """

    taken: Mapping[str, Tensor]
    left: Sequence[str]
    has_weights: bool

    @classmethod
    def of(cls, player: nn.Module, weights: Mapping[str, Tensor]) -> "Fit":
        """Compare the entries by name and shape; a weight that is parametrized, as by spectral norm, keeps its name."""
        own, there = player.state_dict(), {_plain(key): tensor for key, tensor in weights.items()}
        known = {key: there[_plain(key)] for key in own if _plain(key) in there}
        taken = {key: entry for key, entry in known.items() if alike(entry, own[key])}
        left = [
            f"{_plain(key)} {f'is {_size(known[key])} there and {_size(own[key])} here' if key in known else 'is new'}"
            for key in own
            if key not in taken
        ]
        left += [f"{key} has no place here" for key in there.keys() - {_plain(key) for key in own}]
        matrices = [key for key in own if isinstance(own[key], Tensor) and own[key].ndim > 1] or list(own)
        return cls(taken, left, any(key in taken for key in matrices))

    def in_words(self, player: str) -> str:
        """Return the number of entries that fit and the first ones that do not, in one line."""
        return f"{len(self.taken)} tensors of {player} fit and are taken; not taken: {shortened_list(sorted(self.left), 6)}"


def _plain(key: str) -> str:
    """Return the key of an entry as it would be without a parametrization."""
    return re.sub(r"parametrizations\.(\w+)\.original$", r"\1", key)


def _size(entry: Any) -> str:
    return "x".join(map(str, getattr(entry, "shape", ()))) or "a number"


def alike(a: Any, b: Any) -> bool:
    """Return True if one entry of a state can take the place of the other."""
    return a.shape == b.shape if isinstance(a, Tensor) and isinstance(b, Tensor) else type(a) is type(b)


def weights_of(game: Game, player: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the entries of ``state``, the state of a game, that belong to this player of ``game``, under the player's keys."""
    place = next((f"{name}." for name, module in game.named_modules() if module is player), None)
    if place is not None:
        return {key.removeprefix(place): value for key, value in state.items() if key.startswith(place)}
    # its parameters belong to the game directly
    keys = {id(tensor): key for key, tensor in game.state_dict(keep_vars=True).items()}
    entries = {name: keys[id(tensor)] for name, tensor in player.state_dict(keep_vars=True).items()}
    return {name: state[key] for name, key in entries.items() if key in state}


def unlike(said: str, player: str, state: Mapping[str, Any], cfg: DictConfig, data: Data, advice: str) -> UserError:
    """Return the error about a player none of whose weights fits, which names what differs between the two runs."""
    found = [*_unlike_data(state["data"], data), *_unlike_networks(player, state["config"], to_plain(cfg))]
    more = f"; {len(found) - 4} more" if len(found) > 4 else ""
    why = "; ".join(found[:4]) or "the code of its network has changed"
    return UserError(f"{said}: its {player} does not fit this run: {why}{more}.\n{advice}")


def _unlike_data(there: Mapping[str, Any], here: Data) -> Iterator[str]:
    """Yield the properties of the data that networks depend on and that differ, as ``10 classes there, 3 here``."""
    if there["classes"] != here.classes:
        yield f"{there['classes'] or 'no'} classes there, {here.classes or 'none'} here"
    for name, old, new in (("samples", there["shape"], here.shape), ("sources", there["source"], here.source)):
        if old is None or new is None:
            continue
        if len(old) == len(new) == 3:
            if old[1:] != [*new[1:]]:
                yield f"{name} of {old[1]} px there, {new[1]} px here"
            if old[0] != new[0]:
                yield f"{name} of {old[0]} channel{'s' * (old[0] > 1)} there, {new[0]} here"
        elif old != [*new]:
            yield f"{name} of shape {old} there, {[*new]} here"


def _unlike_networks(player: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of the networks that differ, and the regularizers, which may change networks."""
    nodes = f"model.{player}" if {player} <= there["model"].keys() & here["model"].keys() else "model"
    old, new = ({key: value for key, value in flat(node).items() if key.startswith(nodes)} for node in (there, here))
    for key in {**new, **old}:
        if old.get(key) != new.get(key):
            name = key.removesuffix("._target_")
            yield f"{name} {_shown(old.get(key))} there, {_shown(new.get(key))} here"
    names = [", ".join(node["regularizer"]) for node in (there, here)]
    if names[0] != names[1]:
        yield f"regularizer {names[0]} there, {names[1]} here"


def _shown(value: Any) -> str:
    """Return a value of a config; of a dotted path the last part."""
    return "not set" if value is None else str(value).rpartition(".")[2] if isinstance(value, str) else str(value)
