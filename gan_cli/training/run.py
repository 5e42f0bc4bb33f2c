"""The state of a training run: its parts, and its checkpoints."""

import math
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from gan_cli import device
from gan_cli.build import Parts, build, build_loggers
from gan_cli.config.identity import to_plain
from gan_cli.config.locations import location_key
from gan_cli.data.base import Data
from gan_cli.data.stream import Stream
from gan_cli.device import threads
from gan_cli.errors import TooFewSamples, UserError
from gan_cli.evaluation.counts import check_counts
from gan_cli.evaluation.measurement import Measurement
from gan_cli.games.frozen import freeze_statistics
from gan_cli.metrics.base import Metric, NoMetric
from gan_cli.parallel import placement
from gan_cli.parallel.division import require_equal_parts
from gan_cli.parallel.ranks import here
from gan_cli.precision import matrix_products
from gan_cli.randomness import random_state, seed_all, set_random_state
from gan_cli.runs import best, checkpoint
from gan_cli.runs.origin import first_step
from gan_cli.schedules.laws import Progress
from gan_cli.training.callbacks import ScheduleLearningRates
from gan_cli.training.clock import Stopwatch
from gan_cli.training.costs import Costs
from gan_cli.training.early_stopping import EarlyStopping
from gan_cli.training.ema import EMA
from gan_cli.training.initial import load_players
from gan_cli.training.loop import End, TimeLimit
from gan_cli.training.pruning import Pruner, Pruning
from gan_cli.types import Batch, Stateful, Stats


class Run:
    """The parts that the config names, connected and at step 0.

    Args:
        cfg: The whole config of the run.
        folder: Folder of the run.
        named: The keys that the command line names. A metric among them is refused if there are too few samples for it; one
            that the data set or an experiment brings along is left out.
        pruner: Judges the run by the other runs of a search. None: the run is never pruned.

    Attributes:
        step: Number of rounds played.
        n_best: Number of best checkpoints that are kept.
        last: The last round that is planned. None: the time decides.
        end: The end of the run.
        loggers: The loggers by name, not opened yet.
        first: Number of rounds that had been played when the run began: 0, or those of the run that it goes on from.
        origin: The record of the run that it goes on from; empty unless it has just begun there.
        typed: True if the command line names the metric.
        device: Device of the players.
        data: The data set.
        game: The players that are being trained.
        ema: The averaged players.
        solver: Takes the steps of a round.
        watched: Every loss and every norm of a gradient since the list was emptied, by tag.
        schedule: Step -> the order of turns.
        idle: Players without a turn in this run.
        batches: Training batches without end.
        heldout: Held-out batches; not used if nothing is held out.
        diagnostics: Measures of the players.
        remembering: Parts beside the objective and the data set that may have a state, by config key.
        measurement: The metric over the data.
        metric_lines: The metric, and what cannot be measured of it, for the console.
        set_learning_rates: Callback that sets the learning rates.
        following: Sets the numbers that follow laws.
        clock: The time spent in rounds.
        costs: The images and FLOPs of the rounds so far.
        early_stopping: Ends the run if its metric no longer improves.
        pruning: Ends the run if its search prunes it.
    """

    def __init__(self, cfg: DictConfig, folder: Path, named: Collection[str] = (), pruner: Pruner | None = None) -> None:
        self.cfg, self.folder, self.step = cfg, folder, 0
        self.n_best = cfg.keep_best or (0 if cfg.early_stopping is None else 1)
        if cfg.early_stopping is not None and not cfg.eval_every:
            raise UserError(f"early_stopping={cfg.early_stopping} needs evaluations in the course of the run: eval_every=N.")
        self.loggers = build_loggers(cfg)
        self.first, self.origin = first_step(cfg), dict[str, Any]()
        self.typed = "metric" in {key.partition(".")[0] for key in named}
        self.device = prepare(cfg)
        self.watched: list[tuple[str, Tensor]] = []
        parts = build(cfg, self.device, lambda name, value: self.watched.append((name, value)), self._check)
        self.data, self.game, self.diagnostics = parts.data, parts.game, parts.diagnostics
        self.solver, self.schedule, self.idle = parts.solver, parts.schedule, parts.idle
        self.last, self.end, self.clock = parts.last, End(parts.last), Stopwatch()
        epoch = None if self.data.train.unlimited else len(self.data.train)
        self.costs = Costs(self.schedule, cfg.train.batch_size, epoch, here().count)
        self.time_limit = self._time_limit()
        freeze_statistics(self.game, cfg.frozen)
        balanced = cfg.train.batches == "balanced"
        self.batches = Stream(
            self.data.train, cfg.train.batch_size, cfg.seed, self.device, balanced=balanced, memory_format=cfg.memory_format
        )
        self.heldout = Stream(self.data.shown, cfg.train.batch_size, cfg.seed, self.device)
        self.ema = EMA(self.game, parts.averaging, lambda: (self.costs.images - self.costs.latest, self.costs.latest))
        self.set_learning_rates = ScheduleLearningRates(self.solver, parts.learning_rate)
        self.following = parts.following(self.set_learning_rates.rates, self.set_learning_rates)
        self.measurement, self.metric_lines = measure_with(parts.metric, self.data, self.device, self.typed)
        higher_is_better = self.measurement.metric.higher_is_better
        self.early_stopping = EarlyStopping(self.end, cfg.early_stopping, higher_is_better)
        self.pruning = Pruning(self.end, self.first, pruner, higher_is_better)
        if self.n_best and self.ranking is None:
            raise _no_ranking(cfg)
        self.remembering: dict[str, Any] = {"metric": self.measurement.metric, "schedule": parts.schedule.schedule}
        self.remembering |= {"learning_rate": parts.learning_rate, "averaging": parts.averaging}
        self._remembered: Mapping[str, Any] = {}

    def _time_limit(self) -> TimeLimit:
        """Return what ends the run when its time is used up; a run with another budget has time without limit."""
        train = self.cfg.train
        if train.processor_minutes is not None:
            return TimeLimit(self.end, lambda: self.clock.processor_seconds, 60 * train.processor_minutes)
        return TimeLimit(self.end, lambda: self.clock.seconds, math.inf if train.minutes is None else 60 * train.minutes)

    def computing(self) -> AbstractContextManager[None]:
        """Return the context of a round: what products of float32 matrices are computed in."""
        return matrix_products(self.device, self.cfg.precision)

    def _check(self, parts: Parts) -> None:
        """Check what needs no pixels: the players of ``init_from``, and that there is a metric with enough samples."""
        if self.typed:
            check_counts(parts.metric, parts.data)
        if self.n_best and not parts.metric.n_samples:
            raise _no_ranking(self.cfg)
        if self.cfg.resume is None:
            load_players(parts.game, self.cfg, parts.data)

    def initialize_players(self) -> list[str]:
        """Load the players that ``init_from`` names into a new run; without it they keep their initial weights.

        Returns:
            Lines for the console about weights that do not fit.
        """
        lines = load_players(self.game, self.cfg, self.data)
        self.ema.game.load_state_dict(self.game.state_dict())
        return lines

    def state(self) -> dict[str, Any]:
        """Return everything that a checkpoint holds: players, optimizers, average, data order, random streams, costs, config
        and a description of the data, as tensors and plain data.
        """
        return {
            "config": to_plain(self.cfg),
            "data": self.data.to_dict(),
            "game": self.game.state_dict(),
            "ema": self.ema.game.state_dict(),
            "objective": self.game.objective.state_dict(),
            "solver": self.solver.state_dict(),
            "parts": {key: part.state_dict() for key, part in self.stateful().items()},
            "batches": self.batches.state_dict(),
            "costs": self.costs.state_dict(),
            "clock": self.clock.state_dict(),
            "early_stopping": self.early_stopping.state_dict(),
            "last": self.last,
            "random": random_state(self.device),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state``; everything that follows is equal to the bit.

        Args:
            state: The content of a checkpoint.

        Raises:
            UserError: If the players do not fit, or the data has changed.
        """
        if not self.data.matches(state["data"]):
            key = location_key(self.cfg.dataset)
            moved = f" If the data has moved, set dataset.{key}." if key else ""
            raise UserError(
                f"the data of {self.folder} has changed since its checkpoint was written: other samples, columns or ranges.\n"
                f"The run cannot continue on other data.{moved}"
            )
        with checkpoint.fitting(self.folder):
            self.game.load_state_dict(state["game"])
            self.ema.game.load_state_dict(state["ema"])
            self.game.objective.load_state_dict(state["objective"])
            self.solver.load_state_dict(state["solver"])
            self.remember({key: state["parts"][key] for key in self.stateful()})
            self.batches.load_state_dict(state["batches"])
            set_random_state(state["random"], self.device)
        self.step = state["step"]
        self.restore_costs(state)
        self.early_stopping.load_state_dict(state["early_stopping"])
        self.early_stopping.stop_if_due(self.step)

    def restore_costs(self, state: Mapping[str, Any]) -> None:
        """Go on from the costs and times in the checkpoint of step ``self.step``."""
        self.costs.load_state_dict(state["costs"], self.step)
        self.clock.load_state_dict(state["clock"])
        self.time_limit(self.step)

    def spent(self) -> dict[str, float]:
        """Return the costs and times of the rounds so far by tag."""
        return {**self.costs.numbers(), **self.clock.numbers()}

    def play(self, step: int) -> Stats:
        """Play the round of this step."""
        followed = self.following.set(Progress(step - 1, self.costs.images, self.clock.seconds / 60))
        self.game.begin_round(step)
        order = self.schedule(step)
        with self.computing():
            return self.costs.round(order, lambda: self.solver.round(order, self.batches)) | followed

    def parts(self) -> dict[str, Any]:
        """Return every part that may remember something between rounds, by its key in the config or its place in the game."""
        modules = {f"game{f'.{name}' if name else ''}": module for name, module in self.game.named_modules()}
        return {**modules, **self.game.objective.parts(), "dataset": self.data.train, **self.remembering}

    def stateful(self) -> dict[str, Stateful]:
        """Return the parts beside the objective and the data set that have a state, by config key."""
        return {key: part for key, part in self.remembering.items() if isinstance(part, Stateful)}

    def remember(self, states: Mapping[str, Any]) -> None:
        """Keep the states of the remembering parts until ``recall``."""
        self._remembered = states

    def recall(self) -> None:
        """Restore the remembering parts, once nothing but training asks them any more."""
        parts = self.stateful()
        for key, state in self._remembered.items():
            parts[key].load_state_dict(state)

    @property
    def ranking(self) -> best.Ranking | None:
        """The number by which checkpoints are ranked; None if the run has none."""
        metric = self.measurement.metric
        if not (self.measurement.enabled and metric.selects_checkpoint):
            return None
        return {"tag": self.measurement.tag, "higher_is_better": metric.higher_is_better}

    def best_steps(self, step: int) -> list[int]:
        """Return the steps of the checkpoints, that of ``step`` included, which ``keep_best`` keeps beside the newest ones."""
        if self.ranking is None or not self.n_best:
            return []
        among = {*checkpoint.steps_in(self.folder), step}
        return best.best_steps(self.folder, self.ranking, self.n_best, among)

    def heldout_batch(self, step: int) -> Batch:
        """Return the held-out batch of ``step``, which does not depend on earlier calls."""
        return self.data.shown.batch(self.heldout.indices(step)).to(self.device, self.cfg.memory_format)


def measure_with(metric: Metric, data: Data, device: torch.device, typed: bool) -> tuple[Measurement, list[str]]:
    """Return the metric over the data, and lines that say what is measured and what cannot be.

    Raises:
        UserError: If the metric does not fit the data.
        TooFewSamples: If the metric needs more samples than there are and was ``typed``; otherwise nothing is measured.
    """
    try:
        measurement = Measurement(metric, data, device)
    except TooFewSamples as error:
        if typed:
            raise
        return Measurement(NoMetric(metric.features), data, device), [f"metric: none, because {error}"]
    if not measurement.enabled:
        return measurement, []
    left = measurement.metric if measurement.metric.left_out else metric
    return measurement, [left.describe(data), *measurement.limits()]


def _no_ranking(cfg: DictConfig) -> UserError:
    key, off = ("keep_best", "0") if cfg.keep_best else ("early_stopping", "null")
    return UserError(f"{key}={cfg[key]}: this run has no metric that ranks checkpoints. Name one, or {key}={off}.")


def prepare(cfg: DictConfig) -> torch.device:
    """Set device, threads, determinism and all random streams, whatever ran in this process before.

    Returns:
        The device.

    Raises:
        UserError: If there is no such device, or a batch cannot be divided as the config says.
    """
    ranks = here()
    chosen = placement.device_of(ranks, cfg.device, device.choose(cfg.device))
    require_equal_parts(cfg.train.batch_size, cfg.train.accumulate, ranks.count if ranks.count > 1 else cfg.processes)
    if (count := placement.threads_of(ranks, threads())) is not None:
        torch.set_num_threads(count)
    # torch.use_deterministic_algorithms does the same, and imports the compiler
    torch.set_deterministic_debug_mode("warn" if cfg.deterministic else "default")
    torch.backends.cudnn.deterministic = cfg.deterministic
    torch.backends.cudnn.benchmark = not cfg.deterministic
    seed_all(cfg.seed)
    return chosen
