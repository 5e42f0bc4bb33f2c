"""Export of a report: tables as LaTeX and CSV, figures as PDF and SVG with their data, and an archive for each claim."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_cli import files
from gan_cli.evaluation import columns, results
from gan_cli.report.claims.base import Assessment, Claim
from gan_cli.report.export import archive
from gan_cli.report.export.latex import latex
from gan_cli.report.figures import style
from gan_cli.report.figures.style import RenderedFigure
from gan_cli.report.figures.tables import Table
from gan_cli.report.records.runs import RunRecord

TABLES, FIGURES, ARCHIVES = "tables", "figures", "archives"


def export_tables(folder: Path, tables: Sequence[Table], runs: Sequence[RunRecord], source: Path) -> None:
    """Write each table as it is shown, and all numbers of gan-eval and the rankings of a sweep in full precision.

    Args:
        folder: Folder of the tables.
        tables: The tables.
        runs: The runs.
        source: Folder of the run or the sweep, which may hold the rankings of gan-eval.
    """
    taken: set[str] = set()
    for table in tables:
        name = style.unique(style.slug(table.title), taken, "")
        taken.add(name)
        _write(folder / f"{name}.tex", latex(table))
        _write(folder / f"{name}.csv", _csv([dict(zip(["", *table.head[1:]], row, strict=True)) for row in table.rows]))
    numbers = [result for run in runs for result in run.results]
    if numbers:
        named = [row for run in runs if run.results for row in _named(run, runs)]
        _write(folder / "numbers.csv", _csv(named))
    if rankings := _rankings(source):
        _write(folder / "rankings.csv", _csv(columns.ranking_rows(rankings)))


def _named(run: RunRecord, runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Return the rows of a run's numbers, with the columns that tell it apart from the other runs."""
    rows = columns.plain_rows(run.results)
    taken = {key for row in rows for key in row}
    about = columns.columns_of([one.sweep_run for one in runs], taken).get(run.sweep_run.name, {})
    return [{"source": run.folder.name, **about, **row} for row in rows]


def _rankings(folder: Path) -> list[Mapping[str, Any]]:
    path = folder / results.JSON
    if not path.is_file():
        return []
    content = files.read_json(path)
    rankings = content.get("rankings", []) if isinstance(content, dict) else []
    return rankings if isinstance(rankings, list) else []


def export_figures(folder: Path, figures: Iterable[RenderedFigure]) -> None:
    """Write each figure as PDF and SVG, its caption as text, and the numbers that it shows as CSV."""
    taken: set[str] = set()
    for figure in figures:
        name = style.unique(figure.slug, taken, "")
        taken.add(name)
        for suffix in (".pdf", ".svg"):
            files.write_bytes(folder / f"{name}{suffix}", figure.drawing.file(suffix))
        _write(folder / f"{name}.txt", f"{figure.title}\n\n{figure.caption}\n")
        if figure.data:
            _write(folder / f"{name}.csv", _csv(figure.data))


def export_archives(
    folder: Path,
    title: str,
    claims: Sequence[tuple[Claim, Assessment]],
    commands_of: Callable[[Sequence[RunRecord]], Sequence[str]],
    runs: Sequence[RunRecord],
    checkpoints: bool,
) -> None:
    """Write an archive of the runs of each claim, or one of all runs if there are no claims.

    Args:
        folder: Folder of the archives.
        title: Title of the report.
        claims: The claims with their verdicts.
        commands_of: Returns the command lines that make some runs again.
        runs: The runs.
        checkpoints: True to pack checkpoints, too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    begun = [run for run in runs if run.config]
    if not claims:
        archive.pack(folder / "runs.zip", title, None, commands_of(begun), begun, checkpoints)
    for number, (claim, assessment) in enumerate(claims, 1):
        chosen = claim.select(begun)
        name = f"claim_{number}_{style.slug(claim.says)[:40].strip('_.')}.zip"
        archive.pack(folder / name, title, assessment, commands_of(chosen), chosen, checkpoints)


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a table; lists and mappings are written as JSON."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: json.dumps(value) if isinstance(value, list | dict) else value for key, value in row.items()} for row in rows
    )
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    files.write_bytes(path, text.encode())
