"""Measurement of a run's checkpoints with a metric, with diagnostics, or with both."""

import json
import math
import time
from collections.abc import Callable
from functools import cache, cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any, Unpack

from omegaconf import DictConfig, OmegaConf

from gan_cli import device
from gan_cli.activity import activity
from gan_cli.build import build_data, build_diagnostics, build_metric
from gan_cli.data.base import Data
from gan_cli.diagnostics.base import Diagnostics, NoDiagnostics
from gan_cli.errors import EarlierVersionError, UserError, first_line
from gan_cli.evaluation.measurement import Measurement
from gan_cli.evaluation.numbers import numbers_and_details
from gan_cli.evaluation.pictures import save_pictures, to_pixels
from gan_cli.evaluation.requested import requested_nodes
from gan_cli.evaluation.results import Number, Provenance, Result
from gan_cli.evaluation.selection import best_of, gone_steps, left_steps
from gan_cli.games.base import Game
from gan_cli.games.sampling import Sampling, sampling_of
from gan_cli.inference.load import LoadedRun, load
from gan_cli.metrics.base import Value
from gan_cli.runs import costs, environment, record
from gan_cli.runs.logger import read
from gan_cli.runs.trained import is_own, trained_config

MeasuredCheckpoint = tuple[int, dict[str, Any], dict[str, Number], dict[str, Any]]
"""Step, provenance, numbers and details."""
Measure = Callable[[Path, str], MeasuredCheckpoint]
"""Measures the checkpoint with the given name of the run in the given folder."""
CHOICES = (None, "last", "best", "all")


class Checkpoints:
    """Measures checkpoints as a gan-eval config says; runs that agree share their data, real features and networks.

    Samples are measured with the run's own metric or the one that the config names; players with the diagnostics that the
    config names. A config that names diagnostics, but neither a metric nor features, measures no samples.

    Args:
        cfg: The composed config of gan-eval.
        advance: Called after each measurement of a checkpoint.
        say: Called with lines for the user.
    """

    def __init__(self, cfg: DictConfig, advance: Callable[[], None], say: Callable[[str], None]) -> None:
        self.cfg, self.advance, self.say, self.device = cfg, advance, say, device.choose(cfg.device)
        self.measurements: dict[str, Measurement] = {}
        self.trained_config = cache(trained_config)  # which loads a checkpoint
        self.diagnostics: Diagnostics = NoDiagnostics() if cfg.diagnostics is None else build_diagnostics(cfg)
        self.measures_samples = not self.diagnostics.size or cfg.metric is not None or cfg.features is not None
        given = " and ".join([*self.sampling, *(["labels"] if cfg.labels != "data" else [])])
        if not self.measures_samples and given:
            raise UserError(f"diagnostics={self.diagnostics.family} measures players, not samples: leave {given} out.")

    def results(self, folder: Path) -> list[Result]:
        """Measure the run in ``folder``: its last and its best checkpoint, all of them, or one.

        The best checkpoint is chosen on other samples, generated and real, than those that it is reported on. Without a
        measure of samples the last one counts as the best. If the best one is gone, none takes its place.

        Raises:
            UserError: If nothing can be measured, or the best checkpoint is asked for and is gone. A checkpoint that cannot be
                measured among others is only reported.
        """
        name = self.cfg.checkpoint
        if name not in CHOICES:
            return [self.result(folder, name, ("step",), measure) for measure in self.measures]
        steps = left_steps(folder)
        last = steps[-1]
        best = self.best_left(folder, steps) if self.measures_samples and name != "last" else last
        chosen_steps = {None: sorted({best or last, last}, reverse=True), "last": [last], "best": [best or last], "all": steps}
        results, first_error = [], None
        for step, measure in product(chosen_steps[name], self.measures):
            labels = {"last": step == last, "best": step == best and name != "last"}
            chosen = tuple(label for label, applies in labels.items() if applies)
            try:
                results.append(self.result(folder, str(step), chosen, measure))
            except EarlierVersionError:
                raise
            except UserError as error:
                first_error = first_error or error
                self.say(f"step {step} is left out: {first_line(error)}")
        if first_error is not None and not results:
            raise first_error
        return results

    @property
    def measures(self) -> list[Measure]:
        """The measurements of each checkpoint: of its samples, and of its players."""
        return [
            *([self.measure_samples] if self.measures_samples else []),
            *([self.measure_players] if self.diagnostics.size else []),
        ]

    def n_measurements(self, folder: Path) -> int:
        """Return an upper bound of the number of measurements that ``results`` will make, for a progress bar."""
        steps, n = left_steps(folder), len(self.measures)
        if not self.measures_samples:
            return n * (len(steps) if self.cfg.checkpoint == "all" else 1)
        self.measurement(self.trained_config(folder), "report")  # which refuses what cannot be measured
        reports = {None: min(2, len(steps)), "all": len(steps)}.get(self.cfg.checkpoint, 1)
        if self.cfg.checkpoint not in (None, "all", "best") or len(steps) == 1:
            return n * reports
        selector = self.selector(folder)
        if selector is None or selector.recorded_values(folder, steps) is not None:
            return n * reports
        return n * reports + len(steps)

    def result(self, folder: Path, name: str, chosen: tuple[str, ...], measure: Measure) -> Result:
        """Measure one checkpoint.

        Args:
            folder: Folder of the run.
            name: ``last``, a step, or the path of a checkpoint.
            chosen: Labels of the checkpoint: any of ``last``, ``best`` and ``step``.
            measure: What is measured.
        """
        start = time.perf_counter()
        with activity(f"{folder.name} at {name if name in ('last', 'best') else f'step {name}'}"):
            step, provenance, numbers, details = measure(folder, name)
        self.advance()
        seconds = round(time.perf_counter() - start, 2)
        facts = environment.at(folder, step), costs.at(folder, step)
        return Result(str(folder), step, chosen, Provenance(**provenance), numbers, details, seconds, *facts)

    def measure_samples(self, folder: Path, name: str) -> MeasuredCheckpoint:
        """Measure a checkpoint's samples with the metric; pictures are written to ``folder/eval``."""
        run = self.load(folder, name, self.cfg.ema, **self.sampling)
        measurement, seed = self.measurement(run.config, "report"), self.seed(run.config)
        run.check_data(measurement.data)
        copies = measurement.copies()
        fake = measurement.fake(run.game, seed, self.cfg.labels, copies.look)
        with activity(f"computing {measurement.metric.name}"):
            numbers, details = numbers_and_details(
                measurement.metric, measurement.real, fake, measurement.floor, measurement.classes, copies.remarks()
            )
        if untranslated := measurement.untranslated:
            rows = {"translated": {name: number.value for name, number in numbers.items()}, "untranslated": untranslated}
            details["translation"] = {"table": [{"samples": row, **values} for row, values in rows.items()]}
        pictures = measurement.metric.pictures(measurement.real, fake)
        save_pictures(Path(self.cfg.out or folder), run.step, {title: to_pixels(one) for title, one in pictures.items()})
        provenance = measurement.provenance(self.cfg.ema and run.config.ema is not None, seed)
        drawn = {"sampling": self.sampling, "labels": self.cfg.labels if run.labels.taken else None}
        preprocessing = record.preprocessing(folder, run.config.dataset)
        return run.step, {**provenance, **drawn, "preprocessing": preprocessing}, numbers, details

    def measure_players(self, folder: Path, name: str) -> MeasuredCheckpoint:
        """Measure a checkpoint's trained players with the diagnostics; pictures are written to ``folder/eval``."""
        run = self.load(folder, name, ema=False)
        diagnostics, seed = self.diagnostics, self.seed(run.config)
        data = run.check_data(self.data(OmegaConf.create(requested_nodes(self.cfg, run.config))))
        with activity(f"diagnostics of the {diagnostics.family}"):
            report = diagnostics.since(partial(self.earlier_players, folder)).diagnose(run.game, data, seed)
        save_pictures(Path(self.cfg.out or folder), run.step, report.pictures)
        numbers = {name: Number(value.value, value.error, None) for name, value in report.values.items()}
        n = min(diagnostics.size, len(getattr(data, diagnostics.split)))
        counts = {"n_real": n, "n_fake": n if diagnostics.generates else 0, "split": diagnostics.split, "ema": False}
        origin = {"group": "diagnostics", "metric": diagnostics.family, "settings": diagnostics.settings()}
        return run.step, {**origin, **counts, "features": {}, "reference": "players", "seed": seed}, numbers, report.details

    def load(self, folder: Path, name: str, ema: bool, **sampling: Unpack[Sampling]) -> LoadedRun:
        """Load a checkpoint.

        Raises:
            UserError: If it belongs to another run.
        """
        run = load(folder, name, ema, self.cfg.device, inverse=self.cfg.inverse, labels=self.cfg.labels, **sampling)
        keys = () if is_own(folder, name) else ("model", "game", "loss", "seed")
        if any(run.config[key] != self.trained_config(folder)[key] for key in keys):
            raise UserError(f"checkpoint={name} belongs to another run than {folder}: evaluate that one.")
        return run

    def earlier_players(self, folder: Path, step: int | None) -> Game:
        """Return the trained players of the checkpoint of ``step``. None: of the first checkpoint that was kept."""
        return load(folder, left_steps(folder)[0] if step is None else step, False, self.cfg.device).game

    def best_left(self, folder: Path, steps: list[int]) -> int | None:
        """Return the step of the best checkpoint, or None, with a line for the user, if it is gone by the recorded curve.

        Raises:
            UserError: If it is gone, and it was asked for.
        """
        gone = gone_steps(self.trained_config(folder), steps)
        selector = self.selector(folder) if gone else None
        curve = {} if selector is None else selector.recorded_curve(folder)
        written = {step: curve[step] for step in (*steps, *gone) if step in curve}
        if (best := best_of(written)) is None or best in steps:
            return self.best_step(folder, steps)
        said = f"the best checkpoint of {folder} by its log, step {best}, is gone"
        if self.cfg.checkpoint == "best":
            raise UserError(
                f"{said}.\nName another one: checkpoint=last or checkpoint=STEP. There are: {', '.join(map(str, steps))}."
            )
        self.say(f"{said}: no other is called the best.")
        return None

    def best_step(self, folder: Path, steps: list[int]) -> int:
        """Return the step of the best checkpoint, by the curve that training recorded if it applies, else by new samples."""
        if len(steps) == 1:
            return steps[0]
        selector = self.selector(folder)
        values = {} if selector is None else selector.recorded_values(folder, steps) or selector.selection_values(folder, steps)
        best = best_of(values)
        return steps[-1] if best is None else best

    def selector(self, folder: Path) -> "Checkpoints | None":
        """Return the measurement that selects the best checkpoint, or None if the run has no metric.

        It uses the requested metric, or the run's own metric if the requested one is not a measure of quality.
        """
        config = self.trained_config(folder)
        if self.measurement(config, "report").metric.selects_checkpoint:
            return self
        return self.with_own_metric if build_metric(config).n_samples else None

    @cached_property
    def with_own_metric(self) -> "Checkpoints":
        """The same evaluation with every run's own metric."""
        cfg = self.cfg.copy()
        cfg.metric = cfg.features = cfg.diagnostics = cfg.n_samples = cfg.n_fake = None
        return Checkpoints(cfg, self.advance, self.say)

    def selection_values(self, folder: Path, steps: list[int]) -> dict[int, Value]:
        """Measure the primary number of every checkpoint on the samples for selection."""
        if gone := gone_steps(self.trained_config(folder), steps):
            self.say(f"the best checkpoint of {folder} is the best of the {len(steps)} that are left: {len(gone)} are gone.")
        values = {}
        for step in steps:
            measurement = self.measurement(self.trained_config(folder), "select")
            try:
                run = self.load(folder, str(step), self.cfg.ema, **self.sampling)
                fake = measurement.fake(run.game, self.seed(run.config), self.cfg.labels)
                values[step] = measurement.metric.measure(measurement.real, fake)[measurement.metric.name]
            except UserError as error:
                self.say(f"step {step} cannot be selected: {first_line(error)}")
                values[step] = Value(math.nan)
            self.advance()
        return values

    def recorded_values(self, folder: Path, steps: list[int]) -> dict[int, Value] | None:
        """Return the selection values that training recorded, or None unless it measured all checkpoints in the same way."""
        curve = self.recorded_curve(folder)
        return {step: curve[step] for step in steps} if set(steps) <= set(curve) else None

    def recorded_curve(self, folder: Path) -> dict[int, Value]:
        """Return the selection values that training recorded, by step; empty unless it measured in the same way."""
        config = self.trained_config(folder)
        nodes = requested_nodes(self.cfg, config)
        same_metric = all(nodes[key] == OmegaConf.to_container(config[key]) for key in ("metric", "features"))
        same_sampling = self.cfg.ema and not self.cfg.inverse and not self.sampling and self.cfg.labels == "data"
        if not same_metric or not same_sampling or self.seed(config) != config.seed or self.cfg.n_samples is not None:
            return {}
        measurement = self.measurement(config, "select")
        tag, higher = measurement.tag, measurement.metric.higher_is_better
        return {row["step"]: Value(row[tag], None, higher) for row in read(folder) if row.get(tag) is not None}

    def measurement(self, config: DictConfig, role: str) -> Measurement:
        """Return the metric over the data of a run.

        Args:
            config: Config of the run.
            role: ``select`` or ``report``, see ``Measurement``.
        """
        nodes = requested_nodes(self.cfg, config)
        key = json.dumps([nodes, role], sort_keys=True)
        if key not in self.measurements:
            cfg = OmegaConf.create(nodes)
            metric = build_metric(cfg)
            if metric.n_samples == 0:
                raise UserError("metric=none measures nothing: name another one, as in gan-eval RUN_DIR metric=frechet.")
            twin = next((m for k, m in self.measurements.items() if json.loads(k)[0]["dataset"] == nodes["dataset"]), None)
            data = self.data(cfg) if twin is None else twin.data
            if role == "report":
                self.say(metric.describe(data))
            self.measurements[key] = Measurement(metric, data, self.device, self.cfg.n_samples, role)
            for note in self.measurements[key].notes() if role == "report" else ():
                self.say(note)
        return self.measurements[key]

    def data(self, cfg: DictConfig) -> Data:
        """Build the data set, with source and target swapped if the inverse translation is evaluated."""
        data = build_data(cfg)
        return data.swapped() if self.cfg.inverse else data

    @property
    def sampling(self) -> Sampling:
        """The sampling options that differ from training."""
        return sampling_of(self.cfg)

    def seed(self, config: DictConfig) -> int:
        """Return the seed of the latents."""
        return int(config.seed if self.cfg.seed is None else self.cfg.seed)
