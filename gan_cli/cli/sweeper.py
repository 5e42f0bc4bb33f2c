"""Sweeps that can be restarted: each job has its own folder, finished jobs are skipped, and a table closes the sweep."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf

from gan_cli.cli import cluster
from gan_cli.cli.jobs import (
    ASIDE,
    Job,
    finished_config,
    folders_by_config,
    options_hash,
    recorded,
    settle,
    swept_keys,
    with_values,
)
from gan_cli.cli.launchers import (
    gpus_for,
    is_parallel,
    is_sent,
    n_workers,
    refuse_choice_of_this_machine,
    thread_share,
    unfinished,
)
from gan_cli.cli.side_by_side import GPUS, dealing
from gan_cli.cli.summary import print_summary
from gan_cli.config.combinations import combinations
from gan_cli.config.compose import GRID, compose, own_options, readable
from gan_cli.config.grammar import key_of, quote
from gan_cli.config.hydra_internals import BasicSweeper, job_subdir, register_plugin, supplied
from gan_cli.config.identity import config_hash
from gan_cli.config.names import AUTO, AUTOMATIC, is_run_only
from gan_cli.config.trust import importable
from gan_cli.errors import UserError
from gan_cli.own_code import reason
from gan_cli.runs import environment, started
from gan_cli.runs.folder import holds_config, holds_run
from gan_cli.runs.lock import locked
from gan_cli.runs.signals import passed_on

FEW = 5
"""Number of configs that are composed without a word."""


class Sweep(BasicSweeper):
    """Hydra's basic sweeper, except that it skips finished jobs and that a failed job does not hide the results of others.

    A job is identified by the hash of its config, and its folder is named after its overrides, swept keys first. A run of the
    same config is found under any name. The outcome of a job is read from its ``result.json`` and therefore survives the
    process that ran it. A finished job that ``sweep.json`` lists is not composed again, as long as no option has changed.

    Args:
        max_batch_size: Jobs that are handed to the launcher at a time; None: all of them.
        params: Maps a key to its comma-separated values; all combinations are swept.
        cases: Lists of overrides, each of which is combined with all of ``params``; for sweeps that are not a grid. Keys
            given on the command line take precedence over ``params`` and ``cases``.
    """

    __module__ = GRID.rpartition(".")[0]

    def __init__(
        self,
        max_batch_size: int | None,
        params: dict[str, str] | None = None,
        cases: Sequence[Sequence[str]] | None = None,
    ) -> None:
        super().__init__(max_batch_size, params)
        self.cases = cases
        self.ours: list[str] = []
        self.swept: list[str] = []
        self.devices: dict[str, int] = {}
        self.of_workers: list[str] = []
        self.options: str | None = None
        self.known: dict[tuple[str, ...], str] = {}
        self.notes: dict[str, None] = {}

    def sweep(self, arguments: list[str]) -> None:
        """Run every combination that ``arguments`` describe.

        Raises:
            UserError: If the config of a job is invalid; raised before any job starts.
            SystemExit: With code 1, after the table has been printed, if a job failed.
        """
        assert self.config is not None
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
        print(f"{len(jobs)} job{'s' * (len(jobs) != 1)}, {len(done)} of them finished already: {folder}", flush=True)
        if len(done) < len(jobs):
            cluster.check(self.config.hydra.launcher)
        excuse, started = unfinished(self.config.hydra.launcher), 0
        try:
            with self._side_by_side():
                for batch in batches:
                    todo = [job for job in batch if job.folder not in done]
                    self._launch(todo, started)
                    started += len(todo)
            excuse = "ended without a result"
        except Exception as error:  # the launcher lost its workers, not one job its way
            excuse = reason(error)
        finally:
            failed = print_summary(folder, jobs, done, excuse, self.options)
        if failed:
            raise SystemExit(1)

    def _plan(self, batch: Sequence[list[str]], configs: ConfigLoader) -> list[Job]:
        """Return the jobs, equal ones once.

        Raises:
            UserError: If the config of a job is invalid, its folder holds another run, or two jobs share a folder.
        """
        self._prepare(configs, swept_keys(batch))
        if (unknown := sum(tuple(overrides) not in self.known for overrides in batch)) > FEW:
            print(f"composing the configs of {unknown} jobs", flush=True)
        jobs: dict[str, Job] = {}
        for overrides in batch:
            self._add(jobs, overrides, configs)
        self._show_supplied()
        return list(jobs.values())

    def _prepare(self, configs: ConfigLoader, swept: list[str]) -> None:
        """Note what the jobs have in common: Hydra's own overrides, the options, the swept keys, and the earlier jobs."""
        assert self.config is not None
        # as they were written: their interpolations are of the job's config
        ours = OmegaConf.to_container(self.config.hydra.overrides.hydra, resolve=False)
        assert isinstance(ours, list)
        self.ours, self.swept, self.options = ours, swept, options_hash(configs, ours)
        self.known = recorded(self._folder(), self.options)

    def _show_supplied(self) -> None:
        """Print what the user's own defaults have filled into the configs of the jobs, and what ``auto`` stands for."""
        for note in self.notes:
            print(note, flush=True)

    def _add(self, jobs: dict[str, Job], overrides: list[str], configs: ConfigLoader) -> Job:
        """Add the job of these overrides to ``jobs``, by folder, unless it is there, and return it.

        Raises:
            UserError: If its config is invalid, or its folder holds another run or is another job's.
        """
        try:
            job = self._finished(overrides, self.known.get(tuple(overrides)))
            if job is None:
                cfg = compose(configs, "train", [*self.ours, *overrides])
                self.notes |= dict.fromkeys(supplied(configs))
                job = self._composed(overrides, cfg, len(jobs))
        except UserError as error:
            raise UserError(f"job {' '.join(overrides)}: {error}") from error
        other = jobs.setdefault(job.subdir, job)
        if sorted(other.overrides) != sorted(overrides):
            if other.config == job.config:
                raise UserError(
                    f"the jobs {' '.join(other.overrides)} and {' '.join(overrides)} are one run: what differs does not "
                    "affect the result.\nGive such a key a single value."
                )
            raise UserError(
                f"hydra.sweep.subdir gives two jobs the same folder {job.folder}: {' '.join(other.overrides)} and "
                f"{' '.join(overrides)}.\nLeave it out, or name in it every key that is swept, as in run_${{seed}}."
            )
        return other

    def _finished(self, overrides: list[str], subdir: str | None) -> Job | None:
        """Return the job if the folder ``subdir``, where an earlier call had it, holds a finished run, else None."""
        cfg = None if subdir is None else finished_config(self._folder() / subdir)
        if cfg is None or subdir is None:
            return None
        cfg.code = next((value for key, _, value in (word.partition("=") for word in overrides) if key == "code"), "same")
        folder = self._folder() / subdir
        return Job(overrides, folder, subdir, config_hash(cfg), self._has_changed_code(folder, cfg))

    def _composed(self, overrides: list[str], cfg: DictConfig, number: int) -> Job:
        """Return the job of a composed config, in the folder of a run of the same config if the sweep has one."""
        subdir = self._subdir(cfg, number, self.swept)
        settled = self._settle(cfg, self._folder() / subdir)
        self.devices[cfg.device] = max(cfg.processes, self.devices.get(cfg.device, 1))
        identity = config_hash(cfg)
        if self._holds_another(subdir, with_values(overrides, settled)):  # of an earlier call, with other common values
            subdir = self._subdir(cfg, number, [])
        if not holds_config(self._folder() / subdir):
            subdir = self._earlier.get(identity, subdir)
        folder = self._folder() / subdir
        again = holds_run(folder, cfg) and self._has_changed_code(folder, cfg)
        return Job(overrides, folder, subdir, identity, again, settled)

    def _subdir(self, cfg: DictConfig, number: int, named: list[str]) -> str:
        """Return the folder of a job within the sweep's, named by these keys; by all of its overrides if there are none."""
        with readable():
            subdir = os.path.normpath(job_subdir(cfg, number, named))
        if subdir == os.curdir:
            raise UserError("hydra.sweep.subdir is the folder of the sweep itself: give each job one of its own.")
        return subdir

    def _holds_another(self, subdir: str, overrides: list[str]) -> bool:
        """Return True if the folder holds a run that was started with other decisive words."""
        words = started.recorded_words(self._folder() / subdir)
        decisive = ({word for word in some or () if not is_run_only(key_of(word))} for some in (words, overrides))
        return words is not None and len(set(map(frozenset, decisive))) > 1

    @cached_property
    def _earlier(self) -> dict[str, str]:
        """The runs of earlier calls, whose folders may have been named after other keys."""
        return folders_by_config(self._folder())

    def _settle(self, cfg: DictConfig, folder: Path) -> dict[str, str]:
        """Replace every ``auto`` in the config of a job; return the values."""
        assert self.config is not None
        asked = [key for key in AUTOMATIC if cfg[key] == AUTO]
        if not holds_config(folder):
            refuse_choice_of_this_machine(self.config.hydra.launcher, cfg.device, asked)
        self.notes |= dict.fromkeys(settle(cfg, folder) if asked else ())
        return {key: cfg[key] for key in asked}

    def _has_changed_code(self, folder: Path, cfg: DictConfig) -> bool:
        assert self.config is not None
        with importable(os.getcwd(), config_dir=own_options(self.config.hydra)):
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

    @contextmanager
    def _side_by_side(self) -> Iterator[None]:
        """Pass signals on to the processes of jobs that run at the same time, and deal the GPUs out to them."""
        if self._workers() == 1:
            yield
            return
        with passed_on(), ExitStack() as stack:
            if gpus := self._gpus():
                self.of_workers = [f"++hydra.job.env_set.{GPUS}={quote(str(stack.enter_context(dealing(gpus))))}"]
            yield

    def _gpus(self) -> list[str]:
        """Return the shares of this machine's GPUs that are dealt out to the jobs."""
        assert self.config is not None
        return gpus_for(self.config.hydra.launcher, self.devices)

    def _workers(self) -> int:
        """Return the number of jobs that run at the same time in processes of this machine."""
        assert self.config is not None
        return n_workers(self.config.hydra.launcher, self._gpus())

    def _launch(self, jobs: list[Job], started: int) -> None:
        assert self.config is not None
        if not jobs:  # some launchers do not take an empty list
            return
        node, launcher = self.config.hydra.launcher, cast(Any, self.launcher)
        shared = [*self.of_workers, f"hydra.sweep.dir={quote(str(self._folder()))}"]
        shared += [f"++hydra.sweeper.swept=[{','.join(self.swept)}]"] if self.swept else []
        if threads := thread_share(node, len(jobs), self._gpus()):
            shared.append(f"++hydra.job.env_set.GAN_CLI_THREADS={threads}")
        own = {job.subdir: [*self._own(job), f"hydra.sweep.subdir={quote(job.subdir)}"] for job in jobs}
        overrides = {job.subdir: [*job.words, *shared, *own[job.subdir]] for job in jobs}
        for job in jobs:
            job.forget_failure()
        if is_sent(node):
            cluster.launch(launcher, self._folder(), overrides, started)
            return
        if is_parallel(node):
            launcher.joblib["n_jobs"] = self._workers()
        launcher.launch(list(overrides.values()), initial_job_idx=started)

    def _own(self, job: Job) -> list[str]:
        """Return further overrides of Hydra's keys for a job."""
        return []


register_plugin(Sweep, GRID)
