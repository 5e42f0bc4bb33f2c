"""Everything of a training run that is in play, and all that a checkpoint holds of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from gan_cli import checkpoint, device
from gan_cli.build import build
from gan_cli.configs import threads, to_plain
from gan_cli.data.stream import Stream
from gan_cli.events import Average, SetLearningRates
from gan_cli.measuring import Measurement
from gan_cli.randomness import random_state, seed_all, set_random_state
from gan_cli.types import Batch


class Run:
    """The parts that the config names, wired together and at step 0."""

    def __init__(self, cfg: DictConfig, folder: Path) -> None:
        self.cfg, self.folder, self.step = cfg, folder, 0
        self.device = prepare(cfg)
        self.data, self.game, self.solver, self.schedule, factor, metric = build(cfg, self.device)
        self.batches = Stream(self.data.train, cfg.train.batch_size, cfg.seed, self.device)
        self.heldout = Stream(self.data.heldout, cfg.train.batch_size, cfg.seed, self.device)
        self.average = Average(self.game, cfg.ema or 0.0)
        self.set_learning_rates = SetLearningRates(self.solver, factor)
        self.choice = metric.choice()
        self.measurement = Measurement(metric, self.data, self.device)

    def state(self) -> dict[str, Any]:
        """Players, optimizers, average, data order, random streams; the config and the data's shape as plain data."""
        return {
            "config": to_plain(self.cfg),
            "data": {"shape": list(self.data.shape), "classes": self.data.classes},
            "game": self.game.state_dict(),
            "average": self.average.game.state_dict(),
            "solver": self.solver.state_dict(),
            "batches": self.batches.state_dict(),
            "random": random_state(self.device),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state`` was taken: from here on everything is equal to the bit."""
        with checkpoint.fitting(self.folder):
            self.game.load_state_dict(state["game"])
            self.average.game.load_state_dict(state["average"])
            self.solver.load_state_dict(state["solver"])
        self.batches.load_state_dict(state["batches"])
        set_random_state(state["random"], self.device)
        self.step = state["step"]

    def heldout_batch(self, step: int) -> Batch:
        """The held-out batch that belongs to ``step``, whether or not others were drawn before."""
        return self.data.heldout.batch(self.heldout.indices(step)).to(self.device)


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
