"""The gan-report command behind its command line: a page, an export for papers, or a comparison with an archive."""

import os
import re
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from gan_cli.cli.app import without_hydra
from gan_cli.cli.loading import loading
from gan_cli.config.compose import compose, loader, readable
from gan_cli.config.grammar import quote
from gan_cli.config.schema import REPORT_TEXTS
from gan_cli.config.trust import importable, remember_targets
from gan_cli.errors import UserError
from gan_cli.runs.folder import run_folder


def launch_report(overrides: list[str], config_dir: str | None = None) -> None:
    """Write the page about the run or sweep that ``run=`` names, as ``conf/report.yaml`` under ``overrides`` says.

    Overrides of ``report.KEY`` change the report that the runs declare.
    """
    cfg, changes = _report_config(overrides, config_dir)
    with importable(os.getcwd(), cfg.trust, config_dir):
        with loading():
            from gan_cli.report.command import report_command

        report_command(cfg, changes)


def launch_paper(overrides: list[str], config_dir: str | None, export: str | None, archive: str | None) -> None:
    """Export the report of ``run=`` into the folder ``export``, or compare its runs with an ``archive``.

    Raises:
        SystemExit: With code 1 if the runs differ from those in the archive.
    """
    cfg, changes = _report_config(overrides, config_dir)
    with importable(os.getcwd(), cfg.trust, config_dir):
        with loading():
            from gan_cli.report.export.command import check_command, export_command

        if export is not None:
            export_command(cfg, Path(export).expanduser(), changes)
        elif archive is not None and not check_command(cfg, Path(archive).expanduser()):
            raise SystemExit(1)


def _report_config(overrides: list[str], config_dir: str | None) -> tuple[DictConfig, dict[str, Any]]:
    """Return the config of a report, and the changes of the report that the runs declare."""
    cfg = compose(loader(config_dir), "report", [word for word in overrides if not is_report_key(word)])
    changes = report_changes([word for word in overrides if is_report_key(word)])
    if not Path(cfg.run).is_dir():
        run_folder(cfg.run)
    return without_hydra(cfg), changes


def is_report_key(word: str) -> bool:
    """Return True if an override sets a key of the declared report, as ``report.title=...``."""
    return word.lstrip("+~").startswith("report.")


def report_changes(words: list[str]) -> dict[str, Any]:
    """Return the values that the words give to keys of the report, without ``report.``; None for a key that is removed.

    Titles and other texts need no quotes. Modules that the words name are trusted, as the user has typed them.

    Raises:
        UserError: If a value cannot be read.
    """
    changes: dict[str, Any] = {}
    for word in words:
        key, assigned, value = word.partition("=")
        name = key.lstrip("+~").removeprefix("report.")
        if name in REPORT_TEXTS and assigned and value != "null" and not re.fullmatch(r"'.*'|\".*\"", value, re.DOTALL):
            value = quote(value)
        with readable():
            [override] = OverridesParser.create().parse_overrides([f"{key}={value}" if assigned else key])
        if override.is_sweep_override():
            raise UserError(f"{word} names several values. A list is written {key}=[a,b].")
        changes[name] = None if override.is_delete() else override.value()
    remember_targets(changes)
    return changes
