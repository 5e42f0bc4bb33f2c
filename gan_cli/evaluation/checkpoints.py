"""The checkpoints of runs, measured with one metric."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from gan_cli import checkpoint, device, drawing
from gan_cli.build import build_data, build_metric
from gan_cli.errors import UserError
from gan_cli.evaluation.results import Number, Provenance, Result
from gan_cli.journal import read
from gan_cli.loading import load
from gan_cli.measuring import Floor, Measurement
from gan_cli.metrics.base import Metric, Picture, Value
from gan_cli.metrics.features import Encoded

Advance = Callable[[int], None]


class Checkpoints:
    """Measures checkpoints as a gan-eval config says; runs that agree share their data, real features and networks.

    ``advance`` hears of every sample that has been measured, ``say`` what is about to be measured.
    """

    def __init__(self, cfg: DictConfig, advance: Advance, say: Callable[[str], None]) -> None:
        self.cfg, self.advance, self.say, self.device = cfg, advance, say, device.choose(cfg.device)
        self.measurements: dict[str, Measurement] = {}

    def results(self, folder: Path) -> list[Result]:
        """What is asked of the run in ``folder``: its last and its best checkpoint, all of them, or one.

        The best is chosen by other samples, generated and real, than those that it is reported on.
        """
        name = self.cfg.checkpoint
        if name == "all":
            steps = _steps(folder)
            best = self.best(folder, steps)
            return [self.report(folder, str(step), _chosen(step, steps, best)) for step in steps]
        if name in (None, "best"):
            steps = _steps(folder)
            best = self.best(folder, steps)
            wanted = [best] if name == "best" else sorted({best, steps[-1]}, reverse=True)
            return [self.report(folder, str(step), _chosen(step, steps, best)) for step in wanted]
        return [self.report(folder, name, ("last",) if name == "last" else ("step",))]

    def n_samples(self, folder: Path) -> int:
        """How many generated samples ``results`` will measure, for a bar of progress."""
        config = stored_config(folder)
        steps = _steps(folder)
        n = self.measurement(config, "report").n
        reports = {None: min(2, len(steps)), "all": len(steps)}.get(self.cfg.checkpoint, 1)
        chooses = self.cfg.checkpoint in (None, "all", "best") and len(steps) > 1 and self.recorded(folder, steps) is None
        return n * (reports + (len(steps) if chooses else 0))

    def report(self, folder: Path, name: str, chosen: tuple[str, ...]) -> Result:
        """One checkpoint's numbers, with their errors and their floor; what should be looked at goes to ``folder/eval``."""
        began = time.perf_counter()
        run = load(folder, name, self.cfg.ema, self.cfg.device)
        measurement = self.measurement(run.config, "report")
        seed = self.seed(run.config)
        fake = measurement.fake(run.game, seed, self.advance)
        provenance = measurement.provenance(self.cfg.ema and run.config.ema is not None, seed)
        result = measured(measurement.metric, measurement.real, fake, measurement.floor)
        pictures = measurement.metric.pictures(measurement.real, fake)
        for title, picture in pictures.items():
            drawing.save_png(drawn(picture), folder / "eval" / f"{title}_step_{run.step:08d}.png")
        return Result(
            source=str(folder),
            step=run.step,
            chosen=chosen,
            provenance=Provenance(**provenance),
            numbers=result[0],
            details=result[1],
            seconds=round(time.perf_counter() - began, 2),
        )

    def best(self, folder: Path, steps: list[int]) -> int:
        """The step whose checkpoint is best on the samples for choosing; training's own curve is used where it tells."""
        if len(steps) == 1:
            return steps[0]
        values = self.recorded(folder, steps) or self.select(folder, steps)
        finite = {step: value for step, value in values.items() if math.isfinite(value.value)}
        if not finite:
            return steps[-1]
        return max(finite, key=lambda step: finite[step].value * (1 if finite[step].higher_is_better else -1))

    def select(self, folder: Path, steps: list[int]) -> dict[int, Value]:
        """The chief number of every checkpoint on the samples for choosing."""
        values = {}
        for step in steps:
            run = load(folder, step, self.cfg.ema, self.cfg.device)
            measurement = self.measurement(run.config, "select")
            fake = measurement.fake(run.game, self.seed(run.config), self.advance)
            values[step] = measurement.metric.measure(measurement.real, fake)[measurement.metric.name]
        return values

    def recorded(self, folder: Path, steps: list[int]) -> dict[int, Value] | None:
        """The same as training recorded it, if it measured all of these checkpoints in the very same way."""
        config = stored_config(folder)
        asked = self.nodes(config)
        same = all(asked[key] == OmegaConf.to_container(config[key]) for key in ("metric", "features"))
        if not same or not self.cfg.ema or self.seed(config) != config.seed or self.cfg.n_samples is not None:
            return None
        measurement = self.measurement(config, "select")
        curve = {row["step"]: row[measurement.tag] for row in read(folder) if row.get(measurement.tag) is not None}
        if not set(steps) <= set(curve):
            return None
        return {step: Value(curve[step], None, measurement.metric.higher_is_better) for step in steps}

    def measurement(self, config: DictConfig, role: str) -> Measurement:
        """The metric over this run's data, in one of its two roles."""
        nodes = self.nodes(config)
        key = json.dumps([nodes, role], sort_keys=True)
        if key not in self.measurements:
            cfg = OmegaConf.create(nodes)
            metric = build_metric(cfg)
            if metric.n_samples == 0:
                raise UserError("metric=none measures nothing: name another one, as in gan-eval RUN_DIR metric=frechet.")
            if role == "report":
                self.say(metric.choice())
            twin = next((m for k, m in self.measurements.items() if json.loads(k)[0]["dataset"] == nodes["dataset"]), None)
            data = build_data(cfg) if twin is None else twin.data
            self.measurements[key] = Measurement(metric, data, self.device, self.cfg.n_samples, role)
        return self.measurements[key]

    def nodes(self, config: DictConfig) -> dict[str, Any]:
        """The run's data set, metric and features, as plain data, with what this evaluation asks for instead."""
        nodes = {
            "dataset": config.dataset,
            "metric": config.metric if self.cfg.metric is None else self.cfg.metric,
            "features": config.features if self.cfg.features is None else self.cfg.features,
        }
        plain: dict[str, Any] = {key: OmegaConf.to_container(node, resolve=True) for key, node in nodes.items()}
        if self.cfg.root is not None:
            if "root" not in config.dataset:
                raise UserError(f"root={self.cfg.root}: this run's data set lies in no folder.")
            plain["dataset"]["root"] = self.cfg.root
        return plain

    def seed(self, config: DictConfig) -> int:
        """Where the latents start."""
        return config.seed if self.cfg.seed is None else self.cfg.seed


def measured(metric: Metric, real: Encoded, fake: Encoded, floor: Floor) -> tuple[dict[str, Number], dict[str, Any]]:
    """The numbers of a metric, each with its error and its floor, and the details, with the floor's sample count."""
    numbers = {
        name: Number(value.value, value.error, value.higher_is_better, floor.values.get(name))
        for name, value in metric.with_errors(real, fake).items()
    }
    return numbers, {"floor_n": floor.n, **metric.details(real, fake)}


def drawn(picture: Picture):
    """The picture as ``[H, W, 3]``."""
    images = picture.images
    return drawing.grid(images.float() / 127.5 - 1 if images.dtype == torch.uint8 else images, picture.columns)


def stored_config(folder: Path) -> DictConfig:
    """The config of the run in ``folder``; UserError where it cannot be read."""
    config = OmegaConf.load(folder / "config.yaml")
    if not isinstance(config, DictConfig) or "dataset" not in config:
        raise UserError(f"{folder / 'config.yaml'} is not the config of a run.")
    return config


def _steps(folder: Path) -> list[int]:
    steps = checkpoint.steps_in(folder)
    if not steps:
        raise UserError(f"{folder} holds no checkpoint yet.")
    return steps


def _chosen(step: int, steps: list[int], best: int) -> tuple[str, ...]:
    return tuple(word for word, is_it in (("last", step == steps[-1]), ("best", step == best)) if is_it)
