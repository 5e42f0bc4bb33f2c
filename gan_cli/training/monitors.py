"""What looks at a run after a round, and moves nothing of it: estimates, the metric, diagnostics, pictures."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from gan_cli import drawing
from gan_cli.data.base import Data
from gan_cli.data.scaling import unnamed
from gan_cli.diagnostics.base import Diagnostics
from gan_cli.evaluation.measurement import Measurement
from gan_cli.games.base import Game
from gan_cli.games.sampling import conditions, eval_mode, examples, picture_strips, preserve_buffers
from gan_cli.randomness import fork_rng
from gan_cli.runs.logger import RunLogger, read
from gan_cli.solvers.base import Solver
from gan_cli.types import Batch, Stats

GRID = 64
"""Images of a sample grid."""
STRIPS = 24
"""Sources of a translator that are drawn."""
CLOUD = 1000
"""Points of a figure."""


class LogHeldOutEstimate:
    """The same estimate on data that no player has seen, as ``heldout/<name>``."""

    def __init__(self, game: Game, solver: Solver, batch_at: Callable[[int], Batch], logger: RunLogger, seed: int) -> None:
        self.game, self.autocast, self.batch_at = game, solver.autocast, batch_at
        self.logger, self.seed = logger, seed

    @torch.no_grad()
    def __call__(self, step: int, stats: Stats) -> None:
        with preserve_buffers(self.game), fork_rng(self.seed + step, self.game.device), self.autocast():
            estimate = self.game.estimate(self.batch_at(step))
        if estimate:
            self.logger.numbers(step, {f"heldout/{name}": float(value) for name, value in estimate.items()})


class LogGame:
    """What the game says of itself, if it says anything."""

    def __init__(self, game: Game, logger: RunLogger, seed: int) -> None:
        self.game, self.logger, self.seed = game, logger, seed

    def __call__(self, step: int, stats: Stats | None = None) -> None:
        with preserve_buffers(self.game), fork_rng(self.seed + step, self.game.device), eval_mode(self.game):
            numbers = self.game.measure(step)
        if numbers:
            self.logger.numbers(step, numbers)


class RunDiagnostics:
    """Logs the diagnostics of the game that is being trained, without changing it."""

    def __init__(self, diagnostics: Diagnostics, game: Game, data: Data, logger: RunLogger, seed: int) -> None:
        self.diagnostics, self.game, self.data, self.logger, self.seed = diagnostics, game, data, logger, seed

    def __call__(self, step: int, stats: Stats | None = None) -> None:
        report = self.diagnostics.diagnose(self.game, self.data, self.seed)
        if report.values:
            self.logger.numbers(step, {name: value.value for name, value in report.values.items()})


class EvaluateMetric:
    """The metric of the averaged game, if there is one.

    ``latest``: its newest chief number by its tag; ``seconds``: what all evaluations cost. Beside the numbers the journal
    gets ``untranslated/<number>``, the same of a translator's sources, and ``time/evaluation_share``, the part of the time
    since this process began its rounds that they took.
    """

    def __init__(self, measurement: Measurement, game: Game, logger: RunLogger, seed: int) -> None:
        self.measurement, self.game, self.logger, self.seed = measurement, game, logger, seed
        self.latest: dict[str, float] = {}
        self.began, self.seconds = time.perf_counter(), 0.0

    def __call__(self, step: int, stats: Stats | None = None) -> None:
        if not self.measurement.enabled:
            return
        began = time.perf_counter()
        values = {f"metric/{name}": value.value for name, value in self.measurement(self.game, self.seed).items()}
        given = {f"untranslated/{name}": value for name, value in self.measurement.untranslated.items()}
        now = time.perf_counter()
        self.seconds += now - began
        self.latest = {self.measurement.tag: values[self.measurement.tag]}
        self.logger.numbers(step, values | given | {"time/evaluation_share": self.seconds / (now - self.began)})


class DrawSamples:
    """The averaged game's samples from latents fixed at the start: a grid of images, or a figure of points or sequences.

    Of a translator, held-out sources, what it makes of them, and the targets if there are any. Points are drawn over the
    contours of the critic that is being trained, where the game has one that looks at them alone; sequences beside held-out
    ones, in the data's own units. A game that has a picture of its own shows that.
    """

    def __init__(self, ema: Game, live: Game, data: Data, logger: RunLogger, seed: int) -> None:
        self.ema, self.live, self.logger = ema, live, logger
        self.images, self.sequences = len(data.shape) == 3, len(data.shape) == 2
        self.series = data.series or unnamed(data.shape[-1])
        n = CLOUD if len(data.shape) == 1 else drawing.LINES if self.sequences else GRID if data.source is None else STRIPS
        self.y, self.seed = conditions(data, n, seed), seed
        with fork_rng(seed, ema.device):
            self.latents = ema.latents(n)
        self.real = examples(data, n, seed).x
        self.targets = self.real if data.paired else None
        self.path: Path | None = None

    def __call__(self, step: int, stats: Stats | None = None) -> None:
        with preserve_buffers(self.live), fork_rng(self.seed, self.live.device), eval_mode(self.live):
            picture = self.live.picture(lambda: read(self.logger.folder))
        self.path = self.logger.picture(step, "samples", self.samples() if picture is None else picture)

    def samples(self) -> np.ndarray:
        """The averaged game's samples."""
        with fork_rng(self.seed, self.ema.device):  # a game may draw while it samples
            parts = picture_strips(self.ema, self.latents, self.y, self.targets)
        if self.images:
            return drawing.strips(parts)
        if self.sequences:
            fake, real = self.series.scaling.to_units(parts[0]), self.series.scaling.to_units(self.real)
            return drawing.sequences(fake, self.series.names, real)
        with eval_mode(self.live):
            critic = None if self.live.conditional else self.live.critic()
            score = critic and (lambda x: critic(x.to(self.live.device)))
            return drawing.points(parts[0].flatten(1), self.real.flatten(1), score)
