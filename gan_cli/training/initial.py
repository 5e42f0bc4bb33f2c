"""Players of another run that a new run begins with."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import Tensor, nn

from gan_cli.config.identity import flat, to_plain
from gan_cli.data.base import Data
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.runs import checkpoint
from gan_cli.runs.folder import run_folder


def load_players(game: Game, cfg: DictConfig, data: Data) -> None:
    """Load the players that ``init_from`` and ``init_players`` name into ``game``: the trained ones, not the averaged ones.

    Args:
        game: The game whose players are loaded.
        cfg: The config of the new run.
        data: Its data.

    Raises:
        UserError: If there is no such run or player, or the weights do not fit; the message names what differs.
    """
    source, players = cfg.init_from, cfg.init_players
    if source is None:
        if players is not None:
            raise UserError("init_players needs init_from: name the run or checkpoint to load them from, init_from=RUN_DIR.")
        return
    path = Path(source)
    state = checkpoint.load(path) if path.is_file() else checkpoint.newest(run_folder(path))
    if state is None:
        raise UserError(f"init_from={source}: this run holds no checkpoint yet.")
    own = game.players()
    weights = {name: weights_of(game, network, state["game"]) for name, network in own.items()}
    for player in own if players is None else players:
        if not weights.get(player):
            common = ", ".join(sorted(name for name, entries in weights.items() if entries))
            raise UserError(
                f"init_from={source}: both games must have a player {player!r}. They have in common: {common or 'none'}."
            )
        if _shapes(weights[player]) != _shapes(own[player].state_dict()):
            _refuse_unlike(player, state, cfg, data)
        with checkpoint.fitting(path):
            own[player].load_state_dict(weights[player])


def weights_of(game: Game, player: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the entries of ``state``, the state of a game, that belong to this player of ``game``, under the player's keys."""
    place = next((f"{name}." for name, module in game.named_modules() if module is player), None)
    if place is not None:
        return {key.removeprefix(place): value for key, value in state.items() if key.startswith(place)}
    # its parameters belong to the game directly
    keys = {id(tensor): key for key, tensor in game.state_dict(keep_vars=True).items()}
    entries = {name: keys[id(tensor)] for name, tensor in player.state_dict(keep_vars=True).items()}
    return {name: state[key] for name, key in entries.items() if key in state}


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, Sequence[int]]:
    return {name: tensor.shape for name, tensor in weights.items()}


def _refuse_unlike(player: str, state: Mapping[str, Any], cfg: DictConfig, data: Data) -> None:
    """Refuse to load a player if the data or the networks of the two runs differ.

    Raises:
        UserError: If they do.
    """
    found = [*_unlike_data(state["data"], data), *_unlike_networks(player, state["config"], to_plain(cfg))]
    if found:
        more = f"; {len(found) - 4} more" if len(found) > 4 else ""
        raise UserError(
            f"init_from={cfg.init_from}: its {player} does not fit this run: {'; '.join(found[:4])}{more}.\n"
            "Make them equal, or name the players that fit in init_players=[...]."
        )


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
