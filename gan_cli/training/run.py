"""Everything of a training run that is in play, and all that a checkpoint holds of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from gan_cli import device
from gan_cli.build import build
from gan_cli.config.identity import to_plain
from gan_cli.data.stream import Stream
from gan_cli.device import threads
from gan_cli.errors import UserError
from gan_cli.evaluation.measurement import Measurement
from gan_cli.games.base import Game
from gan_cli.randomness import random_state, seed_all, set_random_state
from gan_cli.runs import checkpoint
from gan_cli.runs.folder import run_folder
from gan_cli.training.callbacks import EMA, ScheduleLearningRates
from gan_cli.types import Batch


class Run:
    """The parts that the config names, wired together and at step 0."""

    def __init__(self, cfg: DictConfig, folder: Path) -> None:
        self.cfg, self.folder, self.step = cfg, folder, 0
        self.device = prepare(cfg)
        parts = build(cfg, self.device)
        self.data, self.game, self.diagnostics = parts.data, parts.game, parts.diagnostics
        self.solver, self.schedule, self.idle = parts.solver, parts.schedule, parts.idle
        freeze_norm_statistics(self.game, cfg.frozen)
        self.batches = Stream(self.data.train, cfg.train.batch_size, cfg.seed, self.device)
        self.heldout = Stream(self.data.heldout, cfg.train.batch_size, cfg.seed, self.device)
        self.ema = EMA(self.game, cfg.ema or 0.0)
        self.set_learning_rates = ScheduleLearningRates(self.solver, parts.learning_rate)
        self.metric_description = parts.metric.describe(self.data)
        self.measurement = Measurement(parts.metric, self.data, self.device)

    def begin(self) -> None:
        """A fresh run's first act: the players that ``init_from`` names take the weights they have there."""
        begin_with(self.game, self.cfg.init_from, self.cfg.init_players)
        self.ema.game.load_state_dict(self.game.state_dict())

    def state(self) -> dict[str, Any]:
        """Players, optimizers, average, data order, random streams; the config and what the data is as plain data."""
        return {
            "config": to_plain(self.cfg),
            "data": self.data.to_dict(),
            "game": self.game.state_dict(),
            "ema": self.ema.game.state_dict(),
            "solver": self.solver.state_dict(),
            "batches": self.batches.state_dict(),
            "random": random_state(self.device),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state`` was taken: from here on everything is equal to the bit.

        Raises UserError where the players do not fit, or the data is not what it was.
        """
        if not self.data.matches(state["data"]):
            raise UserError(
                f"the data of {self.folder} has changed since its checkpoint was written: other samples, columns or ranges.\n"
                "The run cannot continue on it as if nothing had happened. dataset.root or dataset.path say where it has moved."
            )
        with checkpoint.fitting(self.folder):
            self.game.load_state_dict(state["game"])
            self.ema.game.load_state_dict(state["ema"])
            self.solver.load_state_dict(state["solver"])
        self.batches.load_state_dict(state["batches"])
        set_random_state(state["random"], self.device)
        self.step = state["step"]

    def heldout_batch(self, step: int) -> Batch:
        """The held-out batch that belongs to ``step``, whether or not others were drawn before."""
        return self.data.heldout.batch(self.heldout.indices(step)).to(self.device)


def begin_with(game: Game, source: str | None, players: Sequence[str] | None) -> None:
    """Gives ``players`` of ``game`` (None: all) the weights that they have in ``source``, a run or a checkpoint.

    They are the trained ones, not the averaged. Raises UserError where there is no such run or player, or they do not fit.
    """
    if source is None:
        if players is not None:
            raise UserError("init_players says whose weights, but not whence: give init_from=RUN_DIR too.")
        return
    path = Path(source)
    state = checkpoint.load(path) if path.is_file() else checkpoint.newest(run_folder(path))[0]
    if state is None:
        raise UserError(f"init_from={source}: this run holds no checkpoint yet.")
    own = {name: player for name, player in game.named_children() if player.state_dict()}
    for player in own if players is None else players:
        weights = {
            key.removeprefix(f"{player}."): value for key, value in state["game"].items() if key.startswith(f"{player}.")
        }
        if player not in own or not weights:
            there = {key.partition(".")[0] for key in state["game"]} & set(own)
            raise UserError(
                f"init_from={source}: no player {player!r} in common. There is: {', '.join(sorted(there)) or 'none'}."
            )
        with checkpoint.fitting(path):
            own[player].load_state_dict(weights)


def freeze_norm_statistics(game: Game, players: Sequence[str]) -> None:
    """Puts networks that only the turns of ``players``, who never come, would move in eval mode: no statistics run either."""
    turns = game.turns()
    parameters = {name: {id(parameter) for parameter in turn.parameters} for name, turn in turns.items()}
    resting = set().union(*(parameters[name] for name in players))
    moving = set().union(*(own for name, own in parameters.items() if name not in players))
    for network in game.children():
        own = {id(parameter) for parameter in network.parameters()}
        if own and own <= resting - moving:
            network.eval()


def prepare(cfg: DictConfig) -> torch.device:
    """A fresh start, whatever ran in this process before: device, threads, determinism and every random stream."""
    place = device.choose(cfg.device)
    if (count := threads()) is not None:
        torch.set_num_threads(count)
    torch.use_deterministic_algorithms(cfg.deterministic, warn_only=True)
    torch.backends.cudnn.deterministic = cfg.deterministic
    torch.backends.cudnn.benchmark = not cfg.deterministic
    seed_all(cfg.seed)
    return place
