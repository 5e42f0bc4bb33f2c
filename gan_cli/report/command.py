"""What gan-report does: a page about a run, a sweep, or a folder of them."""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from gan_cli import checks, files
from gan_cli.build import make_each
from gan_cli.errors import UserError
from gan_cli.evaluation import sweeps
from gan_cli.report import page
from gan_cli.report.claims.base import HELD, NOT_HELD, UNDECIDED, Claim, Judgement
from gan_cli.report.figures import quiz, standard, style, tables
from gan_cli.report.figures.curves import Curves, Figure
from gan_cli.report.figures.progression import METHODS, Stages, animation, first_seeds, frames
from gan_cli.report.figures.style import Drawn
from gan_cli.report.index import write_index
from gan_cli.report.records import reproduce
from gan_cli.report.records.runs import RunRecord, run_records
from gan_cli.runs.console import say
from gan_cli.runs.folder import holds_config

PAGE, FOLDER, SUMMARY = "report.html", "report", "summary.json"
TEXTS = ("title", "source", "shortened")
KEYS = (*TEXTS, "evaluation", "figures", "claims")
"""What a config's ``report`` may say. ``evaluation``: the words that gan-eval is to be asked with once the runs are there."""


def report_command(cfg: DictConfig) -> Path:
    """Writes the page about ``cfg.run`` and returns it; of a folder of several, every page and their index."""
    if cfg.median is not None:
        checks.odd("median", cfg.median)
    folder = Path(cfg.run)
    parts = collected(folder)
    console = Console()
    if not parts:
        return _told(console, write_report(folder, cfg))
    for part in parts:
        try:
            _told(console, write_report(part, cfg))
        except UserError as error:  # one that has not begun hides none of the others
            say(console, f"{part}: {error}")
    return _told(console, write_index(parts, folder / "index.html"))


def collected(folder: Path) -> list[Path]:
    """The runs and sweeps in ``folder``, if it holds experiments rather than being one; empty otherwise.

    It holds experiments if one of its folders is a sweep, or if its runs declare different titles.
    """
    if holds_config(folder) or not folder.is_dir() or (folder / "sweep.json").is_file():
        return []
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    held = [path for path in inside if _is_sweep(path)]
    alone = [path for path in inside if holds_config(path)]
    titles = {str((sweeps.sweep_run(path).config.get("report") or {}).get("title")) for path in alone}
    return sorted([*held, *alone]) if held or len(titles) > 1 else []


def write_report(folder: Path, cfg: DictConfig) -> Path:
    """Makes the whole page in memory, then writes ``report/*.png`` and ``report.html`` of ``folder``.

    Raises UserError where there is no run, nothing is logged yet, or what the config's ``report`` declares is not understood;
    nothing is written then.
    """
    runs = run_records(folder)
    asked, remarks = declared(runs)
    figures: list[Figure] = make_each(OmegaConf.create({"report": asked}), "report.figures", Figure)
    claims: list[Claim] = make_each(OmegaConf.create({"report": asked}), "report.claims", Claim)
    judgements = [claim.judge(runs) for claim in claims]
    begun = [run for run in runs if run.rows]
    own, missing = drawn([_with_median(figure, cfg.median) for figure in figures], begun)
    usual, _ = drawn(standard.figures(begun, cfg.median), begun)
    declares_stages = any(isinstance(figure, Stages) for figure in figures)
    stages, _ = drawn([] if declares_stages else standard.stages(begun, cfg.stages, cfg.median), begun)
    moving = [(run, found) for run in first_seeds(begun)[:METHODS] if (found := frames(run))]
    evaluation = reproduce.evaluation(folder, asked.get("evaluation"))
    if evaluation and not any(run.results for run in runs):
        missing.append(f"not evaluated yet: {evaluation[0]}")
    bars = tables.pictures(runs)
    cards, refusal = _quiz(begun, cfg)
    title = asked.get("title") or folder.resolve().name
    content = {
        "title": title,
        "source": asked.get("source"),
        "shortened": asked.get("shortened"),
        "remarks": [*remarks, *_unready(runs), *missing],
        "counts": counts(judgements),
        "judgements": judgements,
        "figures": own,
        "usual": usual,
        "stages": stages,
        "moving": [(run.name if run.method else "", found) for run, found in moving],
        "tables": tables.tables(runs),
        "bars": bars,
        "cards": cards,
        "refusal": refusal,
        "folder": folder.resolve().name,
        "commands": [*reproduce.commands(runs), *evaluation],
        "config": reproduce.config(begun[0]),
        "config_of": begun[0].name if len(runs) > 1 else "",
        "facts": reproduce.facts(runs),
    }
    html = page.render("report.html", content)
    images: dict[str, bytes] = {}
    for picture in [*own, *stages, *usual, *bars]:
        again_named = sum(name.startswith(picture.slug) for name in images)
        images[f"{picture.slug}{f'_{again_named + 1}' if again_named else ''}.png"] = picture.png
    images |= {f"samples_{style.slug(run.name)}.gif": animation(run) for run, _ in moving}
    summary = {
        "title": title,
        "source": asked.get("source"),
        "shortened": asked.get("shortened"),
        "claims": [
            {"says": one.claim, "state": one.verdict.state, "why": one.verdict.says}
            | {"runs": {name: verdict.says for name, verdict in one.runs.items()}}
            for one in judgements
        ],
        "thumbnail": next(iter(images), None),
    }
    _write(folder, images, summary)
    files.write_bytes(folder / PAGE, html.encode())
    return folder / PAGE


def declared(runs: Sequence[RunRecord]) -> tuple[dict[str, Any], list[str]]:
    """The ``report`` node of the runs' configs, and a remark where they do not agree on it.

    Raises UserError for a node with other keys than ``KEYS``.
    """
    nodes = [(run.name, run.config.get("report") or {}) for run in runs if run.config]
    name, first = nodes[0]
    for key in first:
        if key not in KEYS:
            raise UserError(f"report.{key}: a report has no such key. It has: {', '.join(KEYS)}.")
    others = [other for other, node in nodes if node != first]
    return dict(first), [f"{', '.join(others)}: declared another report than {name}, whose claims are judged"] if others else []


def drawn(figures: Sequence[Figure], runs: Sequence[RunRecord]) -> tuple[list[Drawn], list[str]]:
    """The figures, each under a name of its own, and why some could not be drawn."""
    found: list[Drawn] = []
    missing: list[str] = []
    for figure in figures:
        try:
            found += figure.draw(runs)
        except UserError as error:
            missing.append(f"{figure.title or type(figure).__name__}: {error}")
    return found, missing


def counts(judgements: Sequence[Judgement]) -> Mapping[str, int]:
    """How many claims held, did not, and are undecided."""
    states = Counter(judgement.verdict.state for judgement in judgements)
    return {state: states[state] for state in (HELD, NOT_HELD, UNDECIDED)}


def _quiz(runs: Sequence[RunRecord], cfg: DictConfig) -> tuple[list[quiz.Card], str]:
    """The cards of the first run's samples, and why there are none though samples are images."""
    if not cfg.quiz:
        return [], ""
    try:
        return quiz.cards(runs[0], cfg.quiz, cfg.seed, cfg.root), ""
    except UserError as error:
        return [], str(error)


def _unready(runs: Sequence[RunRecord]) -> list[str]:
    return [f"{run.name}: {run.sweep_run.problem}" for run in runs if run.sweep_run.problem is not None]


def _with_median(figure: Figure, median: int | None) -> Figure:
    """The figure under the command line's filter, unless it has one of its own."""
    return replace(figure, median=median) if isinstance(figure, Curves | Stages) and figure.median is None else figure


def _is_sweep(path: Path) -> bool:
    return not holds_config(path) and any(holds_config(inside) for inside in path.iterdir() if inside.is_dir())


def _write(folder: Path, images: Mapping[str, bytes], summary: Mapping[str, Any]) -> None:
    """Puts a new ``report/`` in the place of the old one."""
    new = folder / f".{FOLDER}.tmp"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    try:
        for name, content in images.items():
            (new / name).write_bytes(content)
        files.write_json(new / SUMMARY, summary)
        shutil.rmtree(folder / FOLDER, ignore_errors=True)
        new.rename(folder / FOLDER)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _told(console: Console, path: Path) -> Path:
    say(console, f"written: {path}")
    return path
