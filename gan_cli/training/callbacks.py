"""What happens after a round. Each event is called with (step, what the round reported)."""

import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.errors import Diverged, Stopped, UserError
from gan_cli.games.base import Game
from gan_cli.runs import checkpoint
from gan_cli.runs.folder import resume_command
from gan_cli.runs.logger import RunLogger
from gan_cli.schedules.learning_rates import LearningRateSchedule
from gan_cli.solvers.base import Solver
from gan_cli.types import Stats

FETCH_AT_LEAST_EVERY = 100
"""Rounds whose numbers may wait on the device, where nothing is logged."""


class EMA:
    """Exponential moving average of the whole game, always in eval mode: what is sampled, measured and drawn.

    theta_ema <- d theta_ema + (1 - d) theta with d = min(decay, (1 + t) / (10 + t)), so that the start is soon forgotten;
    decay 0 makes it a plain copy. Batch norm's running statistics are averaged with the parameters: those of the live
    players belong to other weights than the averaged ones. All other buffers are copied.
    """

    def __init__(self, game: Game, decay: float) -> None:
        if not 0 <= decay < 1:
            raise UserError(f"ema={decay} is not a decay: 0 <= ema < 1, for instance ema=0.999 (ema=null: no average).")
        self.decay = decay
        self.game = deepcopy(game).requires_grad_(False).eval()
        (self.mean, self.buffers), (self.live, self.live_buffers) = _split(self.game), _split(game)

    @torch.no_grad()
    def __call__(self, step: int, stats: Stats) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        if self.mean:  # a game that only measures has nothing to average
            torch._foreach_lerp_(self.mean, self.live, 1 - decay)
        for buffer, live in zip(self.buffers, self.live_buffers, strict=True):
            buffer.copy_(live)


def _split(game: Game) -> tuple[list[Tensor], list[Tensor]]:
    """The tensors that are averaged, and those that are copied."""
    statistics = [
        buffer
        for module in game.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        for buffer in (module.running_mean, module.running_var)
        if buffer is not None
    ]
    ids = {id(buffer) for buffer in statistics}
    return [*game.parameters(), *statistics], [buffer for buffer in game.buffers() if id(buffer) not in ids]


class ScheduleLearningRates:
    """After round t, the learning rates of round t + 1; they travel in the optimizers' own states."""

    def __init__(self, solver: Solver, factor: LearningRateSchedule) -> None:
        self.solver, self.factor = solver, factor
        self.rates = [group["lr"] for group in self.groups()]
        self(0)

    def groups(self) -> list[dict[str, Any]]:
        """All parameter groups; asked for anew each time, because loading a state replaces them."""
        return [group for optimizer in self.solver.optimizers.values() for group in optimizer.param_groups]

    def __call__(self, step: int, stats: Stats | None = None) -> None:
        for group, rate in zip(self.groups(), self.rates, strict=True):
            group["lr"] = rate * self.factor(step + 1)


class LogStats:
    """Keeps every round's numbers on the device, fetches them together, and stops the run at the first that is not finite.

    At every ``period``-th step (0: never) and at step ``last`` the round's own numbers go into the journal, with the speed
    since the last time: ``samples``, how many were drawn for all turns so far, per second of ``clock``.
    """

    def __init__(self, logger: RunLogger, period: int, last: int, samples: Callable[[], int]) -> None:
        self.logger, self.period, self.last, self.samples = logger, period, last, samples
        self.pending: list[tuple[int, Stats]] = []
        self.latest: dict[str, float] = {}
        self.clock = Stopwatch()
        self.seen = samples()

    def __call__(self, step: int, stats: Stats) -> None:
        self.pending.append((step, stats))
        if len(self.pending) >= FETCH_AT_LEAST_EVERY:
            self.check()
        if step == self.last or (self.period and step % self.period == 0):
            self.check()  # waits for the device, which belongs to the rounds' time
            self.clock.stop()
            self.clock.start()
            samples = self.samples() - self.seen
            speed = {"time/samples_per_second": samples / max(self.clock.lap(), 1e-9)}
            self.seen += samples
            self.latest |= speed
            self.logger.numbers(step, self.latest)

    def check(self) -> None:
        """Raises Diverged at the first number since the last check that is not finite."""
        if not any(stats for _, stats in self.pending):  # nobody moved
            return
        names = [(step, name) for step, stats in self.pending for name in stats]
        values = torch.stack([value.float() for _, stats in self.pending for value in stats.values()]).tolist()
        for (step, name), value in zip(names, values, strict=True):
            if not math.isfinite(value):
                raise Diverged(f"{name} became {value} at step {step}: training has diverged.")
        last = len(self.pending[-1][1])
        self.latest = {name: value for (_, name), value in zip(names[-last:], values[-last:], strict=True)}
        self.pending.clear()


class Stopwatch:
    """Seconds spent in rounds: running between ``start`` and ``stop``, so that evaluation does not count."""

    def __init__(self) -> None:
        self.seconds, self.since = 0.0, time.perf_counter()

    def start(self, step: int = 0, stats: Stats | None = None) -> None:
        self.since = time.perf_counter()

    def stop(self, step: int = 0, stats: Stats | None = None) -> None:
        self.seconds += time.perf_counter() - self.since

    def lap(self) -> float:
        """Seconds since the last lap."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds


class DivergenceGuard:
    """Stops the run before players are measured, drawn or saved that hold a number which is not finite."""

    def __init__(self, game: Game, record: LogStats) -> None:
        self.game, self.record = game, record

    def __call__(self, step: int, stats: Stats | None = None) -> None:
        self.record.check()
        for name, tensor in self.game.state_dict().items():
            if not bool(tensor.isfinite().all()):
                raise Diverged(f"{name} is no longer finite at step {step}: training has diverged.")


class SaveCheckpoint:
    """Writes a checkpoint of everything, after checking that the players are finite."""

    def __init__(
        self, folder: Path, state: Callable[[], Mapping[str, Any]], finite: DivergenceGuard, logger: RunLogger, keep: int | None
    ) -> None:
        self.folder, self.state, self.finite, self.logger, self.keep = folder, state, finite, logger, keep
        self.step = -1

    def __call__(self, step: int, stats: Stats | None = None) -> None:
        if step == self.step:
            return
        self.finite(step)
        checkpoint.save(self.folder, step, self.state(), self.keep)
        self.logger.flush()
        self.step = step


class StopOnSignal:
    """SIGINT and SIGTERM let the round end, save it, and stop; a second SIGINT interrupts at once."""

    def __init__(self, save: SaveCheckpoint) -> None:
        self.save, self.received = save, 0

    def __call__(self, step: int, stats: Stats) -> None:
        if self.received:
            self.save(step)
            raise Stopped(f"stopped at step {step}. Continue with: {resume_command(self.save.folder)}", self.received)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Inside, the signals are noted here."""

        def note(number: int, frame: Any) -> None:
            self.received = number
            signal.signal(signal.SIGINT, signal.default_int_handler)

        try:
            before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not in the main thread, where signals cannot be caught
            yield
            return
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
