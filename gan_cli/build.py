"""Build the parts of a run from its config; the only module that makes components."""

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, get_type_hints

from omegaconf import DictConfig
from torch import Tensor, channels_last, nn
from torch import device as Device

from gan_cli.augmentations.base import Augmentation
from gan_cli.config import suggestions
from gan_cli.config.compose import compose, loader
from gan_cli.config.instantiate import RESERVED, Role, instantiate, target_of
from gan_cli.data.base import Data
from gan_cli.data.images.reading import decoding_postponed
from gan_cli.data.translation.degradations import Degradation
from gan_cli.diagnostics.base import Diagnostics
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.games.compiled import CompiledPlayers
from gan_cli.games.frozen import moving_turns, require_player
from gan_cli.games.generator_game import NORMAL, IndependentLatents
from gan_cli.games.objective import Objective, Part
from gan_cli.loggers.base import Logger
from gan_cli.losses.base import Loss
from gan_cli.metrics.base import Metric
from gan_cli.metrics.features.base import Features
from gan_cli.models.base import UnfitModel
from gan_cli.parallel.batch_norm import share_statistics
from gan_cli.parallel.division import Division
from gan_cli.parallel.ranks import here
from gan_cli.precision import autocast
from gan_cli.randomness import random_state, set_random_state
from gan_cli.regularizers.base import Regularizer
from gan_cli.schedules.averages import Averaging, Decay
from gan_cli.schedules.following import GROUPS, Following, laws_in, variants, with_numbers
from gan_cli.schedules.learning_rates import LearningRateSchedule
from gan_cli.schedules.length import FORESEEN, last_round, with_end
from gan_cli.schedules.turns import Schedule, Without, batches_of_turns
from gan_cli.solvers.base import Problem, Solver, unwatched, with_scaled_losses
from gan_cli.solvers.optimizers import build_optimizers

GIVEN: Mapping[str, Callable[[DictConfig, int], Any]] = {
    "objective": lambda cfg, classes: build_objective(cfg),
    "classes": lambda cfg, classes: classes,
}
"""Arguments that a game's constructor may take beside networks and its own keys, and how each is made."""
PARTS: Mapping[Part, Callable[[DictConfig], dict[str, Any]]] = {
    "loss": lambda cfg: {"loss": make(cfg, "loss", Loss)},
    "regularizer": lambda cfg: {
        "regularizers": {str(name): make(cfg, f"regularizer.{name}", Regularizer) for name in cfg.regularizer}
    },
    "augmentation": lambda cfg: {"augmentation": make(cfg, "augmentation", Augmentation)},
}
"""Config groups that make up a game's objective, and the fields of ``Objective`` that each of them makes."""
SIMPLE_MODELS = ("model=mlp_small", "model=mlp", "model=cgan_mlp", "model=recurrent", "model=cgan", "model=rcgan_labels")
"""Models that are proposed if the chosen one does not fit and the game accepts them."""
BROUGHT_BY_GAMES = {"denoiser"}  # players whose networks no option of model brings along, only a game
WITHIN = {Solver: Solver, Data: Degradation, Metric: Metric}
"""Role of nested nodes: a solver wraps another solver, a translation task has a degradation, a metric consists of others."""


class Parts(NamedTuple):
    """The parts that a config names, ready to be used."""

    data: Data
    game: Game
    solver: Solver
    schedule: Without
    last: int | None
    """The last round. None: the time decides."""
    idle: Sequence[str]
    """Turns that are not played in this run, because they come after its last round."""
    learning_rate: LearningRateSchedule
    averaging: Averaging
    following: Callable[[list[float], Callable[[int], object]], Following]
    """Makes what sets the numbers that follow laws, given the learning rates of all parameter groups and what sets them."""
    metric: Metric
    diagnostics: Diagnostics


def build(
    cfg: DictConfig,
    device: Device,
    watch: Callable[[str, Tensor], None] = unwatched,
    check: Callable[[Parts], object] = lambda parts: None,
) -> Parts:
    """Build all parts of a training job; players are initialized on the CPU, so that they are the same on every device.

    Args:
        cfg: The config.
        device: Device of the players.
        watch: Is shown every loss and every norm of a gradient, see ``Problem``.
        check: Is called with the parts of a run whose images have not been decoded yet, and raises if they do not fit.
    """
    before = random_state(device)
    with decoding_postponed() as postponed:
        data = build_data(cfg)
    parts = _parts(cfg, data, device, watch)
    if postponed:  # everything fits without the decoded images, so that decoding, which may take hours, is not in vain
        check(parts)
        set_random_state(before, device)
        parts = _parts(cfg, build_data(cfg), device, watch)
    return parts


def _parts(cfg: DictConfig, data: Data, device: Device, watch: Callable[[str, Tensor], None]) -> Parts:
    laws = laws_in(cfg)
    if here().count > 1 and (timed := [key for key, law in laws.items() if law.unit == "minutes"]):
        raise UserError(f"{timed[0]}.unit=minutes: processes have clocks of their own. Take images or rounds, or processes=1.")
    others, cfg = variants(cfg, laws), with_numbers(cfg, laws)
    game_class(cfg).check(data)
    game = build_game(cfg, data.shape, data.classes, data.source).to(device)
    turns = moving_turns(game, cfg.frozen)
    if here().count > 1 and cfg.batch_norm == "whole":
        share_statistics(game)
    division = Division(cfg.train.accumulate, game, device, here())
    optimizers, batches = build_optimizers(cfg, game, turns), batches_of_turns(cfg.train.generator_batches, game.turns())
    context, compiled = autocast(device, cfg.precision), CompiledPlayers(game) if cfg.compile else None
    problem = Problem(turns, optimizers, context, watch, division, batches=batches, compiled=compiled)
    solver = make(cfg, "solver", Solver, with_scaled_losses(problem, device) if cfg.precision == "fp16" else problem)
    schedule = Without(make(cfg, "schedule", Schedule), frozenset(game.turns()) - frozenset(turns))
    last = last_round(cfg.train, schedule, data.train)
    orders = schedule.orders(FORESEEN if last is None else last)
    for order in orders:  # now, not when that round comes
        solver.check(order)
    idle = [name for name in turns if name not in {*chain(*orders)}]
    learning_rate = make(with_end(cfg, last), "learning_rate", LearningRateSchedule)
    averaging = build_averaging(cfg)
    following = partial(Following, cfg, laws, game, averaging, solver)
    for other in others:  # every number that a law comes to must be allowed
        build_objective(other)
        build_optimizers(other, game, turns)
        build_averaging(other)
    metric, diagnostics = build_metric(cfg), build_diagnostics(cfg)
    return Parts(data, game, solver, schedule, last, idle, learning_rate, averaging, following, metric, diagnostics)


def build_data(cfg: DictConfig) -> Data:
    """Build the data set, which comes first and tells the models their shape and classes."""
    return make(cfg, "dataset", Data)


def build_averaging(cfg: DictConfig) -> Averaging:
    """Build the averages of the players; without an average a plain copy of them is kept."""
    return Decay(0.0) if cfg.ema is None else make(cfg, "averaging", Averaging)


def build_metric(cfg: DictConfig) -> Metric:
    """Build the metric with its feature extractor."""
    return make(cfg, "metric", Metric, features=make(cfg, "features", Features))


def build_diagnostics(cfg: DictConfig) -> Diagnostics:
    """Return the diagnostics that the config names."""
    return make(cfg, "diagnostics", Diagnostics)


def build_loggers(cfg: DictConfig) -> dict[str, Logger]:
    """Return the loggers that the config names, by name; none of them has been opened."""
    return {str(name): make(cfg, f"logger.{name}", Logger) for name in cfg.logger}


def build_game(cfg: DictConfig, shape: tuple[int, ...], classes: int, source: tuple[int, ...] | None = None) -> Game:
    """Build the game with the networks, the objective and the number of classes that its constructor asks for by name.

    Args:
        cfg: The config, whose memory format is that of the networks.
        shape: Shape of the samples.
        classes: Number of classes of the data, 0 if there are none.
        source: Shape of what is translated into samples, for networks whose constructors ask for it.

    Raises:
        UserError: If the model has no networks for some players, or a regularizer names a player that the game does not have.
    """
    try:
        game = _build_game(cfg, shape, classes, source)
        return game.to(memory_format=channels_last) if cfg.get("memory_format") == "channels_last" else game
    except UnfitModel as error:
        fitting = ", ".join(name for name in SIMPLE_MODELS if _can_play(cfg, name, shape, classes, source))
        advice = f"{error.hint} {f'Models that fit: {fitting}.' if fitting else ''}".strip()
        raise UserError(f"{error.problem}\n{advice or 'Choose another data set or another game.'}") from error


def _can_play(cfg: DictConfig, model: str, shape: tuple[int, ...], classes: int, source: tuple[int, ...] | None) -> bool:
    """Return whether the game of ``cfg`` can be built with another model, such as ``model=mlp``."""
    other = cfg.copy()
    other.model = compose(loader(), "train", [model]).model
    with suppress(UserError):
        return isinstance(_build_game(other, shape, classes, source), Game)
    return False


def _build_game(cfg: DictConfig, shape: tuple[int, ...], classes: int, source: tuple[int, ...] | None) -> Game:
    wanted = needs(cfg)
    parts: dict[str, Any] = {
        player: build_player(cfg, f"model.{player}", classes, *game_class(cfg).shapes(player, shape, source))
        for player in map(str, cfg.model)
        if player in wanted
    }
    if unknown := [name for name in map(str, cfg.game) if name not in (*wanted, *RESERVED)]:
        raise suggestions.unknown_key(f"game.{unknown[0]}", ["game", *(f"game.{name}" for name in wanted)])
    if lacking := [player for player, needed in wanted.items() if needed and player not in (*parts, *cfg.game, *GIVEN)]:
        raise UserError(
            f"game={game_class(cfg).__name__}: this model has no networks for: {', '.join(lacking)}.\n"
            "Choose a model that is made for this game. What is no network is a key of the game's yaml."
        )
    parts |= {name: part(cfg, classes) for name, part in GIVEN.items() if name in wanted}
    game: Game = make(cfg, "game", Game, **parts)
    if cfg.latent != NORMAL:
        if not isinstance(game, IndependentLatents):
            raise UserError(f"latent={cfg.latent}: {type(game).__name__} draws latents of its own law. Leave it out.")
        game.set_latent(cfg.latent)
    known = {name for player in game.players() for name in game.regularized_as(player)}
    for key, regularizer in game.objective.regularizers.items():
        for name in regularizer.players:
            require_player(game, name, f"regularizer.{key}.players=[{name}]", *known)
    return game


def build_objective(cfg: DictConfig) -> Objective:
    """Build the loss, regularizers and augmentation that the game uses; others, and nodes that are None, stay neutral."""
    used = (name for name in game_class(cfg).uses if cfg[name] is not None)
    return Objective(**{field: part for name in used for field, part in PARTS[name](cfg).items()})


def build_player(cfg: DictConfig, key: str, classes: int, shape: tuple[int, ...], source: tuple[int, ...] | None) -> nn.Module:
    """Build the network at ``key`` for data of this form."""
    takes_source = "source" in inspect.signature(target_of(cfg, key, nn.Module)).parameters
    return make(cfg, key, nn.Module, shape=shape, classes=classes, **({"source": source} if takes_source else {}))


def game_class(cfg: DictConfig) -> type[Game]:
    """Return the class of the game, also if a function makes it."""
    target: Any = target_of(cfg, "game", Game)
    kind: type[Game] = target if isinstance(target, type) else get_type_hints(target)["return"]
    return kind


def needs(cfg: DictConfig) -> dict[str, bool]:
    """Return the arguments of the game's constructor, and whether each is required."""
    parameters = inspect.signature(target_of(cfg, "game", Game)).parameters
    return {name: parameter.default is parameter.empty for name, parameter in parameters.items()}


def refuse_unused(cfg: DictConfig, named: Collection[str]) -> None:
    """Check that the game uses everything that the command line names.

    Args:
        cfg: The config.
        named: Groups and keys of the command line, such as ``loss``, ``loss.margin`` or ``model/generator``.

    Raises:
        UserError: If the game does not use one of them.
    """
    if "ema" in named and cfg.ema is not None and "decay" not in cfg.averaging:
        raise UserError(f"ema={cfg.ema}: the average follows averaging.images. Leave ema out, or take averaging=decay.")
    used = uses(cfg)
    takes = ", ".join(name for name, is_used in used.items() if is_used) or "none of these"
    used["model"] = any(used[f"model/{player}"] for player in cfg.model if player not in BROUGHT_BY_GAMES)
    for key in sorted({_group(name) for name in named}):
        if not used.get(key, True):
            words = game_class(cfg).instead.get(key)
            advice = f"This plays the like with any {key}: {words}." if words else "Leave it out, or choose another game."
            raise UserError(
                f"{key} is named, but the game {target_of(cfg, 'game', Game).__name__} does not use it.\n"
                f"{advice} Of {', '.join(PARTS)} and model this one takes: {takes}."
            )


def _group(name: str) -> str:
    """Return the group of a key of the command line: ``loss`` for ``loss.margin``, ``model/d`` for ``model.d.width``."""
    group, _, rest = name.partition(".")
    return f"model/{rest.partition('.')[0]}" if group == "model" and rest else group


def uses(cfg: DictConfig) -> dict[str, bool]:
    """Return, for each group that not every game uses, whether this game does."""
    wanted = needs(cfg)
    used = game_class(cfg).uses if "objective" in wanted else ()
    return {name: name in used for name in PARTS} | {f"model/{player}": player in wanted for player in cfg.model}


def make(cfg: DictConfig, key: str, role: type[Role], *args: Any, **known: Any) -> Role:
    """Return the component at ``key``, a ``role``, see ``instantiate``."""
    if key.partition(".")[0] in GROUPS:
        cfg = with_numbers(cfg, laws_in(cfg, key))
    return instantiate(cfg, key, role, WITHIN.get(role, nn.Module), *args, **known)
