"""The networks of a run that are exported, with an example of what goes in and what comes out."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.games.calls import first_calls
from gan_cli.games.protocols import HasPanels
from gan_cli.games.sampling import cycling_labels, eval_mode
from gan_cli.inference.load import LoadedRun
from gan_cli.models.base import Denoiser
from gan_cli.models.conditional import looks_at_labels
from gan_cli.randomness import fork_rng

ROWS = 3
"""Number of samples in an example."""
GIVEN, EMPTY = "given", "empty"
"""Arguments of a network: an input of the exported one, or latents without numbers, which a translator takes."""


class Adapter(nn.Module):
    """A network as a function of its tensors alone.

    Args:
        network: The network, copied, with its parametrizations (spectral norm) computed once and for all.
        arguments: For each argument ``GIVEN``, ``EMPTY`` or None.
    """

    def __init__(self, network: nn.Module, arguments: Sequence[str | None]) -> None:
        super().__init__()
        self.network, self.arguments = plain_copy(network), tuple(arguments)

    def forward(self, *inputs: Tensor) -> Tensor:
        left = iter(inputs)
        empty = inputs[0].new_zeros(inputs[0].shape[0], 0)
        given = [next(left) if word == GIVEN else empty if word == EMPTY else None for word in self.arguments]
        found: Tensor = self.network(*given)
        return found


class Composition(nn.Module):
    """Several players that make a sample together, G(z, y) as one network.

    Args:
        game: The game.
        players: The players that samples pass through; the others are left out.
    """

    def __init__(self, game: Game, players: Sequence[str]) -> None:
        super().__init__()
        self.game = plain_copy(game)
        for name, player in self.game.players().items():
            if name not in players and getattr(self.game, name, None) is player:
                setattr(self.game, name, nn.Identity())

    def forward(self, *inputs: Tensor) -> Tensor:
        found: Tensor = self.game.sample(*inputs)
        return found


@dataclass(frozen=True)
class Network:
    """A network to be exported.

    Attributes:
        name: Name of its file: the player's, or ``sampler`` for several players that make a sample together.
        module: A function of its inputs alone.
        inputs: Examples of its inputs by name, ``ROWS`` samples each.
        makes_samples: True if its output is samples.
        draws: True if it draws random numbers itself, as dropout does that is active after training.
    """

    name: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    makes_samples: bool
    draws: bool

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return the output for these inputs, with the same draws each time."""
        return seeded(self.module, *inputs)


def seeded(function: Callable[..., Any], *inputs: Tensor, seed: str = "export") -> Tensor:
    """Return the output of a function whose draws are those of ``seed``."""
    with fork_rng(seed, torch.device("cpu")), torch.no_grad():
        found: Tensor = function(*inputs)
        return found


@dataclass(frozen=True)
class Call:
    """One call of a player: its module, its arguments by name, its output."""

    module: nn.Module
    arguments: Mapping[str, Any]
    output: Any


def sampled_players(run: LoadedRun) -> list[str]:
    """Return the players that a sample passes through, in their order.

    Raises:
        UserError: If samples pass through none.
    """
    calls, _ = watched(run)
    found = [name for name, (_, sampling) in calls.items() if sampling]
    if not found:
        raise UserError("the samples of this game are made by no network, so that there is nothing to export.")
    return found


def chosen_players(run: LoadedRun, players: Sequence[str] | None) -> list[str]:
    """Return the players that are asked for, by default those that samples pass through.

    Raises:
        UserError: If there is no such player.
    """
    own = run.game.players()
    if players is None:
        return sampled_players(run)
    for player in players:
        if player not in own:
            raise UserError(f"players: this game has no player {player!r}. It has {', '.join(own)}.")
    return [*players]


def networks(run: LoadedRun, players: Sequence[str] | None, separate: bool) -> list[Network]:
    """Return the networks that are asked for.

    Args:
        run: The run.
        players: Players by name. None: whatever makes samples.
        separate: True for a network for each player, also where several make a sample together.

    Raises:
        UserError: If there is no such player, or no pass of the game shows what goes into it.
    """
    chosen = chosen_players(run, players)
    calls, (inputs, x) = watched(run)
    if players is None and len(chosen) > 1 and not separate:
        return [_network("sampler", Composition(run.game, chosen), inputs, True)]
    found = []
    for player in chosen:
        if player not in calls:
            raise UserError(f"players: {player} has no inputs of its own that could be shown. Leave it out.")
        call, _ = calls[player]
        arguments = [_kind(name, value, call.module) for name, value in call.arguments.items()]
        given = {name: value for (name, value), kind in zip(call.arguments.items(), arguments, strict=True) if kind == GIVEN}
        makes = isinstance(call.output, Tensor) and torch.equal(call.output.float(), x.float())
        found.append(_network(player, Adapter(call.module, arguments), given, makes))
    return found


def _network(name: str, module: nn.Module, inputs: Mapping[str, Tensor], makes_samples: bool) -> Network:
    module = module.eval().requires_grad_(False)
    draws = not torch.equal(seeded(module, *inputs.values()), seeded(module, *inputs.values(), seed="other"))
    return Network(name, module, inputs, makes_samples, draws)


def _kind(name: str, value: Any, network: nn.Module) -> str | None:
    """Return what becomes of an argument that a game has passed to a network."""
    if not isinstance(value, Tensor):
        return None
    takes_labels = looks_at_labels(network) or (isinstance(network, Denoiser) and network.classes > 0)
    if name == "y" and value.ndim == 1 and not takes_labels:
        return None
    return GIVEN if value.numel() else EMPTY


def watched(run: LoadedRun) -> tuple[dict[str, tuple[Call, bool]], tuple[dict[str, Tensor], Tensor]]:
    """Return the first call of each player, and whether a sample passes through it, with the inputs and outputs of a sample."""
    game = run.game
    with fork_rng("export", game.device), eval_mode(game):
        z = game.latents(ROWS)
        y = cycling_labels(ROWS, run.classes) if run.source is None else 2 * torch.rand(ROWS, *run.source) - 1
        with first_calls(game.players(), _call) as calls:
            x = game.sample(z, y)
            sampling = {*calls}
            if isinstance(game, HasPanels):
                game.panels(z, y)
            critic = game.critic(y)
            if critic is not None:
                critic(x)
    inputs = {"z": z} if y is None or not game.conditional else {"z": z, "y": y}
    return {name: (call, name in sampling) for name, call in calls.items()}, (inputs, x)


def _call(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Call:
    arguments = inspect.signature(module.forward).bind(*args, **kwargs).arguments
    return Call(module, {key: _copy(value) for key, value in arguments.items()}, _copy(output))


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def plain_copy(module: nn.Module) -> Any:
    """Return a copy in which every parametrized weight, as of spectral norm, has become a plain one."""
    copy = deepcopy(module).eval()
    for part in copy.modules():
        parametrizations: Any = part.parametrizations if parametrize.is_parametrized(part) else {}
        if parametrizations:  # the class, which the copy shares with the original, would lose the weight's property
            own = {key: value for key, value in vars(type(part)).items() if key not in ("__dict__", "__weakref__")}
            part.__class__ = type(type(part).__name__, type(part).__bases__, own)
        for name in list(parametrizations):
            parametrize.remove_parametrizations(part, name, leave_parametrized=True)
    return copy
