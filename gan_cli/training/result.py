"""The result of a run that has ended: ``result.json``, TensorBoard's table of runs, and the summary on the console."""

import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from gan_cli import files
from gan_cli.config.budget import in_words
from gan_cli.config.identity import config_hash, to_plain
from gan_cli.errors import UserError
from gan_cli.evaluation.floor_words import other_counts
from gan_cli.evaluation.numbers import floor_details
from gan_cli.runs import checkpoint, signals, started
from gan_cli.runs.console import say, say_in_words
from gan_cli.runs.logger import RunLogger, read
from gan_cli.runs.origin import FILE as ORIGIN
from gan_cli.training.run import Run


def write_result(
    run: Run, logger: RunLogger, picture: Path | None, console: Console, seconds: float, seconds_evaluating: float
) -> float | None:
    """Write ``result.json`` and TensorBoard's hparams, and print a summary.

    Args:
        run: The run, finished or pruned.
        logger: Receives the hparams.
        picture: The last picture of samples. None: none was drawn.
        console: Where the summary is printed.
        seconds: Time since training began, that of earlier parts of a resumed run included.
        seconds_evaluating: The part of it that the metric took.

    Returns:
        The final value of the metric, or None if the run has no metric.
    """
    start = time.perf_counter()
    metric = _metric_summary(run)
    final = None if metric is None else metric["final"]
    status, steps = ("pruned", f"at step {run.end.last}") if run.pruning.has_pruned else ("finished", f"{run.end.last} steps")
    # the floor, and fitting the metric at the start, count as evaluation
    extra = time.perf_counter() - start + run.measurement.seconds
    seconds, seconds_evaluating = seconds + extra, seconds_evaluating + extra
    result = {
        "status": status,
        "config": config_hash(run.cfg),
        "step": run.end.last,
        "budget": in_words(run.cfg.train),
        "objective": final,
        "metric": metric,
        "costs": run.spent(),
        "seconds": round(seconds, 1),
        "seconds_evaluating": round(seconds_evaluating, 1),
        "players": checkpoint.fingerprint(run.game),
    }
    early = run.early_stopping
    if early.has_stopped:
        result["early_stopping"] = early.state_dict()
    with suppress(OSError, UserError):  # of a run that goes on from another
        result["origin"] = files.read_json(run.folder / ORIGIN)
    files.write_json(run.folder / "result.json", result)
    values = {run.measurement.tag: final} if final is not None else {}
    logger.hparams(started.settings(run.folder, to_plain(run.cfg)), values, started.decisive_keys(run.folder))
    share = f"; the metric took {seconds_evaluating / seconds:.0%} of it" if metric else ""
    rows: list[tuple[str, Any]] = [
        (status, f"{steps} in {seconds:.0f} s{share}"),
        *([("early", early.in_words(run.end.last or 0))] if early.has_stopped else []),
        ("run", run.folder),
        *([("samples", picture)] if picture else []),
        *([(metric["name"], _before_and_after(metric))] if metric else []),
        *(("curves", text) for text in logger.shown_by().values()),
    ]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        line = f"{name:<{width}}  {text}"
        if name in ("run", "samples", "curves"):  # a path or a command, to be copied
            say(console, line)
        else:
            say_in_words(console, line, indent=width + 2)
    return final


def write_stop(run: Run, step: int, number: int) -> None:
    """Write to ``result.json`` that a signal has stopped the run at ``step``, and whether it is to be started again."""
    reason = f"stopped at step {step} by {signal.Signals(number).name}"
    result = {"status": signals.status_after(number), "config": config_hash(run.cfg), "step": step, "reason": reason}
    with suppress(OSError):  # the checkpoint is written, and the signal is what is to be reported
        files.write_json(run.folder / "result.json", result)


def _metric_summary(run: Run) -> dict[str, Any] | None:
    """Return the metric at the first and at the last step, with its floor and provenance; None if it was not measured."""
    measurement = run.measurement
    curve = {row["step"]: row[measurement.tag] for row in read(run.folder) if measurement.tag in row}
    if not curve:
        return None
    name, floor, untranslated = measurement.metric.name, measurement.floor, measurement.untranslated
    return {
        "name": name,
        "initial": curve.get(run.first),
        "final": curve.get(run.end.last),
        "higher_is_better": measurement.metric.higher_is_better,
        "floor": floor.values.get(name),
        "floor_error": floor.errors.get(name),
        **floor_details(floor),
        **({"untranslated": untranslated[name]} if untranslated else {}),
        **measurement.provenance(run.cfg.ema is not None, run.cfg.seed),
    }


def _before_and_after(metric: dict[str, Any]) -> str:
    def number(value: float | None) -> str:
        return "not finite" if value is None else f"{value:.4g}"

    protocol = f", {metric['protocol']}" if metric["protocol"] else ""
    error = "" if metric["floor_error"] is None else f" ± {metric['floor_error']:.2g}"
    counts = other_counts(metric, metric["n_real"], metric["n_fake"])
    floor_n = f" at {counts if metric['n_real'] != metric['n_fake'] else str(metric['floor_n']) + ' samples'}" if counts else ""
    two_times = ", of two times" if metric["floor_two_times"] else ""
    return (
        f"{number(metric['initial'])} before training, {number(metric['final'])} after "
        f"({metric['n_fake']} samples against {metric['n_real']} real ones, {metric['split']} split{protocol}); "
        f"real against real: {number(metric['floor'])}{error}{floor_n}{two_times}"
    )
