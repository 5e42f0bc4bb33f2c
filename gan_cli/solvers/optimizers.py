"""The optimizers of a game's turns, made from the ``optimizer`` node of a config."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch import nn
from torch.optim import Optimizer

from gan_cli.config.instantiate import instantiate
from gan_cli.errors import UserError
from gan_cli.games.base import Game, Turn
from gan_cli.games.frozen import require_player


def build_optimizers(cfg: DictConfig, game: Game, turns: Mapping[str, Turn]) -> dict[str, Optimizer]:
    """Build one optimizer for each turn, with one parameter group per player.

    The settings of a player are the common fields of ``optimizer``, overridden by those under the player's name.

    Raises:
        UserError: If the config names a player that the game does not have, or players of one turn cannot share an optimizer.
    """
    node = cfg.optimizer
    common = {key: node[key] for key in node if not OmegaConf.is_dict(node[key])}
    for name in map(str, set(node) - set(common)):
        if any(common.get(key) != value for key, value in node[name].items()):
            require_player(game, name, f"optimizer.{name}", *game.follows.values())
    players = {player for turn in turns.values() for player in turn.players}
    own = {player: node.get(player, node.get(game.follows.get(player, player), {})) for player in players}
    settings = {player: {**common, **own[player]} for player in players}
    return {name: build_optimizer(turn, settings) for name, turn in turns.items()}


def build_optimizer(turn: Turn, settings: Mapping[str, Mapping[str, Any]]) -> Optimizer:
    """Build the optimizer of a turn: that of its first player, joined by the parameter groups of the others."""
    (first, optimizer), *others = (
        (player, instantiate(OmegaConf.create({"optimizer": settings[player]}), "optimizer", Optimizer, nn.Module, parameters))
        for player, parameters in turn.players.items()
    )
    for player, other in others:
        for key in dict.fromkeys((*settings[first], *settings[player])):
            ours, theirs = settings[first].get(key), settings[player].get(key)
            if ours != theirs and key not in optimizer.defaults:
                raise UserError(
                    f"optimizer.{player}.{key}={theirs}: {first} moves in the same turn and has {key}={ours}.\n"
                    "Give both the same: they share one optimizer, and only settings of its groups, such as lr, may differ."
                )
        optimizer.add_param_group(other.param_groups[0])
    return optimizer
