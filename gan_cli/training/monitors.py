"""Callbacks that observe a run without changing it: estimates, the metric, diagnostics and pictures."""

import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from gan_cli import drawing, own_code
from gan_cli.activity import activity
from gan_cli.data.base import Data
from gan_cli.data.scaling import unnamed
from gan_cli.diagnostics.base import Diagnostics
from gan_cli.errors import Diverged, Stopped, UnreadableData
from gan_cli.evaluation.measurement import Measurement
from gan_cli.games.base import Game
from gan_cli.games.protocols import HasMeasurements, HasPicture
from gan_cli.games.sampling import eval_mode, preserve_buffers
from gan_cli.metrics.base import Value
from gan_cli.parallel.ranks import LostProcess
from gan_cli.randomness import fork_rng
from gan_cli.runs.logger import RunLogger, read
from gan_cli.solvers.base import Solver
from gan_cli.training.shown import Shown
from gan_cli.types import Batch, Stats

ENDING = (Diverged, Stopped, UnreadableData, LostProcess, OSError)
"""Errors that are no fault of a measurement: training cannot go on either."""

log = logging.getLogger(__name__)


class Monitor(ABC):
    """A callback that observes a run. If it fails, training goes on.

    The first failure is reported in one line, and its traceback goes to the log. The numbers that the callback has logged
    before are logged as NaN. At step 0, where no training would be lost, the error is raised.

    Args:
        logger: Receives the numbers.
        say: Prints a line.
    """

    subject: ClassVar[str]
    """Name of the measurement in the report of a failure."""

    def __init__(self, logger: RunLogger, say: Callable[[str], None]) -> None:
        self.logger, self.say = logger, say
        self.tags: Sequence[str] = ()
        self.has_failed = False

    @abstractmethod
    def observe(self, step: int) -> Mapping[str, float]:
        """Return the numbers after round ``step`` by their tags."""

    def __call__(self, step: int, stats: Stats | None = None) -> None:
        try:
            with activity(self.subject):
                numbers = self.observe(step)
        except ENDING:
            raise
        except Exception as error:
            if step == 0:
                raise
            self.report(step, error)
            numbers = dict.fromkeys(self.tags, math.nan)
        if numbers:
            self.tags = list(numbers)
            self.logger.numbers(step, numbers)

    def report(self, step: int, error: Exception) -> None:
        """Say that the observation has failed, once."""
        if not self.has_failed:
            self.has_failed = True
            log.warning("%s failed at step %d", self.subject, step, exc_info=error)
            reason = own_code.reason(error).rstrip(".")
            self.say(f"warning: {self.subject} failed at step {step}: {reason}. Training goes on without it.")


class LogHeldOutEstimate(Monitor):
    """Logs the loss's estimate on a held-out batch as ``heldout/<name>``.

    Args:
        game: The game that is being trained.
        solver: Its autocast context is used for the forward passes.
        batch_at: Step -> the held-out batch of that step.
        logger: Receives the numbers.
        say: Prints a line.
        seed: Start of the random stream, which also depends on the step.
    """

    subject = "the estimate on held-out data"

    def __init__(
        self,
        game: Game,
        solver: Solver,
        batch_at: Callable[[int], Batch],
        logger: RunLogger,
        say: Callable[[str], None],
        seed: int,
    ) -> None:
        super().__init__(logger, say)
        self.game, self.autocast, self.batch_at, self.seed = game, solver.autocast, batch_at, seed

    @torch.no_grad()
    def observe(self, step: int) -> Mapping[str, float]:
        with preserve_buffers(self.game), fork_rng(self.seed + step, self.game.device), self.autocast():
            estimate = self.game.estimate(self.batch_at(step))
        return {f"heldout/{name}": float(value) for name, value in estimate.items()}


class LogGame(Monitor):
    """Logs the numbers that ``Game.measure`` returns, if the game has any."""

    subject = "the game's own measurement"

    def __init__(self, game: Game, logger: RunLogger, say: Callable[[str], None], seed: int) -> None:
        super().__init__(logger, say)
        self.game, self.seed = game, seed

    def observe(self, step: int) -> Mapping[str, float]:
        if not isinstance(self.game, HasMeasurements):
            return {}
        with preserve_buffers(self.game), fork_rng(self.seed + step, self.game.device), eval_mode(self.game):
            return self.game.measure(step)


class RunDiagnostics(Monitor):
    """Logs the diagnostics of the game that is being trained, without changing it."""

    subject = "the diagnostics"

    def __init__(
        self, diagnostics: Diagnostics, game: Game, data: Data, logger: RunLogger, say: Callable[[str], None], seed: int
    ) -> None:
        super().__init__(logger, say)
        self.diagnostics, self.game, self.data, self.seed = diagnostics, game, data, seed

    def observe(self, step: int) -> Mapping[str, float]:
        report = self.diagnostics.diagnose(self.game, self.data, self.seed)
        return {name: value.value for name, value in report.values.items()}


class EvaluateMetric(Monitor):
    """Logs the metric of the averaged players, if there is a metric.

    Also logs ``untranslated/<number>``, the metric of a translator's sources, ``time/evaluation_seconds``, the time that all
    evaluations took, and ``time/evaluation_share``, its fraction of the time since the run began.

    Args:
        measurement: The metric over the run's data.
        game: The averaged game.
        logger: Receives the numbers.
        say: Prints a line.
        seed: Decides the samples.
        elapsed: Returns the seconds since the run began.
        with_errors: True if the judges look at the standard error of the metric.
        judges: Are told of each evaluation: its step and the metric.

    Attributes:
        latest: The newest primary number by its tag.
        seconds: Time spent in all evaluations, in earlier parts of the run, too.
    """

    subject = "the metric"

    def __init__(
        self,
        measurement: Measurement,
        game: Game,
        logger: RunLogger,
        say: Callable[[str], None],
        seed: int,
        elapsed: Callable[[], float],
        with_errors: bool,
        *judges: Callable[[int, Value], None],
    ) -> None:
        super().__init__(logger, say)
        self.measurement, self.game, self.seed = measurement, game, seed
        self.with_errors, self.judges = with_errors, judges
        self.latest: dict[str, float] = {}
        self.elapsed, self.seconds = elapsed, logger.continued.get("time/evaluation_seconds", 0.0)

    def observe(self, step: int) -> Mapping[str, float]:
        self.latest = {}
        if not self.measurement.enabled:
            return {}
        start = time.perf_counter()
        measured = self.measurement(self.game, self.seed, with_errors=self.with_errors)
        for judge in self.judges:
            judge(step, measured[self.measurement.metric.name])
        values = {f"metric/{name}": value.value for name, value in measured.items()}
        sources = {f"untranslated/{name}": value for name, value in self.measurement.untranslated.items()}
        self.seconds += time.perf_counter() - start
        self.latest = {self.measurement.tag: values[self.measurement.tag]}
        spent = {"time/evaluation_share": self.seconds / self.elapsed(), "time/evaluation_seconds": round(self.seconds, 3)}
        return values | sources | spent


class DrawSamples(Monitor):
    """Draws samples of the averaged players from latents that are fixed at construction.

    Images are drawn as a grid; points over the contours of the trained critic if it takes samples alone; sequences with
    held-out ones, in the data's own units. A translator shows held-out sources, their translations, and the targets if the data
    is paired. A game with a picture of its own (``Game.picture``) shows that instead.

    Args:
        ema: The averaged game.
        live: The game that is being trained.
        data: Provides labels, sources and real samples.
        logger: Receives the picture.
        say: Prints a line.
        seed: Decides the latents, labels and sources.

    Attributes:
        path: The last picture, None before the first one.
    """

    subject = "the picture of samples"

    def __init__(self, ema: Game, live: Game, data: Data, logger: RunLogger, say: Callable[[str], None], seed: int) -> None:
        super().__init__(logger, say)
        self.live, self.seed, self.shown = live, seed, Shown(ema, data, seed)
        self.images, self.sequences = len(data.shape) == 3, len(data.shape) == 2
        self.series = data.series or unnamed(data.shape[-1])
        self.path: Path | None = None

    def observe(self, step: int) -> Mapping[str, float]:
        """Log the picture, and return no numbers."""
        picture = self.own_picture()
        self.path = self.logger.picture(step, "samples", self.samples() if picture is None else picture)
        return {}

    def own_picture(self) -> np.ndarray | None:
        """Return the game's picture of itself, None if it has none."""
        if not isinstance(self.live, HasPicture):
            return None
        with preserve_buffers(self.live), fork_rng(self.seed, self.live.device), eval_mode(self.live):
            return self.live.picture(lambda: read(self.logger.folder))

    def samples(self) -> np.ndarray:
        """Return a picture ``[H, W, 3]`` of the averaged game's samples."""
        parts, real = self.shown.strips(), self.shown.real
        if self.images:
            return drawing.strips(parts)
        if self.sequences:
            to_units = self.series.scaling.to_units
            return drawing.sequences(to_units(parts[0]), self.series.names, to_units(real))
        with eval_mode(self.live):
            critic = None if self.live.conditional else self.live.critic()
            score = critic and (lambda x: critic(x.to(self.live.device)))
            return drawing.points(parts[0].flatten(1), real.flatten(1), score)
