"""The gan-report command: a page for a run, a sweep, or a folder of experiments."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from gan_cli import checks, files
from gan_cli.activity import activity, counted
from gan_cli.build import make
from gan_cli.config import trust
from gan_cli.config.instantiate import Role
from gan_cli.config.schema import REPORT_TEXTS
from gan_cli.errors import UserError
from gan_cli.evaluation import sweeps
from gan_cli.report import page
from gan_cli.report.claims.assessments import CLAIM_STATES, IDENTITY_STATES, as_identity, count_states, stored, violations
from gan_cli.report.claims.base import Claim, describe_shortened
from gan_cli.report.figures import quiz, sections, style, tables
from gan_cli.report.figures.curves import Figure
from gan_cli.report.figures.progression import Progression, animated_gif
from gan_cli.report.figures.requested import requested
from gan_cli.report.figures.search import search_figures
from gan_cli.report.figures.style import RenderedFigure
from gan_cli.report.index import write_index
from gan_cli.report.records import reproduce
from gan_cli.report.records.data import data_records
from gan_cli.report.records.primary import primary_metric, resolve_primary
from gan_cli.report.records.runs import RunRecord, run_records
from gan_cli.report.records.search import read_search
from gan_cli.runs.console import displayed, say
from gan_cli.runs.folder import holds_config, refuse_links

PAGE, FOLDER, SUMMARY = "report.html", "report", "summary.json"
REPORT_KEYS = (*REPORT_TEXTS, "evaluation", "figures", "claims", "identities")
"""Keys of a config's ``report`` node. ``evaluation`` holds the overrides for gan-eval that the report expects."""


NO_CHANGES: Mapping[str, Any] = {}
"""The declared report as it is."""


def report_command(cfg: DictConfig, changes: Mapping[str, Any] = NO_CHANGES) -> Path:
    """Write the report of ``cfg.run``, or all reports and their index if it is a folder of experiments.

    Args:
        cfg: Config of gan-report.
        changes: Maps dotted keys of the declared reports to their new values, as in ``{"title": "Ring"}``; None removes one.

    Returns:
        The HTML file of the report or of the index.

    Raises:
        UserError: If there is no run, nothing has been logged yet, or the declared report is invalid.
    """
    if cfg.median is not None:
        checks.odd("median", cfg.median)
    folder = Path(cfg.run)
    parts = experiment_folders(folder)
    console = Console()
    with displayed(console):
        if not parts:
            with activity(f"report on {folder}"):
                page = write_report(folder, cfg, changes)
            return _announce(console, page)
        for part in counted("reports", parts):
            try:
                with activity(part.name):
                    page = write_report(part, cfg, changes)
                _announce(console, page)
            except UserError as error:  # a run without logged numbers must not prevent the other reports
                say(console, f"{part}: {error}")
    return _announce(console, write_index(parts, folder / "index.html"))


def experiment_folders(folder: Path) -> list[Path]:
    """Return the runs and sweeps in ``folder`` if it holds several experiments; empty if it is a single one.

    A folder holds several experiments if one of its subfolders is a sweep, or if its runs declare different titles.
    """
    if holds_config(folder) or not folder.is_dir() or (folder / "sweep.json").is_file():
        return []
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir())
    nested_sweeps = [path for path in subfolders if _is_sweep(path)]
    single_runs = [path for path in subfolders if holds_config(path)]
    titles = {str((sweeps.sweep_run(path).config.get("report") or {}).get("title")) for path in single_runs}
    return sorted([*nested_sweeps, *single_runs]) if nested_sweeps or len(titles) > 1 else []


class Page(NamedTuple):
    """A report in memory.

    Attributes:
        content: What the template shows, by name.
        figures: All figures, in the order of the page.
        claims: The claims, in the order of ``content["assessments"]``.
        runs: The runs.
    """

    content: dict[str, Any]
    figures: list[RenderedFigure]
    claims: list[Claim]
    runs: list[RunRecord]


def write_report(folder: Path, cfg: DictConfig, changes: Mapping[str, Any] = NO_CHANGES) -> Path:
    """Render the whole page in memory, then write ``report/*.png`` and ``report.html`` into ``folder``.

    Args:
        folder: Folder of a run or a sweep.
        cfg: Config of gan-report.
        changes: New values of keys of the declared report.

    Returns:
        The HTML file.

    Raises:
        UserError: If there is no run, nothing has been logged yet, or the declared report is invalid. Nothing is written then.
    """
    files.require_writable(folder, "Copy it to a folder where you may write.")
    made = make_page(folder, cfg, changes)
    content = made.content
    html = page.render_page("report.html", content)
    images: dict[str, bytes] = {}
    for figure in counted("rendering figures", made.figures):
        images[style.unique(figure.slug, images, ".png")] = figure.png
    for run, _ in counted("rendering animations", content["samples"].animations):
        images[style.unique(f"samples_{style.slug(run.name)}", images, ".gif")] = animated_gif(run)
    summary = {
        **{key: content[key] for key in ("title", "source", "differences")},
        "seconds": sum(run.result.get("seconds", 0.0) for run in made.runs),
        "claims": [stored(one) for one in content["assessments"]],
        "identities": [stored(one) for one in content["identities"]],
        "thumbnail": next(iter(images), None),
    }
    _write(folder, images, summary)
    files.write_bytes(folder / PAGE, html.encode())
    return folder / PAGE


def make_page(folder: Path, cfg: DictConfig, changes: Mapping[str, Any] = NO_CHANGES) -> Page:
    """Read the runs in ``folder``, and make everything that their report shows. The arguments are those of ``write_report``.

    Raises:
        UserError: If there is no run, nothing has been logged yet, or the declared report is invalid.
    """
    refuse_links(folder)
    with activity("reading runs"):
        runs = run_records(folder)
    node, remarks = declared_report(runs, changes)
    trust.check({"report": node}, folder)
    figures = [*requested(cfg, runs), *make_each(OmegaConf.create({"report": node}), "report.figures", Figure)]
    claims: list[Claim] = make_each(OmegaConf.create({"report": node}), "report.claims", Claim)
    checked: list[Claim] = make_each(OmegaConf.create({"report": node}), "report.identities", Claim)
    assessments = [claim.assess(runs) for claim in counted("assessing claims", claims)]
    identities = [as_identity(identity.assess(runs)) for identity in counted("checking identities", checked)]
    logged = [run for run in runs if run.rows]
    declared, missing = sections.declared(figures, logged, cfg.median)
    training = sections.training(logged, cfg)
    samples = sections.samples(logged, cfg, progressions=not any(isinstance(figure, Progression) for figure in figures))
    missing += samples.missing
    evaluation = reproduce.evaluation_commands(folder, runs, node.get("evaluation"))
    if evaluation and not any(run.results for run in runs):
        missing.append(f"not evaluated yet: {evaluation[0]}")
    bars, searched = tables.ranking_figures(runs), search_figures(read_search(folder))
    with activity("drawing the quiz"):
        cards, quiz_problem = _quiz_cards(logged, cfg)
    with activity("composing the command lines"):
        commands = reproduce.training_commands(runs)
    content = {
        "title": node.get("title") or folder.resolve().name,
        "source": node.get("source"),
        "differences": node.get("differences"),
        "shortened": describe_shortened(runs),
        "remarks": [*violations(identities), *remarks, *_problems(runs), *missing],
        "counts": count_states([one.verdict.state for one in assessments], CLAIM_STATES),
        "assessments": assessments,
        "identity_counts": count_states([one.verdict.state for one in identities], IDENTITY_STATES),
        "identities": identities,
        "declared_figures": declared,
        "training": training,
        "samples": samples,
        "animations": [(run.name if run.method else "", frames) for run, frames in samples.animations],
        "tables": tables.tables(runs),
        "bars": bars,
        "search": searched,
        "cards": cards,
        "quiz_problem": quiz_problem,
        "folder": folder.resolve().name,
        "evaluation": evaluation,
        "commands": [*commands, *evaluation],
        "config": reproduce.config_yaml(logged[0]),
        "config_of": logged[0].name if len(runs) > 1 else "",
        "facts": reproduce.facts(runs),
        "data": data_records(runs),
    }
    return Page(content, [*declared, *samples.figures, *training, *bars, *searched], claims, runs)


def declared_report(runs: Sequence[RunRecord], changes: Mapping[str, Any] = NO_CHANGES) -> tuple[dict[str, Any], list[str]]:
    """Return the ``report`` node of the runs' configs, with the tag of their primary metric, and a remark if they differ in it.

    Args:
        runs: The runs.
        changes: New values by dotted key of the node; None removes a key.

    Raises:
        UserError: If the node has a key that is not in ``REPORT_KEYS``.
    """
    nodes = [(run.name, run.config.get("report") or {}) for run in runs if run.config]
    name, own = nodes[0]
    first = _changed(own, changes)
    for key in first:
        if key not in REPORT_KEYS:
            raise UserError(f"report.{key}: a report has no such key. Its keys are {', '.join(REPORT_KEYS)}.")
    others = [other for other, node in nodes if node != own]
    remark = f"{', '.join(others)}: the config declares another report than {name}; the claims of {name} are assessed"
    name_of_metric = primary_metric(tag for run in runs for tag in run.tags)
    declared = dict(first) if name_of_metric is None else resolve_primary(dict(first), name_of_metric)
    return declared, [remark] if others else []


def make_each(cfg: DictConfig, key: str, role: type[Role]) -> list[Role]:
    """Return the components in the list at ``key``; none if there is no list."""
    nodes = OmegaConf.select(cfg, key)
    if nodes is not None and not OmegaConf.is_list(nodes):
        raise UserError(f"{key} must be a list of nodes, each with a _target_.")
    return [make(cfg, f"{key}.{index}", role) for index in range(len(nodes or ()))]


def _changed(node: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``report`` node under the changes."""
    changed = OmegaConf.create(dict(node))
    for key, value in changes.items():
        try:
            OmegaConf.update(changed, key, value, merge=False)
        except (OmegaConfBaseException, ValueError, IndexError, AssertionError) as error:
            raise UserError(f"report.{key}: the report that is declared has no such entry.") from error
    plain = OmegaConf.to_container(changed)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if value is not None}


def _quiz_cards(runs: Sequence[RunRecord], cfg: DictConfig) -> tuple[list[quiz.Card], str]:
    """Return the cards of the first run, and the reason why there are none although its samples are images."""
    if not cfg.quiz:
        return [], ""
    try:
        return quiz.cards(runs[0], cfg.quiz, cfg.seed, cfg.root), ""
    except UserError as error:
        return [], str(error)


def _problems(runs: Sequence[RunRecord]) -> list[str]:
    """Return why runs cannot be compared; a search may have pruned so many that their number says enough."""
    pruned = sum(run.result.get("status") == "pruned" for run in runs)
    problems = {run.name: run.sweep_run.problem for run in runs if run.result.get("status") != "pruned"}
    counted = [f"{pruned} of {len(runs)} runs were pruned"] if pruned else []
    return [*counted, *(f"{name}: {problem}" for name, problem in problems.items() if problem is not None)]


def _is_sweep(path: Path) -> bool:
    return not holds_config(path) and any(holds_config(inside) for inside in path.iterdir() if inside.is_dir())


def _write(folder: Path, images: Mapping[str, bytes], summary: Mapping[str, Any]) -> None:
    """Replace the old ``report/`` folder by a new one."""
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


def _announce(console: Console, path: Path) -> Path:
    say(console, f"written: {path}")
    return path
