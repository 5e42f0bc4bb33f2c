"""Jobs of a sweep that submitit sends to Slurm, or starts as processes of this machine that stand for it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from gan_cli import files
from gan_cli.cli.launchers import is_slurm
from gan_cli.config.form import FormError
from gan_cli.errors import UserError

SENT = Path(".submitit", "sent.json")
"""File of a sweep's folder: the number that Slurm has given to each job, by the job's folder."""
PAUSES = (1, 1, 2, 2, 5, 5, 10, 10, 30)
"""Seconds between two questions to Slurm; the last one is repeated."""


def check(launcher: Any) -> None:
    """Check that jobs can be sent from here.

    Args:
        launcher: The node of the launcher's config.

    Raises:
        UserError: If they go to Slurm, and it is not here.
    """
    if is_slurm(launcher) and shutil.which("sbatch") is None:
        raise UserError("hydra/launcher=submitit_slurm needs sbatch, which is missing here. Start the sweep on a login node.")


def launch(launcher: Any, sweep: Path, jobs: Mapping[str, Sequence[str]], started: int) -> None:
    """Send jobs, except those that Slurm still has from an earlier call, and wait until all of them have ended.

    Args:
        launcher: One of the launchers of hydra-submitit-launcher.
        sweep: Folder of the sweep.
        jobs: Maps the path of a job's folder within the sweep's to its overrides.
        started: Number of jobs that were sent before.
    """
    to_slurm = launcher._EXECUTOR == "slurm"
    there = (_queued() or set()) if to_slurm and (sweep / SENT).is_file() else set()
    awaited = {subdir: number for subdir, number in _read(sweep).items() if subdir in jobs and number in there}
    if awaited:
        print(f"{len(awaited)} of the jobs are queued or running since an earlier call: {_listed(awaited)}", flush=True)
    todo = {subdir: words for subdir, words in jobs.items() if subdir not in awaited}
    if todo:
        with _noting(sweep, list(todo), to_slurm) as sent:
            launcher.launch(list(todo.values()), initial_job_idx=started)
        awaited |= sent
    if to_slurm:
        _wait_for(set(awaited.values()))


@contextmanager
def _noting(sweep: Path, subdirs: Sequence[str], to_slurm: bool) -> Iterator[dict[str, str]]:
    """Yield a table in which each job's number is noted when Hydra's launcher sends them, by the job's folder."""
    submitit: Any = import_module("submitit")
    made_by, numbers = submitit.AutoExecutor, dict[str, str]()

    def executor(**settings: Any) -> Any:
        made = made_by(**settings)
        send = made.map_array

        def noted(*arguments: Any) -> list[_Sent]:
            sent = send(*arguments)
            numbers.update({subdir: str(job.job_id) for subdir, job in zip(subdirs, sent, strict=True)})
            where = "Slurm" if to_slurm else "processes of their own"
            print(f"sent to {where}: {_listed(numbers)}; what they print is in {sweep / SENT.parent}")
            if to_slurm:
                files.write_json(sweep / SENT, _read(sweep) | numbers)
                print("Ctrl-C leaves them there. The same sweep, started again, waits for them and writes the table.")
            sys.stdout.flush()
            return [_Sent(None if to_slurm else job) for job in sent]

        made.map_array = noted
        return made

    submitit.AutoExecutor = executor
    try:
        yield numbers
    finally:
        submitit.AutoExecutor = made_by


class _Sent:
    """A job whose outcome is in its ``result.json``: one that dies does not keep Hydra's launcher from waiting for others.

    Args:
        job: A job of submitit that is awaited. None: Slurm is asked for it later. submitit would ask Slurm's accounting, which
            not every cluster has.
    """

    def __init__(self, job: Any) -> None:
        self.job = job

    def results(self) -> list[None]:
        """Wait for the end of the job."""
        if self.job is not None:
            self.job.wait()
        return [None]


def _wait_for(numbers: set[str]) -> None:
    """Wait until Slurm neither has jobs of these numbers in its queue nor runs them."""
    pauses = iter(PAUSES)
    while (there := _queued()) is None or numbers & there:
        time.sleep(next(pauses, PAUSES[-1]))


def _queued() -> set[str] | None:
    """Return the numbers of this user's jobs that are queued or running, None if Slurm does not answer."""
    command = ["squeue", "--noheader", "--array", "--format=%i", f"--user={os.getuid()}"]
    answer = subprocess.run(command, capture_output=True, text=True)
    return set(answer.stdout.split()) if answer.returncode == 0 else None


def _read(sweep: Path) -> dict[str, str]:
    with suppress(OSError, UserError, FormError, TypeError, AttributeError):
        return {str(subdir): str(number) for subdir, number in files.read_json(sweep / SENT).items()}
    return {}


def _listed(numbers: Mapping[str, str]) -> str:
    """Return the numbers of jobs, the first and the last of many."""
    listed = list(numbers.values())
    return " ".join(listed) if len(listed) <= 4 else f"{listed[0]} to {listed[-1]}"
