"""What gan-train does once its config is composed."""

import shlex
import time
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from gan_cli import files
from gan_cli.build import refuse_unused, uses
from gan_cli.config.identity import config_hash, to_plain
from gan_cli.device import threads
from gan_cli.errors import Diverged, UserError
from gan_cli.runs import checkpoint
from gan_cli.runs.console import Display, Terminal, say
from gan_cli.runs.folder import holds_config, holds_run_already, read_result
from gan_cli.runs.logger import RunLogger, read
from gan_cli.training import loop
from gan_cli.training.callbacks import DivergenceGuard, LogStats, SaveCheckpoint, StopOnSignal
from gan_cli.training.loop import Every
from gan_cli.training.monitors import DrawSamples, EvaluateMetric, LogGame, LogHeldOutEstimate, RunDiagnostics
from gan_cli.training.run import Run


def train_command(cfg: DictConfig, folder: Path, named: Collection[str] = (), console: Console | None = None) -> float | None:
    """Train in ``folder`` and return the final metric (None without one).

    Args:
        cfg: The whole config. A folder that holds a run is refused unless ``cfg.resume`` says that this run continues.
        folder: Where the run leaves everything.
        named: The keys that the command line names: a part that is named but not used by the game is refused.
        console: Where progress is shown (None: standard output).
    """
    console = console or Terminal()
    if holds_config(folder) and not cfg.resume:
        raise holds_run_already(folder)
    if cfg.resume and (result := finished(folder, cfg.train.steps)):
        say(console, f"{folder} is finished already, at step {result['step']}.")
        return result["objective"]
    refuse_unused(cfg, named)
    try:
        return begin(cfg, folder, console)
    except torch.OutOfMemoryError:
        raise UserError(f"device={cfg.device}: out of memory. Lower train.batch_size or dataset.size.") from None


def unused(cfg: DictConfig) -> list[str]:
    """The groups that the game has no use for, whatever is chosen in them."""
    return [group for group, is_used in uses(cfg).items() if not is_used]


def begin(cfg: DictConfig, folder: Path, console: Console) -> float | None:
    """Builds the run, takes it to where it stood, and plays on."""
    run = Run(cfg, folder)
    for note in run.data.series.notes if run.data.series else ():
        say(console, note)
    if run.idle and cfg.train.steps:
        players = ", ".join(run.idle)
        say(console, f"warning: train.steps={cfg.train.steps} ends before the first turn of {players}: see schedule.phases")
    if run.measurement.enabled:
        say(console, run.metric_description)
    state, complaints = checkpoint.newest(folder) if cfg.resume else (None, [])
    for complaint in complaints:
        say(console, f"warning: {complaint}")
    if state is None:
        run.begin()
    else:
        run.restore(state)
    if cfg.resume:
        if run.step > cfg.train.steps:
            raise UserError(f"{folder} is at step {run.step} already: train.steps={cfg.train.steps} leaves nothing to do.")
        if run.step < cfg.train.steps and run.set_learning_rates.factor(cfg.train.steps) == 0:
            raise UserError(
                f"the learning rate of {folder} has come to 0 before step {cfg.train.steps}: nothing would move.\n"
                "Start a new run with a later learning_rate.end."
            )
        say(console, f"continuing at step {run.step}")
    for leftover in (folder / "checkpoints").glob(".*.tmp"):  # of a process that was killed while it saved
        leftover.unlink()
    files.write_bytes(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(to_plain(cfg))).encode())
    return rounds(run, console)


def rounds(run: Run, console: Console) -> float | None:
    """Plays the rounds that are left, with everything that happens after each, and writes the result."""
    cfg, last, began = run.cfg, run.cfg.train.steps, time.perf_counter()
    logger = RunLogger(run.folder, run.step)
    record = LogStats(logger, cfg.log_every, last, lambda: run.batches.position * cfg.train.batch_size)
    heldout = LogHeldOutEstimate(run.game, run.solver, run.heldout_batch, logger, cfg.seed)
    measure = LogGame(run.game, logger, cfg.seed)
    evaluate = EvaluateMetric(run.measurement, run.ema.game, logger, cfg.seed)
    diagnose = RunDiagnostics(run.diagnostics, run.game, run.data, logger, cfg.seed)
    draw = DrawSamples(run.ema.game, run.game, run.data, logger, cfg.seed)
    finite = DivergenceGuard(run.game, record)
    save = SaveCheckpoint(run.folder, run.state, finite, logger, cfg.keep_checkpoints)
    stop = StopOnSignal(save)
    # jobs side by side share one terminal; a notebook shows a bar if it has widgets
    live = (console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)) and threads() is None
    display = Display(console, run.step, last, lambda: record.latest | evaluate.latest, live)
    callbacks: list[loop.Callback] = [
        run.ema,
        run.set_learning_rates,
        record,
        record.clock.stop,
        Every(cfg.log_every, heldout, last),
        Every(cfg.log_every, measure, last),
        Every(cfg.eval_every, finite, last),
        Every(cfg.eval_every, evaluate, last),
        Every(cfg.eval_every, diagnose, last),
        Every(cfg.sample_every, finite, last),
        Every(cfg.sample_every, draw, last),
        Every(cfg.checkpoint_every, save, last),
        display,
        stop,
        record.clock.start,
    ]
    try:
        with stop.listening(), display.shown():
            if run.step == 0:
                measure(0)
                evaluate(0)
                diagnose(0)
                draw(0)
            record.clock.start()
            loop.training_loop(run.solver, run.batches, run.schedule, last, callbacks, run.step)
            save(last)  # is there already, unless there were no rounds
        return conclude(run, logger, draw.path, console, time.perf_counter() - began, evaluate.seconds)
    except Diverged as error:
        good = checkpoint.steps_in(run.folder)
        kept = f"The checkpoint of step {good[-1]} is good." if good else "No checkpoint had been written yet."
        raise Diverged(f"{error}\n{kept} A smaller optimizer.lr may help.") from None
    finally:
        run.batches.close()
        logger.close()


def conclude(
    run: Run, logger: RunLogger, picture: Path | None, console: Console, seconds: float, evaluating: float
) -> float | None:
    """Writes ``result.json`` and TensorBoard's hparams, and tells where everything lies."""
    measurement, began = run.measurement, time.perf_counter()
    curve = {row["step"]: row[measurement.tag] for row in read(run.folder) if measurement.tag in row}
    final = curve.get(run.cfg.train.steps)
    metric = (
        {"name": measurement.metric.name, "initial": curve.get(0), "final": final}
        | {"higher_is_better": measurement.metric.higher_is_better}
        | {"floor": measurement.floor.values.get(measurement.metric.name), "floor_n": measurement.floor.n}
        | {"floor_two_times": measurement.floor.two_times}
        | ({"untranslated": given[measurement.metric.name]} if (given := measurement.untranslated) else {})
        | measurement.provenance(run.cfg.ema is not None, run.cfg.seed)
        if curve
        else None
    )
    spent = time.perf_counter() - began + measurement.seconds  # for the floor, and for what the metric learnt at the start
    seconds, evaluating = seconds + spent, evaluating + spent
    result = {
        "status": "finished",
        "config": config_hash(run.cfg),
        "step": run.cfg.train.steps,
        "objective": final,
        "metric": metric,
        "seconds": round(seconds, 1),
        "seconds_evaluating": round(evaluating, 1),
        "players": checkpoint.fingerprint(run.game),
    }
    files.write_json(run.folder / "result.json", result)
    logger.hparams(settings(run.cfg), {measurement.tag: final} if final is not None else {})
    rows: list[tuple[str, Any]] = [
        ("finished", f"{run.cfg.train.steps} steps in {seconds:.0f} s; the metric took {evaluating / seconds:.0%} of it"),
        ("run", run.folder),
        *([("samples", picture)] if picture else []),
        *([(measurement.metric.name, _before_and_after(metric))] if metric else []),
        ("curves", f"tensorboard --logdir {shlex.quote(str(run.folder))}"),
    ]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        say(console, f"{name:<{width}}  {text}")
    return final


def settings(cfg: DictConfig) -> dict[str, Any]:
    """The config as flat ``a.b.c: value`` pairs, as TensorBoard's table wants them."""

    def flat(node: Any, prefix: str) -> dict[str, Any]:
        if isinstance(node, dict):
            return {
                k: v for name, child in node.items() for k, v in flat(child, f"{prefix}.{name}" if prefix else name).items()
            }
        return {prefix: node}

    return flat(to_plain(cfg), "")


def finished(folder: Path, steps: int) -> dict[str, Any] | None:
    """The result of the run in ``folder`` if it has come to ``steps`` or further."""
    result = read_result(folder) or {}
    return result if result.get("status") == "finished" and result["step"] >= steps else None


def _before_and_after(metric: dict[str, Any]) -> str:
    def number(value: float | None) -> str:
        return "not finite" if value is None else f"{value:.4g}"

    return (
        f"{number(metric['initial'])} before training, {number(metric['final'])} after "
        f"({metric['n_fake']} samples against {metric['n_real']} real ones, {metric['split']} split"
        + (f", {metric['protocol']}" if metric["protocol"] else "")
        + "); "
        f"real against real: {number(metric['floor'])}"
        + (f" at {metric['floor_n']} samples" if metric["floor_n"] != metric["n_fake"] else "")
        + (", of two times" if metric["floor_two_times"] else "")
    )
