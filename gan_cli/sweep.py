"""Sweeps that can be started again: every job in its folder, what is finished is skipped, a table at the end."""

import hashlib
import re
import sys
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gan_cli.compose import compose, readable
from gan_cli.configs import config_hash, holds_run, read_result, write_json
from gan_cli.errors import UserError

Plugins.instance()  # Hydra's search for plugins executes the next module once more; its class of before would be stale
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # noqa: E402

PACKAGE = "hydra_plugins.gan_cli"  # Hydra takes sweepers from below hydra_plugins only
TARGET = f"{PACKAGE}.Sweep"


@dataclass(frozen=True)
class Job:
    """One job of a sweep: what it was asked for, where it works, and the hash of its config."""

    overrides: list[str]
    folder: Path
    config: str

    @property
    def name(self) -> str:
        """What the table calls it."""
        return " ".join(word for word in self.overrides if not word.startswith("hydra.")) or "defaults"

    def result(self) -> dict[str, Any] | None:
        """What this job, and no other one that used the folder, left behind."""
        found = read_result(self.folder)
        return found if found and found.get("config") == self.config else None

    def is_finished(self) -> bool:
        """Whether there is nothing left to do."""
        return (self.result() or {}).get("status") == "finished"


class Sweep(BasicSweeper):
    """Hydra's basic sweeper, but finished jobs are not run again and a failed one does not hide the others' results.

    Jobs are told apart by their folders (``hydra.sweep.dir`` and the overrides) and by the hash of their configs. What a job
    achieved is read from its ``result.json``, so that it counts whatever becomes of the process that ran it. Raises UserError
    before anything has started if a job's config does not hold together, and SystemExit(1) after the table if jobs failed.
    """

    __module__ = PACKAGE

    def sweep(self, arguments: list[str]) -> None:
        """Runs every combination that ``arguments`` describe."""
        assert self.hydra_context is not None
        folder = self._folder()
        params = [f"{key}={value}" for key, value in self.params.items()]
        configs = self.hydra_context.config_loader
        parsed = _parse([*params, *arguments], configs)
        batches = [self._plan(batch, configs) for batch in self.split_arguments(parsed, self.max_batch_size)]
        folder.mkdir(parents=True, exist_ok=True)
        jobs = [job for batch in batches for job in batch]
        done = {job.folder for job in jobs if job.is_finished()}
        excuse = "interrupted"
        try:
            for batch in batches:
                self._launch([job for job in batch if job.folder not in done])
            excuse = "ended without a result"
        except Exception as error:  # the launcher lost its workers, not one job its way
            excuse = reason(error)
        finally:
            failed = report(folder, jobs, done, excuse)
        if failed:
            raise SystemExit(1)

    def _plan(self, batch: Sequence[list[str]], configs: ConfigLoader) -> list[Job]:
        assert self.config is not None
        ours = list(self.config.hydra.overrides.hydra)
        jobs: dict[Path, Job] = {}
        for overrides in batch:
            try:
                cfg = compose(configs, "train", [*ours, *overrides])
                folder = self._folder() / cfg.hydra.sweep.subdir
                holds_run(folder, cfg)
            except UserError as error:
                raise UserError(f"{error}\nin the job {' '.join(overrides)}") from error
            jobs[folder] = Job(overrides, folder, config_hash(cfg))
        return list(jobs.values())

    def _folder(self) -> Path:
        assert self.config is not None
        return Path(self.config.hydra.sweep.dir)

    def _launch(self, jobs: list[Job]) -> None:
        assert self.config is not None
        assert self.launcher is not None
        if not jobs:  # some launchers do not take an empty list
            return
        for job in jobs:
            (job.folder / "result.json").unlink(missing_ok=True)  # why an earlier attempt failed
        shared = _thread_share(self.config.hydra.launcher, len(jobs))
        self.launcher.launch([[*job.overrides, *shared] for job in jobs], initial_job_idx=0)


def _thread_share(launcher: DictConfig, n_jobs: int) -> list[str]:
    """The override that gives each of several jobs on this machine its share of the threads."""
    if "joblib" not in launcher._target_:
        return []
    from joblib import cpu_count, effective_n_jobs

    workers = min(effective_n_jobs(launcher.n_jobs), n_jobs)
    return [f"++hydra.job.env_set.GAN_CLI_THREADS={max(1, cpu_count() // workers)}"]


def report(folder: Path, jobs: Sequence[Job], done: Iterable[Path], excuse: str) -> int:
    """Prints the table and writes ``sweep.json``; ``excuse`` stands for a result that is not there. Returns the failures."""
    table = Table(title=f"{len(jobs)} jobs in {folder}", title_justify="left")
    for column in ("job", "result", "folder"):
        table.add_column(column, overflow="fold")
    rows, failed = [], 0
    for job in jobs:
        result = job.result() or {"status": "failed", "reason": excuse}
        if result["status"] == "finished":
            earlier = " (finished earlier)" if job.folder in done else ""
            shown = Text(f"{_numbers(result.get('metric'))}{earlier}")
        else:
            failed += 1
            shown = Text(result.get("reason", ""), style="red")
        table.add_row(Text(job.name), shown, Text(job.folder.name))
        rows.append({"overrides": job.overrides, "folder": str(job.folder), **result})
    write_json(folder / "sweep.json", {"jobs": rows})
    Console().print(table)
    print(f"{len(jobs) - failed} of {len(jobs)} jobs finished; their numbers are in {folder / 'sweep.json'}")
    return failed


def _numbers(metric: Any) -> str:
    values = metric.items() if isinstance(metric, dict) else ()
    return ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in values)


def reason(error: BaseException) -> str:
    """An exception in a line."""
    said = " ".join(str(error).split())
    return said if isinstance(error, UserError) else f"{type(error).__name__}: {said}"


def first_job(overrides: list[str], configs: ConfigLoader) -> list[str]:
    """The overrides of a sweep's first job, as far as they can be told before the sweeper has its say."""
    first = []
    for override in _parse(overrides, configs):
        if override.is_discrete_sweep():
            first.append(f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()), '')}")
        elif not override.is_sweep_override():
            first.append(str(override.input_line))
    return first


def _parse(overrides: list[str], configs: ConfigLoader) -> list[Override]:
    with readable():
        return OverridesParser.create(config_loader=configs).parse_overrides(overrides)


def name(text: str, longest: int = 100) -> str:
    """``text`` as the name of a folder; a hash is added where it had to be changed, so that different texts stay apart."""
    safe = re.sub(r"[^A-Za-z0-9_.+-]+", "-", text).strip(".-") or "defaults"
    if safe == text and len(safe) <= longest:
        return safe
    return f"{safe[:longest]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def job_name(overrides: Sequence[str]) -> str:
    """The folder of a job: its sorted overrides as ``loss-hinge+seed-1``, with nothing in it that needs quotes anywhere.

    ``debug`` is no part of it, so that a second look at a failed job finds its folder.
    """
    words = sorted(word for word in overrides if not word.lstrip("+").startswith("debug="))
    pairs = [word.partition("=") for word in words]
    return name("+".join(f"{key.replace('/', '.')}-{value}" for key, _, value in pairs)) if pairs else "defaults"


def _register() -> None:
    import hydra_plugins

    module = types.ModuleType(PACKAGE)
    module.Sweep = Sweep  # type: ignore[attr-defined]
    # workers find the class by its name when Hydra's list of plugins is sent to them
    sys.modules[PACKAGE] = hydra_plugins.gan_cli = module
    Plugins.instance().register(Sweep)
    node = {"_target_": TARGET, "max_batch_size": None, "params": None}
    ConfigStore.instance().store(group="hydra/sweeper", name="gan", node=node, provider="gan-cli")
    OmegaConf.register_new_resolver("gan.name", name, replace=True)
    OmegaConf.register_new_resolver("gan.job_name", job_name, replace=True)


_register()
