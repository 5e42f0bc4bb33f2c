"""The flags of gan-report for papers: ``--export`` and ``--check``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from gan_cli import files
from gan_cli.activity import activity
from gan_cli.errors import UserError
from gan_cli.report.command import NO_CHANGES, experiment_folders, make_page
from gan_cli.report.export import paper
from gan_cli.report.export.check import check
from gan_cli.report.records import reproduce
from gan_cli.runs.console import displayed, say


def export_command(cfg: DictConfig, out: Path, changes: Mapping[str, Any] = NO_CHANGES) -> None:
    """Write the tables, the figures and an archive of the runs of each claim for a paper.

    Args:
        cfg: Config of gan-report.
        out: Folder for them; files of the same names are replaced.
        changes: New values of keys of the declared report.

    Raises:
        UserError: If there is no run or sweep, or the folder cannot be written.
    """
    folder, console = Path(cfg.run), Console()
    if experiment_folders(folder):
        raise UserError(f"{folder} holds several experiments: export them one by one.")
    if out.exists() and not out.is_dir():
        raise UserError(f"--export {out}: this is a file. Name a folder.")
    files.require_writable(out, "Name another folder.")
    with displayed(console), activity(f"exporting {folder}"):
        made = make_page(folder, cfg, changes)
        content = made.content
        claims = list(zip(made.claims, content["assessments"], strict=True))
        paper.export_tables(out / paper.TABLES, content["tables"], made.runs, folder)
        paper.export_figures(out / paper.FIGURES, made.figures)
        paper.export_archives(
            out / paper.ARCHIVES,
            content["title"],
            claims,
            lambda runs: [*reproduce.training_commands(runs), *content["evaluation"]],
            made.runs,
            cfg.checkpoints,
        )
    for name in (paper.TABLES, paper.FIGURES, paper.ARCHIVES):
        if found := list((out / name).glob("*")):
            say(console, f"written: {out / name} ({len(found)} files)")


def check_command(cfg: DictConfig, archive: Path) -> bool:
    """Print how the run or the sweep ``cfg.run`` compares with an archive of ``export_command``; True if nothing differs."""
    return check(archive, Path(cfg.run), Console(soft_wrap=True))
