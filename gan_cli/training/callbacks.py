"""Callbacks that steer a run: learning rates, logging, divergence, checkpoints and signals.

A callback is called after a round with the step and the statistics of that round.
"""

import math
import signal
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_cli.errors import Diverged, Interrupted, Stopped
from gan_cli.games.base import Game
from gan_cli.runs import checkpoint, signals
from gan_cli.runs.folder import resume_command
from gan_cli.runs.logger import RunLogger
from gan_cli.schedules.learning_rates import LearningRateSchedule
from gan_cli.solvers.base import Solver
from gan_cli.training.clock import Elapsed, Stopwatch
from gan_cli.training.loop import End
from gan_cli.types import Stats

MAX_PENDING_ROUNDS = 100
"""Number of rounds whose statistics may wait on the device before they are fetched."""


class ScheduleLearningRates:
    """Sets the learning rates of the next round after each round; the optimizers' states hold them.

    Args:
        solver: Its optimizers are scheduled; their rates at construction are the base rates.
        factor: Step -> factor on the base rates.
    """

    def __init__(self, solver: Solver, factor: LearningRateSchedule) -> None:
        self.solver, self.factor = solver, factor
        self.rates = [group["lr"] for group in self.groups()]
        self(0)

    def groups(self) -> list[dict[str, Any]]:
        """Return all parameter groups; not cached, because loading a state replaces them."""
        return [group for optimizer in self.solver.optimizers.values() for group in optimizer.param_groups]

    def __call__(self, step: int, stats: Stats | None = None) -> None:
        for group, rate in zip(self.groups(), self.rates, strict=True):
            group["lr"] = rate * self.factor(step + 1)


class LogStats:
    """Logs the statistics of the rounds, and stops the run at the first one that is not finite.

    Statistics stay on the device and are fetched together. At every ``period``-th step (0: never) and at the last step, those
    of the current round are logged with ``time/samples_per_second``, ``time/waiting_share``, ``time/seconds`` and the costs.
    Every ``MAX_PENDING_ROUNDS``-th step they are fetched anyway.

    Args:
        logger: Receives the numbers.
        period: Rounds between logged numbers.
        end: The end of the run.
        samples: Returns the number of samples drawn for all turns so far.
        watched: Losses and norms of gradients of the current round that ``stats`` may lack, by tag, in the order in which they
            were computed: those of half steps, and of all but the last of several equal turns. Emptied after each round.
        elapsed: Returns the seconds since the run began. None: it begins now.
        clock: Measures the time spent in rounds; to be stopped before and started after other callbacks.
        costs: Returns the costs of the rounds so far by tag.
        waited: Returns the seconds in which the rounds so far have waited for data.

    Attributes:
        latest: The newest numbers by tag.
    """

    def __init__(
        self,
        logger: RunLogger,
        period: int,
        end: End,
        samples: Callable[[], int],
        watched: list[tuple[str, Tensor]] | None = None,
        elapsed: Callable[[], float] | None = None,
        clock: Stopwatch | None = None,
        costs: Callable[[], Mapping[str, float]] = dict,
        waited: Callable[[], float] = float,
    ) -> None:
        self.logger, self.period, self.end, self.samples = logger, period, end, samples
        self.elapsed, self.clock, self.costs = elapsed or Elapsed(), clock or Stopwatch(), costs
        self.watched = [] if watched is None else watched
        self.pending: list[tuple[int, str, Tensor]] = []
        self.latest: dict[str, float] = {}
        self.waited = waited
        self.counted, self.waited_before = samples(), waited()

    def is_logged(self, step: int) -> bool:
        """Return True if the numbers of round ``step`` are logged."""
        return self.end.reached(step) or bool(self.period and step % self.period == 0)

    def looks_at(self, step: int) -> bool:
        """Return True if the numbers of round ``step`` may be logged or shown; only losses and norms are needed of the others.

        A run that ends when its time is used up may log any round: each may be the last one.
        """
        return self.end.last is None or self.is_logged(step) or step % MAX_PENDING_ROUNDS == 0

    def __call__(self, step: int, stats: Stats) -> None:
        self.pending += [(step, name, value) for name, value in (*self.watched, *stats.items())]
        self.watched.clear()
        if self.looks_at(step):
            values = self.check()  # waits for the device, which is part of the time of the rounds
            self.latest = dict(zip(stats, values[len(values) - len(stats) :], strict=True))
        if self.is_logged(step):
            self.clock.split()
            seconds, samples, waited = max(self.clock.lap(), 1e-9), self.samples(), self.waited()
            self.latest["time/samples_per_second"] = (samples - self.counted) / seconds
            self.latest["time/waiting_share"] = round(min(1.0, (waited - self.waited_before) / seconds), 4)
            self.counted, self.waited_before = samples, waited
            self.logger.numbers(step, {**self.latest, "time/seconds": round(self.elapsed(), 3), **self.costs()})

    def log_costs(self, step: int, stats: Stats | None = None) -> None:
        """Log the costs of a step whose numbers are not logged."""
        if not self.is_logged(step):
            self.logger.numbers(step, self.costs())

    def check(self) -> list[float]:
        """Return the pending statistics.

        Raises:
            Diverged: At the first one that is not finite.
        """
        if not self.pending:  # no turn was played
            return []
        values: list[float] = torch.stack([value.float() for _, _, value in self.pending]).tolist()
        for (step, name, _), value in zip(self.pending, values, strict=True):
            if not math.isfinite(value):
                raise Diverged(f"{name} became {value} at step {step}: training has diverged.")
        self.pending.clear()
        return values


class DivergenceGuard:
    """Stops the run before players with non-finite numbers are measured, drawn or saved.

    Raises:
        Diverged: If a statistic, a parameter, a buffer or a tensor in the solver's state, such as a moment, is not finite.
    """

    def __init__(self, game: Game, solver: Solver, log_stats: LogStats) -> None:
        self.game, self.solver, self.log_stats = game, solver, log_stats

    def __call__(self, step: int, stats: Stats | None = None) -> None:
        self.log_stats.check()
        for name, tensor in (*tensors_in(self.game.state_dict()), *tensors_in(self.solver.state_dict(), "solver.")):
            if not bool(tensor.isfinite().all()):
                raise Diverged(f"{name} is no longer finite at step {step}: training has diverged.")


def tensors_in(state: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in nested mappings and sequences, with their dotted paths."""
    entries = state.items() if isinstance(state, Mapping) else enumerate(state) if isinstance(state, list | tuple) else ()
    for key, value in entries:
        if isinstance(value, Tensor):
            yield f"{prefix}{key}", value
        else:
            yield from tensors_in(value, f"{prefix}{key}.")


class SaveCheckpoint:
    """Writes a checkpoint of the whole run if its players are good.

    Args:
        folder: Folder of the run.
        state: Returns the state to save: tensors and plain data.
        guard: Called with the step before every checkpoint; raises if the players are not finite, for instance.
        logger: Flushed before every checkpoint.
        keep: Number of newest checkpoints to keep; at least two are kept. None: all.
        best: Step -> the steps of the checkpoints that are kept beside them, this one included if it is to be written.
    """

    def __init__(
        self,
        folder: Path,
        state: Callable[[], Mapping[str, Any]],
        guard: Callable[[int], None],
        logger: RunLogger,
        keep: int | None,
        best: Callable[[int], Collection[int]] = lambda step: (),
    ) -> None:
        self.folder, self.state, self.guard, self.logger, self.keep = folder, state, guard, logger, keep
        self.best = best
        self.saved_step = -1

    def __call__(self, step: int, stats: Stats | None = None) -> None:
        if step == self.saved_step:
            return
        self.guard(step)
        self.logger.flush()  # first: a run that continues from this checkpoint does not log again what lies before it
        checkpoint.save(self.folder, step, self.state(), self.keep, self.best(step))
        self.saved_step = step

    def if_best(self, step: int, stats: Stats | None = None) -> None:
        """Write a checkpoint if this step is one of the best ones."""
        if step in self.best(step):
            self(step)


class StopOnSignal:
    """Stops the run after the current round on a signal, with a checkpoint; a later SIGINT interrupts at once.

    Args:
        save_checkpoint: Writes the checkpoint.
        announce: Called at the first signal.
    """

    def __init__(self, save_checkpoint: SaveCheckpoint, announce: Callable[[], None] = lambda: None) -> None:
        self.save_checkpoint, self.announce, self.received = save_checkpoint, announce, 0

    def __call__(self, step: int, stats: Stats) -> None:
        if self.received:
            self.save_checkpoint(step)
            folder = self.save_checkpoint.folder
            raise Stopped(f"stopped at step {step}. Continue with: {resume_command(folder)}", self.received)

    def listening(self) -> AbstractContextManager[Any]:
        """Receive the signals inside the context."""
        return signals.received_by(self.receive)

    def receive(self, number: int) -> None:
        """Note the first signal; interrupt at another SIGINT."""
        if self.received and number == signal.SIGINT:
            raise Interrupted(number)
        self.received = self.received or number
        self.announce()
