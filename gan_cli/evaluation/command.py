"""The gan-eval command: evaluates a run, a sweep, or two folders of images."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console, RenderableType

from gan_cli import device, files
from gan_cli.activity import activity
from gan_cli.build import build_metric
from gan_cli.device import memory_errors_named
from gan_cli.errors import UserError, first_line
from gan_cli.evaluation import results, sweeps
from gan_cli.evaluation.best_of import best_of_table, tuned_methods
from gan_cli.evaluation.checkpoints import Checkpoints
from gan_cli.evaluation.class_tables import curve_class_tables, run_class_tables, sweep_class_tables
from gan_cli.evaluation.comparison import compare
from gan_cli.evaluation.costs import cost_tables
from gan_cli.evaluation.design_tables import design_tables
from gan_cli.evaluation.details import detail_tables, reference_tables, remark_tables
from gan_cli.evaluation.folders import FolderComparison
from gan_cli.evaluation.numbers import numbers_and_details
from gan_cli.evaluation.rankings import by_run, ranking_entries
from gan_cli.evaluation.reference import reference_method
from gan_cli.evaluation.results import Evaluation, Provenance, Result
from gan_cli.evaluation.tables import curve_tables, run_tables, sweep_tables
from gan_cli.games.sampling import Sampling
from gan_cli.runs.console import Terminal, displayed, say
from gan_cli.runs.folder import holds_config, refuse_links, run_folder
from gan_cli.runs.naming import OUTPUTS

MEASURING = "measuring"
"""Name of the activity of an evaluation, whose parts are measurements of checkpoints, or images of two folders."""
WIDTH = 120
"""Width of tables in characters if the output is not a terminal."""


def evaluate_command(cfg: DictConfig) -> list[Result]:
    """Measure what ``cfg`` names, print tables of it, and write ``eval.json`` and ``eval.csv``."""
    console = Terminal(width=None if sys.stdout.isatty() else WIDTH)
    evaluation, tables = measure(cfg, Console(stderr=True))
    for table in tables:
        console.print(table)
    say(console, f"written: {evaluation.folder / results.JSON}, {results.CSV}")
    return list(evaluation.results)


def measure(cfg: DictConfig, console: Console) -> tuple[Evaluation, Sequence[RenderableType]]:
    """Measure what ``cfg`` names, and write ``eval.json`` and ``eval.csv``.

    Args:
        cfg: The whole config of an evaluation.
        console: Where progress is shown.

    Returns:
        The results and tables of them.
    """
    with memory_errors_named(cfg.device, "Lower n_samples"), displayed(console):
        if cfg.real is not None or cfg.fake is not None:
            found, tables, out = _measure_folders(cfg, console)
        else:
            for key in ("size", "fit"):
                if cfg[key] is not None:
                    raise UserError(f"{key}={cfg[key]} is for two folders: real samples of a run are prepared as in training.")
            folder = _relative(cfg.run)
            if cfg.reference is not None and not cfg.others and holds_config(folder):
                raise UserError(f"reference={cfg.reference} is for several methods: name a sweep, or several runs.")
            if cfg.others:
                found, tables, out = _measure_runs(cfg, [folder, *map(_relative, cfg.others)], console)
            elif not holds_config(folder) and sweeps.has_runs(folder):
                found, tables, out = _measure_sweep(cfg, folder, console)
            else:
                found, tables, out = _measure_run(cfg, folder, console)
    return Evaluation(tuple(found), out), tables


def _relative(path: str) -> Path:
    """Return one spelling for each folder: relative if it lies below the current folder, else absolute."""
    folder = Path(path).resolve()
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def _measure_run(cfg: DictConfig, folder: Path, console: Console) -> tuple[list[Result], Sequence[RenderableType], Path]:
    run_folder(folder)
    out = _output_folder(cfg, folder)
    with activity(MEASURING) as progress:
        checkpoints = Checkpoints(cfg, progress.advance, partial(say, console))
        progress.expect(checkpoints.n_measurements(folder))
        found = checkpoints.results(folder)
    _save(folder, out, found)
    if cfg.checkpoint == "all":
        return found, [*curve_tables(found), *curve_class_tables(found)], out
    return found, [*run_tables(found), *detail_tables(found), *run_class_tables(found)], out


def _measure_sweep(cfg: DictConfig, folder: Path, console: Console) -> tuple[list[Result], Sequence[RenderableType], Path]:
    """Measure every finished run of a sweep; a run that cannot be measured is listed and does not stop the others."""
    refuse_links(folder)
    return _measure_each(cfg, folder, sweeps.sweep_runs(folder), _output_folder(cfg, folder), console)


def _measure_runs(
    cfg: DictConfig, folders: Sequence[Path], console: Console
) -> tuple[list[Result], Sequence[RenderableType], Path]:
    """Measure several runs, and all runs of sweeps, that are named one by one, and compare them."""
    for folder in folders:
        if not sweeps.has_runs(folder):
            run_folder(folder)
    return _measure_each(cfg, Path(), sweeps.named_runs(folders), _output_folder(cfg, _new_output()), console)


def _measure_each(
    cfg: DictConfig, folder: Path, sweep_runs: list[sweeps.SweepRun], out: Path, console: Console
) -> tuple[list[Result], Sequence[RenderableType], Path]:
    """Measure the runs, which lie in ``folder`` by their names, and compare them."""
    chosen = {None: "last", "all": "last", "last": "last", "best": "best"}.get(cfg.checkpoint, "step")
    found: dict[str, list[Result]] = {}
    tuned = [] if cfg.best_of is None else tuned_methods(folder, sweep_runs, cfg.best_of)
    reference = None if cfg.reference is None else reference_method(sweep_runs, cfg.reference)
    if tuned:
        sweep_runs = [run for method in tuned for run in method.measured]
    with activity(MEASURING) as progress:
        checkpoints = Checkpoints(cfg, progress.advance, partial(say, console))
        finished = [sweep_run.name for sweep_run in sweep_runs if sweep_run.problem is None]
        refused: dict[str, str] = {}
        for name in finished:
            try:
                refuse_links(folder / name)
                files.require_writable(folder / name, "Measure it alone with out=DIR.")
                results.read(folder / name)
                progress.expect(checkpoints.n_measurements(folder / name))
            except UserError as error:
                refused[name] = first_line(error)
        try:
            for name in finished:
                if name in refused:
                    continue
                try:
                    found[name] = checkpoints.results(folder / name)
                    _save(folder / name, folder / name, found[name])
                except UserError as error:
                    refused[name] = first_line(error)
        finally:  # an interruption, too, leaves the runs that were measured before it
            sweep_runs = [replace(run, problem=refused.get(run.name, run.problem)) for run in sweep_runs]
            if found:
                _save_sweep(folder, out, sweep_runs, found, chosen, reference)
    if not found:
        place = f" in {folder}" if folder.name else ""
        raise UserError(f"none of the {len(sweep_runs)} runs{place} can be measured: {_first_problem(sweep_runs, refused)}")
    everything = [result for run_results in found.values() for result in run_results]
    in_tables = [result for result in everything if chosen in result.chosen]
    comparison = compare(sweep_runs, found, chosen, reference)
    tables = [
        *([best_of_table(folder, tuned)] if tuned else []),
        *sweep_tables(comparison),
        *design_tables(comparison),
        *sweep_class_tables(comparison),
        *cost_tables(sweep_runs, found, chosen),
        *reference_tables(sweep_runs, found),
        *remark_tables(in_tables),
    ]
    return everything, tables, out


def _measure_folders(cfg: DictConfig, console: Console) -> tuple[list[Result], Sequence[RenderableType], Path]:
    if cfg.run is not None or cfg.real is None or cfg.fake is None:
        raise UserError("to compare two folders of images, give real=DIR and fake=DIR, and no run.")
    for key in ("checkpoint", "root", "reference", *Sampling.__annotations__):
        if cfg[key] is not None:
            raise UserError(f"{key}={cfg[key]} applies to a run: leave it out with real= and fake=.")
    if cfg.labels != "data":
        raise UserError(f"labels={cfg.labels} applies to a run: leave it out with real= and fake=.")
    if cfg.diagnostics is not None:
        raise UserError("diagnostics measure the players of a run: leave them out with real= and fake=.")
    start = time.perf_counter()
    out = _output_folder(cfg, _new_output())
    metric = build_metric(cfg)
    with activity(MEASURING) as progress:
        say(console, metric.describe())
        chosen = device.choose(cfg.device)
        real, fake = Path(cfg.real), Path(cfg.fake)
        folders = FolderComparison(metric, real, fake, cfg.n_samples, cfg.seed or 0, chosen, cfg.size, cfg.fit, cfg.n_fake)
        for line in folders.warnings:
            say(console, f"warning: {line}")
        progress.expect(folders.n_images)
        known = len(folders.warnings)
        measured = folders.measure(progress.advance)
        for line in folders.warnings[known:]:
            say(console, f"warning: {line}")
        with activity(f"computing {folders.metric.name}"):
            numbers, details = numbers_and_details(folders.metric, *measured, remarks=folders.warnings)
    provenance = Provenance(**folders.provenance())
    seconds = round(time.perf_counter() - start, 2)
    found = [Result(cfg.fake, None, (), provenance, numbers, details, seconds)]
    results.write(out, found)
    return found, run_tables(found), out


def _save_sweep(
    folder: Path,
    out: Path,
    sweep_runs: Sequence[sweeps.SweepRun],
    found: Mapping[str, Sequence[Result]],
    chosen: str,
    reference: Mapping[str, str] | None,
) -> None:
    """Add the results of runs, which lie in ``folder`` by their names, to those in ``out``, with the rankings of all."""
    names = {os.path.relpath(folder / run.name, out): run.name for run in sweep_runs}
    results.write(
        out,
        [
            replace(result, source=os.path.relpath(result.source, out))
            for run_results in found.values()
            for result in run_results
        ],
        lambda stored: ranking_entries(compare(sweep_runs, by_run(stored, names), chosen, reference)),
    )


def _save(folder: Path, out: Path, found: Sequence[Result]) -> None:
    """Add results to those in ``out``; in a run's own folder also write them as curves to its TensorBoard.

    A curve has one provenance: the newest one of each metric in ``eval.json``.
    """
    everything = results.write(out, [replace(result, source=os.path.relpath(folder, out)) for result in found])
    if out != folder:
        return
    newest = {result.provenance.metric: result.provenance for result in everything}
    curve: dict[int, dict[str, float]] = {}
    for result in everything:
        if result.step is not None and result.provenance == newest[result.provenance.metric]:
            curve.setdefault(result.step, {}).update({name: number.value for name, number in result.numbers.items()})
    from gan_cli.loggers import events  # imports TensorBoard

    events.write_evaluations(folder, curve)


def _new_output() -> Path:
    """Return a new folder for results that belong to no single run or sweep."""
    return OUTPUTS / time.strftime("%Y-%m-%d_%H-%M-%S_eval")


def _output_folder(cfg: DictConfig, default: Path) -> Path:
    """Return the folder of the results; an unusable folder or damaged results are reported before the evaluation starts."""
    out = default if cfg.out is None else _relative(cfg.out)
    if out.exists() and not out.is_dir():
        raise UserError(f"out={out} is a file: name a folder for {results.JSON} and {results.CSV}.")
    files.require_writable(out, "Name another folder with out=DIR.")
    results.read(out)
    return out


def _first_problem(sweep_runs: Sequence[sweeps.SweepRun], refused: dict[str, str]) -> str:
    problems = (refused.get(sweep_run.name, sweep_run.problem) for sweep_run in sweep_runs)
    return next(problem for problem in problems if problem is not None)
