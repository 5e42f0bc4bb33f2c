"""How to run it again, and what it ran on."""

import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from omegaconf import OmegaConf

from gan_cli import __version__
from gan_cli.report.records.runs import RunRecord


def commands(runs: Sequence[RunRecord]) -> list[str]:
    """What trains these runs: one line for a run, or for a sweep whose runs are a grid; else a line for each.

    Empty where nobody recorded the overrides: ``config.yaml`` holds everything then.
    """
    words = [list(run.sweep_run.overrides) for run in runs if run.sweep_run.overrides is not None]
    if len(words) != len(runs):
        return []
    if len(words) == 1:
        return [shlex.join(["gan-train", *words[0]])]
    values: dict[str, dict[str, None]] = {}
    for word in (word for line in words for word in line):
        key, _, value = word.partition("=")
        values.setdefault(key, {})[value] = None
    whole = all(len(line) == len(values) for line in words)
    if whole and np.prod([len(found) for found in values.values()]) == len({tuple(sorted(line)) for line in words}):
        return [shlex.join(["gan-train", "-m", *(f"{key}={','.join(found)}" for key, found in values.items())])]
    return [shlex.join(["gan-train", *line]) for line in words]


def evaluation(folder: Path, words: Sequence[str] | None) -> list[str]:
    """The line that evaluates what lies in ``folder``, where the report asks for it in these ``words``."""
    return [] if not words else [shlex.join(["gan-eval", str(folder), *words])]


def config(run: RunRecord) -> str:
    """``config.yaml`` of a run, without what is only for the report."""
    return OmegaConf.to_yaml(OmegaConf.create({key: value for key, value in run.config.items() if key != "report"}))


def facts(runs: Sequence[RunRecord]) -> Mapping[str, str]:
    """What was trained, how long that took, and where the report was written."""
    begun = [run for run in runs if run.rows]
    seconds = [run.result["seconds"] for run in begun if "seconds" in run.result]
    measuring = [run.result.get("seconds_evaluating", 0.0) for run in begun if "seconds" in run.result]
    speed = [np.median(values) for run in begun if len(values := run.series("time/samples_per_second").finite().values)]
    players = dict.fromkeys(f"{name} {_grouped(count)}" for run in begun for name, count in run.parameters.items())
    shares = f"{sum(measuring) / max(sum(seconds), 1e-9):.0%} of it for the metric"
    devices = {f"{run.config['device']}, {run.config['precision']}" for run in begun if "device" in run.config}
    return {
        "runs": f"{sum(run.sweep_run.problem is None for run in runs)} of {len(runs)} finished",
        "steps": " or ".join(sorted({str(run.step) for run in begun}, key=int)),
        "device asked for": " or ".join(sorted(devices)),
        **({"time": f"{_duration(sum(seconds))} in all, {shares}"} if seconds else {}),
        **({"speed": f"{_grouped(np.median(speed))} samples a second, over all turns"} if speed else {}),
        **({"parameters and buffers": ", ".join(players)} if players else {}),
        "written by": f"gan-cli {__version__}, torch {torch.__version__}, Python {platform.python_version()}",
        "written on": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
    }


def _grouped(number: float) -> str:
    return f"{number:,.0f}".replace(",", "\u202f")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
