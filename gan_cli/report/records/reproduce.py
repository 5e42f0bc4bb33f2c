"""Commands that reproduce runs, and facts about the runs and the machine."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from omegaconf import OmegaConf

from gan_cli.report.records.runs import RunRecord
from gan_cli.runs import environment, started


def training_commands(runs: Sequence[RunRecord]) -> list[str]:
    """Return the commands that train these runs again, in new folders.

    Returns:
        One line for a single run, or for a sweep that can be written in one, else one line for each run whose config a command
        line composes.
    """
    begun = [run for run in runs if run.config]
    recorded = [run.sweep_run.overrides for run in begun]
    if len(begun) > 1 and len(begun) == len(runs):
        sweep = started.sweep_again([run.folder for run in begun], [run.config for run in begun], recorded)
        if sweep is not None:
            return [started.in_one_line(sweep)]
    lines = [started.again(run.folder, run.config, words) for run, words in zip(begun, recorded, strict=True)]
    return [started.in_one_line(line) for line in lines if line is not None]


def evaluation_commands(folder: Path, runs: Sequence[RunRecord], overrides: Sequence[str] | None) -> list[str]:
    """Return the gan-eval command for the runs in ``folder``, with the folder of the user's own options.

    Args:
        folder: Folder of the run or the sweep.
        runs: The runs in it. If they were started with several folders of own options, the command names none.
        overrides: What the report declares. None: nothing, and there is no command.
    """
    if not overrides:
        return []
    places = {started.trusted_options(run.folder) for run in runs if run.config} - {None}
    shared = started.options_arguments(places.pop()) if len(places) == 1 else []
    return [shlex.join(["gan-eval", str(folder), *shared, *overrides])]


def config_yaml(run: RunRecord) -> str:
    """Return the config of a run as YAML, without its ``report`` node."""
    return OmegaConf.to_yaml(OmegaConf.create({key: value for key, value in run.trained_config.items() if key != "report"}))


def facts(runs: Sequence[RunRecord]) -> Mapping[str, str]:
    """Return facts about the runs and about the machines that they ran on, as text by name."""
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
        "device (as configured)": " or ".join(sorted(devices)),
        **({"time": f"{_duration(sum(seconds))} in all, {shares}"} if seconds else {}),
        **({"speed": f"{_grouped(np.median(speed))} samples a second, over all turns"} if speed else {}),
        **({"parameters and buffers": ", ".join(players)} if players else {}),
        **_environments(begun),
    }


def _environments(runs: Sequence[RunRecord]) -> dict[str, str]:
    """Return what the runs ran with and on, at every start and resume, as far as it was recorded."""
    records = [environment.read(run.folder) for run in runs]
    entries = [entry for record in records for entry in record]
    code = [f"{name} {one['sha256'][:12]}" for entry in entries for name, one in entry.modules.items()]
    texts = {
        "ran with": [environment.software(entry.facts) for entry in entries],
        "ran on": [environment.hardware(entry.facts) for entry in entries],
        "modules of its own": [", ".join(dict.fromkeys(code))],
    }
    return {name: " or ".join(dict.fromkeys(found)) for name, found in texts.items() if any(found)}


def _grouped(number: float) -> str:
    return f"{number:,.0f}".replace(",", "\u202f")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
