"""Sweeps that can be restarted: each job has its own folder, finished jobs are skipped, and a table closes the sweep."""

import os
import shlex
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gan_cli import files
from gan_cli.cli.combinations import combinations
from gan_cli.cli.quoting import quote
from gan_cli.config.compose import TARGET, compose, readable
from gan_cli.config.hydra_internals import BasicSweeper, job_subdir, register_plugin
from gan_cli.config.identity import config_hash
from gan_cli.config.trust import importable
from gan_cli.errors import UserError
from gan_cli.own_code import reason
from gan_cli.runs import environment, lock
from gan_cli.runs.folder import holds_run, read_result
from gan_cli.runs.lock import InUse, locked
from gan_cli.runs.signals import passed_on

ASIDE = "earlier_code"
"""Folder of a sweep for the runs that are repeated because modules of the user's own have changed."""


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Attributes:
        overrides: Its overrides.
        folder: Its folder.
        subdir: The folder's path within the sweep's.
        config: The hash of its config.
        again: True if it is run again, because modules of the user's own have changed since.
    """

    overrides: list[str]
    folder: Path
    subdir: str
    config: str
    again: bool = False

    def result(self) -> dict[str, Any] | None:
        """Return the result in the job's folder, or None if it is missing or belongs to another config."""
        found = read_result(self.folder)
        return found if found and found.get("config") == self.config else None

    def is_finished(self) -> bool:
        """Return True if the job has finished."""
        return (self.result() or {}).get("status") == "finished"


class Sweep(BasicSweeper):
    """Hydra's basic sweeper, except that it skips finished jobs and that a failed job does not hide the results of others.

    A job is identified by its folder (``hydra.sweep.dir`` and its overrides) and by the hash of its config. Its outcome is
    read from its ``result.json`` and therefore survives the process that ran it.

    Args:
        max_batch_size: Jobs that are handed to the launcher at a time; None: all of them.
        params: Maps a key to its comma-separated values; all combinations are swept.
        cases: Lists of overrides, each of which is combined with all of ``params``; for sweeps that are not a grid. Keys
            given on the command line take precedence over ``params`` and ``cases``.
    """

    __module__ = TARGET.rpartition(".")[0]

    def __init__(
        self,
        max_batch_size: int | None,
        params: dict[str, str] | None = None,
        cases: Sequence[Sequence[str]] | None = None,
    ) -> None:
        super().__init__(max_batch_size, params)
        self.cases = cases

    def sweep(self, arguments: list[str]) -> None:
        """Run every combination that ``arguments`` describe.

        Raises:
            UserError: If the config of a job is invalid; raised before any job starts.
            SystemExit: With code 1, after the table has been printed, if a job failed.
        """
        assert self.hydra_context is not None
        folder = self._folder()
        configs = self.hydra_context.config_loader
        jobs = self._plan(combinations(self.params, self.cases, arguments, configs), configs)
        size = self.max_batch_size or max(1, len(jobs))
        batches = [jobs[start : start + size] for start in range(0, len(jobs), size)]
        folder.mkdir(parents=True, exist_ok=True)
        for job in jobs:
            if job.again:
                with locked(job.folder):
                    environment.put_aside(job.folder, folder / ASIDE)
        done = {job.folder for job in jobs if job.is_finished()}
        excuse, started = "interrupted", 0
        try:
            with passed_on() if self._has_workers() else nullcontext():
                for batch in batches:
                    todo = [job for job in batch if job.folder not in done]
                    self._launch(todo, started)
                    started += len(todo)
            excuse = "ended without a result"
        except Exception as error:  # the launcher lost its workers, not one job its way
            excuse = reason(error)
        finally:
            failed = print_summary(folder, jobs, done, excuse)
        if failed:
            raise SystemExit(1)

    def _plan(self, batch: Sequence[list[str]], configs: ConfigLoader) -> list[Job]:
        """Return the jobs, equal ones once.

        Raises:
            UserError: If the config of a job is invalid, its folder holds another run, or two jobs share a folder.
        """
        assert self.config is not None
        # as they were written: their interpolations are of the job's config
        ours = OmegaConf.to_container(self.config.hydra.overrides.hydra, resolve=False)
        assert isinstance(ours, list)
        jobs: dict[str, Job] = {}
        for overrides in batch:
            try:
                cfg = compose(configs, "train", [*ours, *overrides])
                with readable():
                    subdir = os.path.normpath(job_subdir(cfg, len(jobs)))
                folder = self._folder() / subdir
                if subdir == os.curdir:
                    raise UserError("hydra.sweep.subdir is the folder of the sweep itself: give each job one of its own.")
                again = holds_run(folder, cfg) and self._has_changed_code(folder, cfg)
            except UserError as error:
                raise UserError(f"job {' '.join(overrides)}: {error}") from error
            other = jobs.setdefault(subdir, Job(overrides, folder, subdir, config_hash(cfg), again))
            if sorted(other.overrides) != sorted(overrides):
                if other.config == config_hash(cfg):
                    raise UserError(
                        f"the jobs {' '.join(other.overrides)} and {' '.join(overrides)} are one run: what differs does not "
                        "affect the result.\nGive such a key a single value."
                    )
                raise UserError(
                    f"hydra.sweep.subdir gives two jobs the same folder {folder}: {' '.join(other.overrides)} and "
                    f"{' '.join(overrides)}.\nLeave it out, or name in it every key that is swept, as in run_${{seed}}."
                )
        return list(jobs.values())

    def _has_changed_code(self, folder: Path, cfg: DictConfig) -> bool:
        with importable(os.getcwd()):
            changed = environment.changed_modules(folder, cfg)
        if changed and cfg.code == "same":
            raise UserError(
                f"changed since {folder} was trained: {', '.join(changed)}.\n"
                f"Add code=new to run such jobs again (what they have done goes to {self._folder() / ASIDE}), "
                "or code=ignore to keep their results."
            )
        return bool(changed)

    def _folder(self) -> Path:
        assert self.config is not None
        return Path(self.config.hydra.sweep.dir)

    def _has_workers(self) -> bool:
        """Return True if the jobs run in other processes of this machine."""
        assert self.config is not None
        launcher = self.config.hydra.launcher
        if not is_parallel(launcher):
            return False
        from joblib import effective_n_jobs

        return bool(effective_n_jobs(launcher.n_jobs) > 1)

    def _launch(self, jobs: list[Job], started: int) -> None:
        assert self.config is not None
        assert self.launcher is not None
        if not jobs:  # some launchers do not take an empty list
            return
        shared = _thread_share(self.config.hydra.launcher, len(jobs))
        shared = [*shared, f"hydra.sweep.dir={quote(str(self._folder()))}"]
        overrides = [[*job.overrides, *shared, f"hydra.sweep.subdir={quote(job.subdir)}"] for job in jobs]
        for job in jobs:
            forget_failure(job)
        self.launcher.launch(overrides, initial_job_idx=started)


def is_parallel(launcher: Any) -> bool:
    """Return True if ``launcher``, the node of its config, runs several jobs on this machine at a time."""
    return "joblib" in launcher._target_


def forget_failure(job: Job) -> None:
    """Remove the result of an earlier attempt of a job, unless it is finished or another process works in its folder."""
    if job.folder.is_dir():
        with suppress(InUse), locked(job.folder):
            if not job.is_finished():
                (job.folder / "result.json").unlink(missing_ok=True)


def _thread_share(launcher: DictConfig, n_jobs: int) -> list[str]:
    """Return the override that limits each of ``n_jobs`` parallel jobs on this machine to its share of the CPU threads."""
    if not is_parallel(launcher):
        return []
    from joblib import cpu_count, effective_n_jobs

    workers = min(effective_n_jobs(launcher.n_jobs), n_jobs)
    return [f"++hydra.job.env_set.GAN_CLI_THREADS={max(1, cpu_count() // workers)}"]


def print_summary(folder: Path, jobs: Sequence[Job], done: Iterable[Path], excuse: str) -> int:
    """Print the closing table, write ``sweep.json``, and return the number of failed jobs.

    Args:
        folder: The folder of the sweep.
        jobs: All jobs of the sweep.
        done: Folders of the jobs that an earlier call had finished.
        excuse: The reason shown for a job that left no result.
    """
    common = set.intersection(*(set(job.overrides) for job in jobs)) if len(jobs) > 1 else set()
    table = Table("job", "result", "folder")
    rows, failed = [], 0
    for job in jobs:
        result = job.result() or {"status": "failed", "reason": excuse}
        if result["status"] != "finished" and (in_use := lock.holder(job.folder)):
            result = {"status": "failed", "reason": in_use}
        if result["status"] == "finished":
            earlier = " (finished earlier)" if job.folder in done else ""
            outcome = Text(f"{_number(result.get('metric'))}{earlier}")
        else:
            failed += 1
            outcome = Text(result.get("reason", ""), style="red")
        own = " ".join(word for word in job.overrides if word not in common)
        table.add_row(Text(own or "defaults"), outcome, Text(job.folder.name, overflow="fold"))
        rows.append({"overrides": job.overrides, "folder": str(job.folder), **result})
    files.write_json(folder / "sweep.json", {"jobs": rows})
    if common:
        print("all jobs:", *sorted(common))
    Console().print(table)
    print(f"{len(jobs) - failed} of {len(jobs)} jobs finished. They lie in {folder}, their numbers in sweep.json there.")
    if failed:
        again = shlex.quote(f"hydra.sweep.dir={folder}")
        print(f"The same sweep, started again with {again}, skips the finished ones.")
    return failed


def _number(metric: dict[str, Any] | None) -> str:
    if not metric or metric.get("final") is None:
        return "finished"
    return f"{metric['name']} {metric['final']:.4g}"


register_plugin(Sweep, TARGET)
