"""What gan-train and gan-sample do once their config is composed."""

import shlex
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from torch import Tensor

from gan_cli import checkpoint, drawing, loop
from gan_cli.build import refuse_unused
from gan_cli.configs import config_hash, holds_config, holds_run_already, read_result, threads, to_plain, write_json
from gan_cli.errors import Diverged, UserError
from gan_cli.events import Diagnose, Draw, Evaluate, Finite, HeldOut, Measure, Record, Save, StopOnSignal
from gan_cli.journal import Journal, read
from gan_cli.loading import LoadedRun, load
from gan_cli.loop import Every
from gan_cli.progress import Display, Terminal
from gan_cli.run import Run

WALK = 8
"""Samples of one walk in an interpolation."""


def train(cfg: DictConfig, folder: Path, named: Collection[str] = ()) -> float | None:
    """Trains in ``folder`` and returns the final metric (None without one).

    A folder that holds a run is refused, unless ``cfg.resume`` says that this run goes on. ``named``: the keys that the
    command line names, so that a part which the game would not use is refused too.
    """
    console = Terminal()
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


def begin(cfg: DictConfig, folder: Path, console: Console) -> float | None:
    """Builds the run, takes it to where it stood, and plays on."""
    run = Run(cfg, folder)
    for note in run.data.series.notes if run.data.series else ():
        say(console, note)
    if run.measurement.enabled:
        say(console, run.choice)
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
    checkpoint.write_atomically(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(to_plain(cfg))).encode())
    return rounds(run, console)


def rounds(run: Run, console: Console) -> float | None:
    """Plays the rounds that are left, with everything that happens after each, and writes the result."""
    cfg, last, began = run.cfg, run.cfg.train.steps, time.perf_counter()
    journal = Journal(run.folder, run.step)
    record = Record(journal, cfg.log_every, last, lambda: run.batches.position * cfg.train.batch_size)
    heldout = HeldOut(run.game, run.solver, run.heldout_batch, journal, cfg.seed)
    measure = Measure(run.game, journal, cfg.seed)
    evaluate = Evaluate(run.measurement, run.average.game, journal, cfg.seed)
    diagnose = Diagnose(run.diagnostics, run.game, run.data, journal, cfg.seed)
    draw = Draw(run.average.game, run.game, run.data, journal, cfg.seed)
    finite = Finite(run.game, record)
    save = Save(run.folder, run.state, finite, journal, cfg.keep_checkpoints)
    stop = StopOnSignal(save)
    live = console.is_terminal and threads() is None  # jobs side by side share one terminal
    display = Display(console, run.step, last, lambda: record.latest | evaluate.latest, live)
    events: list[loop.Event] = [
        run.average,
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
            loop.train(run.solver, run.batches, run.schedule, last, events, run.step)
            save(last)  # is there already, unless there were no rounds
        return conclude(run, journal, draw.path, console, time.perf_counter() - began, evaluate.seconds)
    except Diverged as error:
        good = checkpoint.steps_in(run.folder)
        kept = f"The checkpoint of step {good[-1]} is good." if good else "No checkpoint had been written yet."
        raise Diverged(f"{error}\n{kept} A smaller optimizer.lr may help.") from None
    finally:
        run.batches.close()
        journal.close()


def conclude(
    run: Run, journal: Journal, picture: Path | None, console: Console, seconds: float, evaluating: float
) -> float | None:
    """Writes ``result.json`` and TensorBoard's hparams, and tells where everything lies."""
    measurement, began = run.measurement, time.perf_counter()
    curve = {row["step"]: row[measurement.tag] for row in read(run.folder) if measurement.tag in row}
    final = curve.get(run.cfg.train.steps)
    metric = (
        {"name": measurement.metric.name, "initial": curve.get(0), "final": final}
        | {"floor": measurement.floor.values.get(measurement.metric.name), "floor_n": measurement.floor.n}
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
    write_json(run.folder / "result.json", result)
    journal.hparams(settings(run.cfg), {measurement.tag: final} if final is not None else {})
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


def sample(cfg: DictConfig) -> Path:
    """Writes a grid, single samples, an interpolation or a traversal from one checkpoint, and returns what was written.

    Sequences come as a table too, in the data's own units: beside their picture, or alone.
    """
    run = load(
        cfg.run,
        cfg.checkpoint,
        cfg.ema,
        cfg.device,
        truncation=cfg.truncation,
        standing=cfg.standing,
        inverse=cfg.inverse,
        root=cfg.root,
    )
    name = f"{cfg.mode}_step_{run.step:08d}_seed_{cfg.seed}"
    name += "".join(f"_{key}_{cfg[key]:g}" for key in ("truncation", "standing") if cfg[key] is not None)
    name += "_inverse" if cfg.inverse else ""
    out = Path(cfg.out) if cfg.out else run.folder / "samples" / (name if cfg.mode == "single" else f"{name}.png")
    n = {"grid": grid, "single": single, "interpolation": interpolation, "traversal": traversal}[cfg.mode](run, cfg, out)
    table = f" and {out.with_suffix('.csv').name}" if len(run.shape) == 2 and cfg.mode != "single" else ""
    say(Terminal(), f"{n} samples of step {run.step}: {out}{table}")
    return out


def grid(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """One picture of ``cfg.n`` samples, a row for each of ``cfg.classes``, beside their sources; the number of samples."""
    if cfg.classes is None:
        parts = run.shown(cfg.n, cfg.seed, sources(run, cfg))
        if len(parts) == 1:
            return draw(run, parts[0], None, out)
        drawing.save_png(drawing.strips(parts), out)
        return len(parts[0])
    y = labels(run, cfg, cfg.n)
    return draw(run, run.sample(len(y), cfg.seed, y), len(y) // len(cfg.classes), out)


def single(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """``cfg.n`` samples by themselves, in a folder for each of ``cfg.classes``; their number."""
    if cfg.classes is None:
        samples = run.sample(cfg.n, cfg.seed, sources(run, cfg))
        write_each(run, samples, out)
        return len(samples)
    y = labels(run, cfg, cfg.n)
    samples = run.sample(len(y), cfg.seed, y)
    for c in y.unique().tolist():
        write_each(run, samples[y == c], out / str(c))
    return len(samples)


def interpolation(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """Walks of ``WALK`` samples, ``cfg.n`` in all, as many of each of ``cfg.classes``; the number of samples."""
    no_sources(cfg)
    columns = min(cfg.n, WALK)
    walks = -(-cfg.n // columns)
    if cfg.classes is None:
        return draw(run, run.interpolate(walks, columns, cfg.seed)[: cfg.n], columns, out, walk=True)
    y = run.labels_of(cfg.classes, walks)
    return draw(run, run.interpolate(len(y), columns, cfg.seed, y), columns, out, walk=True)


def traversal(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """What the codes do to images, one below the other; the number of samples."""
    no_sources(cfg)
    if cfg.classes is not None:
        raise UserError("classes and mode=traversal do not go together: the codes of a traversal are not the data's classes.")
    found = run.traverse(cfg.n, cfg.seed)
    if len(run.shape) != 3:
        raise UserError("mode=traversal lays images side by side, and this run's samples are none.")
    panels = [drawing.Panel(images, t.title, t.rows, t.columns) for t, images in found]
    drawing.save_png(drawing.panels(panels), out)
    return sum(len(images) for _, images in found)


def sources(run: LoadedRun, cfg: DictConfig) -> Tensor | None:
    """The first ``cfg.n`` images of ``cfg.source``; None where nothing is said, so that held-out ones are translated."""
    return None if cfg.source is None else run.images(Path(cfg.source), cfg.n)


def no_sources(cfg: DictConfig) -> None:
    """UserError where ``cfg.source`` is named, but samples are laid along latents."""
    if cfg.source is not None:
        raise UserError(f"source and mode={cfg.mode} do not go together: take mode=grid or mode=single.")


def labels(run: LoadedRun, cfg: DictConfig, n: int) -> Tensor:
    """Labels of ``n`` samples of ``cfg.classes``; UserError where sources are named too."""
    if cfg.source is not None:
        raise UserError("source and classes do not go together: a sample has a source or a class.")
    return run.labels_of(cfg.classes, n)


def draw(run: LoadedRun, samples: Tensor, columns: int | None, out: Path, walk: bool = False) -> int:
    """A grid of images in so many columns, or a figure of points or sequences, with their table; the number of samples."""
    if len(run.shape) == 2:
        u = run.series.scaling.to_units(samples)
        drawing.save_png(drawing.sequences(u, run.series.names, walk=columns if walk else None), out)
        run.series.write(u, out.with_suffix(".csv"))
    else:
        drawing.save_png(drawing.grid(samples, columns) if len(run.shape) == 3 else drawing.points(samples.flatten(1)), out)
    return len(samples)


def write_each(run: LoadedRun, samples: Tensor, folder: Path) -> None:
    """Images as ``folder/00000.png`` ...; points as rows of ``folder/points.csv``, sequences of ``folder/sequences.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    if samples.ndim == 3:
        run.series.write(run.series.scaling.to_units(samples), folder / "sequences.csv")
    elif samples.ndim == 4:
        for index, image in enumerate(samples):
            drawing.save_png(drawing.picture(image), folder / f"{index:05d}.png")
    else:
        np.savetxt(folder / "points.csv", samples.flatten(1).numpy(), delimiter=",", fmt="%.9g")


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


def say(console: Console, message: str) -> None:
    """A line as it is: no markup, no colours, no wrapping, so that paths can be copied."""
    console.print(message, highlight=False, markup=False, soft_wrap=True)


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
    )
