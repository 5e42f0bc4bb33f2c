"""Frozen players and layers: the parameters that ``frozen`` names are never updated."""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from torch import nn

from gan_cli.errors import UserError, shortened_list
from gan_cli.games.base import Game, Turn

LISTED = 20
"""Number of layers that an error lists."""


def moving_turns(game: Game, frozen: Sequence[str]) -> dict[str, Turn]:
    """Return the game's turns without the ``frozen`` parameters; turns that would update nothing are left out.

    Raises:
        UserError: If a pattern fits nothing.
    """
    fixed = frozen_parameters(game, frozen)
    turns = {name: turn.without(fixed) for name, turn in game.turns().items()}
    return {name: turn for name, turn in turns.items() if turn.players}


def frozen_parameters(game: Game, frozen: Sequence[str]) -> list[nn.Parameter]:
    """Return the parameters that are meant by ``frozen``.

    Args:
        game: The game.
        frozen: Names of players, of layers as ``discriminator.body.0``, or patterns of such names as ``discriminator.body.*``.

    Raises:
        UserError: If one of them fits nothing, with the names that there are.
    """
    found: dict[int, nn.Parameter] = {}
    for pattern in frozen:
        fitting = [parameter for name, parameter in _parameters(game).items() if _fits(name, pattern)]
        if not fitting:
            raise _fits_nothing(game, pattern)
        found |= {id(parameter): parameter for parameter in fitting}
    return list(found.values())


def freeze_statistics(game: Game, frozen: Sequence[str]) -> None:
    """Put every network and layer whose parameters are all frozen into eval mode, so that batch norm keeps its statistics."""
    fixed = {id(parameter) for parameter in frozen_parameters(game, frozen)}
    for player in game.players().values():
        for module in player.modules():
            own = [id(parameter) for parameter in module.parameters()]
            if own and fixed.issuperset(own):
                module.eval()


def require_player(game: Game, name: str, key: str, *others: str) -> None:
    """Check that ``name``, which the config has at ``key``, is a player of the game or one of ``others``.

    Raises:
        UserError: If it is not, with the game's players.
    """
    if name not in (players := game.players()) and name not in others:
        raise UserError(f"{key}: this game has no such player. Its players are: {', '.join(players)}.")


def _parameters(game: Game) -> Mapping[str, nn.Parameter]:
    """Return the parameters of all players, as ``discriminator.body.0.weight``."""
    return {
        f"{player}.{name}": parameter
        for player, network in game.players().items()
        for name, parameter in network.named_parameters()
    }


def _fits(name: str, pattern: str) -> bool:
    """Return True if the parameter ``name`` is meant by ``pattern``, or lies in what it means."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _fits_nothing(game: Game, pattern: str) -> UserError:
    """Return the error about a pattern that fits no parameter, with the layers of the player that it names."""
    player = pattern.partition(".")[0]
    if player == pattern or player not in game.players():
        known = f"has no such player. Its players are: {', '.join(game.players())}."
    else:
        of_player = (name for name in _parameters(game) if name.startswith(f"{player}."))
        layers = list(dict.fromkeys(re.sub(r"(\.parametrizations\..*|\.[^.]+)$", "", name) for name in of_player))
        known = f"has no such layer. Its layers are: {shortened_list(layers, LISTED)}."
    return UserError(f"frozen=[{pattern}]: this game {known}")
