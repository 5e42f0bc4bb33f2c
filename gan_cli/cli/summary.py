"""The closing table of a sweep, and ``sweep.json``, which holds the same."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gan_cli import files
from gan_cli.cli.jobs import Job, common_words, swept_columns, swept_keys
from gan_cli.runs import lock
from gan_cli.runs.console import UNBROKEN

NARROWEST, BORDERS = 24, 10
"""Least width of the columns before that of the folders, and width of the borders of the table, in characters."""


def print_summary(
    folder: Path,
    jobs: Sequence[Job],
    done: Iterable[Path],
    excuse: str,
    options: str | None,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> int:
    """Print the closing table, write ``sweep.json``, and return the number of failed jobs.

    Args:
        folder: The folder of the sweep.
        jobs: All jobs of the sweep.
        done: Folders of the jobs that an earlier call had finished.
        excuse: The reason shown for a job that left no result.
        options: Hash of the options that the configs of the jobs were composed of.
        more: Further entries of ``sweep.json``.
    """
    common, swept = common_words([job.overrides for job in jobs]), swept_keys([job.overrides for job in jobs])
    left = Console().width - max(len(job.subdir) for job in jobs) - BORDERS
    table = Table()
    for name in ("job", "result"):
        table.add_column(name, max_width=max(NARROWEST, left // 2))
    table.add_column("folder", no_wrap=True)  # the last one, which is not broken, so that it can be copied
    rows, failed, pruned = [], 0, 0
    for job in jobs:
        result = job.result() or {"status": "failed", "reason": excuse}
        if result["status"] != "finished" and (in_use := lock.holder(job.folder)):
            result = {"status": "failed", "reason": in_use}
        if result["status"] == "finished":
            early = f", stopped early at step {result['step']}" if "early_stopping" in result else ""
            outcome = Text(_number(result.get("metric"), "finished earlier" if job.folder in done else "") + early)
        elif result["status"] == "pruned":
            pruned += 1
            outcome = Text(f"pruned at step {result['step']}, {_number(result.get('metric'), '')}")
        else:
            failed += 1
            outcome = Text(result.get("reason", ""), style="red")
        own = " ".join(word for word in job.overrides if word not in common)
        table.add_row(Text(own or "defaults"), outcome, Text(job.subdir))
        place = {"overrides": job.overrides, "folder": str(job.folder), "subdir": job.subdir}
        rows.append({**swept_columns(job.overrides, swept), **place, **result})
    files.write_json(folder / "sweep.json", {"options": options, "jobs": rows, **more})
    if common:
        print("all jobs:", *sorted(common))
    Console(width=UNBROKEN).print(table)
    also = f", {pruned} were pruned" if pruned else ""
    finished = f"{len(jobs) - failed - pruned} of {len(jobs)} jobs finished{also}"
    print(f"{finished}. They lie in {folder}, their numbers in sweep.json there.")
    if failed:
        again = shlex.quote(f"hydra.sweep.dir={folder}")
        print(f"The same sweep, started again with {again}, skips the finished ones.")
    return failed


def _number(metric: dict[str, Any] | None, earlier: str) -> str:
    """Return the metric of a finished job, if it has one, and that it finished ``earlier``."""
    if not metric or metric.get("final") is None:
        return earlier or "finished"
    return f"{metric['name']} {metric['final']:.4g}{f' ({earlier})' if earlier else ''}"
