"""Sweeps that can be started again: every job in its folder, what is finished is skipped, a table at the end."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gan_cli import files
from gan_cli.config.compose import TARGET, compose, readable
from gan_cli.config.hydra_internals import BasicSweeper, register_plugin
from gan_cli.config.identity import config_hash
from gan_cli.errors import UserError, first_line
from gan_cli.runs.folder import holds_run, read_result


@dataclass(frozen=True)
class Job:
    """One job of a sweep: what it was asked for, where it works, and the hash of its config."""

    overrides: list[str]
    folder: Path
    config: str

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

    ``params``: key -> its values, swept in all combinations. ``cases``: lists of overrides, each of which is combined with
    all of that: a sweep that is no grid. What the command line says of a key counts instead of what these say.
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
        """Runs every combination that ``arguments`` describe."""
        assert self.hydra_context is not None
        folder = self._folder()
        configs = self.hydra_context.config_loader
        jobs = self._plan(combinations(self.params, self.cases, arguments, configs), configs)
        size = self.max_batch_size or max(1, len(jobs))
        batches = [jobs[start : start + size] for start in range(0, len(jobs), size)]
        folder.mkdir(parents=True, exist_ok=True)
        done = {job.folder for job in jobs if job.is_finished()}
        excuse, started = "interrupted", 0
        try:
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
        assert self.config is not None
        ours = list(self.config.hydra.overrides.hydra)
        jobs: dict[Path, Job] = {}
        for overrides in batch:
            try:
                cfg = compose(configs, "train", [*ours, *overrides])
                folder = self._folder() / cfg.hydra.sweep.subdir
                holds_run(folder, cfg)
            except UserError as error:
                raise UserError(f"job {' '.join(overrides)}: {error}") from error
            jobs[folder] = Job(overrides, folder, config_hash(cfg))
        return list(jobs.values())

    def _folder(self) -> Path:
        assert self.config is not None
        return Path(self.config.hydra.sweep.dir)

    def _launch(self, jobs: list[Job], started: int) -> None:
        assert self.config is not None
        assert self.launcher is not None
        if not jobs:  # some launchers do not take an empty list
            return
        for job in jobs:
            (job.folder / "result.json").unlink(missing_ok=True)  # why an earlier attempt failed
        shared = _thread_share(self.config.hydra.launcher, len(jobs))
        self.launcher.launch([[*job.overrides, *shared] for job in jobs], initial_job_idx=started)


def _thread_share(launcher: DictConfig, n_jobs: int) -> list[str]:
    """The override that gives each of several jobs on this machine its share of the threads."""
    if "joblib" not in launcher._target_:
        return []
    from joblib import cpu_count, effective_n_jobs

    workers = min(effective_n_jobs(launcher.n_jobs), n_jobs)
    return [f"++hydra.job.env_set.GAN_CLI_THREADS={max(1, cpu_count() // workers)}"]


def print_summary(folder: Path, jobs: Sequence[Job], done: Iterable[Path], excuse: str) -> int:
    """Prints the table and writes ``sweep.json``; ``excuse`` stands for a result that is not there. Returns the failures."""
    common = set.intersection(*(set(job.overrides) for job in jobs)) if len(jobs) > 1 else set()
    table = Table("job", "result", "folder")
    rows, failed = [], 0
    for job in jobs:
        result = job.result() or {"status": "failed", "reason": excuse}
        if result["status"] == "finished":
            earlier = " (finished earlier)" if job.folder in done else ""
            shown = Text(f"{_number(result.get('metric'))}{earlier}")
        else:
            failed += 1
            shown = Text(result.get("reason", ""), style="red")
        own = " ".join(word for word in job.overrides if word not in common)
        table.add_row(Text(own or "defaults"), shown, Text(job.folder.name, overflow="fold"))
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
    if not metric or metric["final"] is None:
        return "finished"
    return f"{metric['name']} {metric['final']:.4g}"


def reason(error: BaseException) -> str:
    """An exception in a line."""
    if isinstance(error, UserError):
        return " ".join(str(error).split())
    return f"{type(error).__name__}: {first_line(error)}"


def combinations(
    params: Mapping[str, Any], cases: Sequence[Sequence[str]] | None, arguments: Sequence[str], configs: ConfigLoader
) -> list[list[str]]:
    """The overrides of every job: ``params`` in all combinations for each of ``cases``, where ``arguments`` leave them."""
    named = {override.get_key_element().lstrip("+~") for override in _parse(arguments, configs)}
    swept = [f"{key}={value}" for key, value in params.items()]
    found: list[list[str]] = []
    for case in cases or [[]]:
        own = [word for word in [*case, *swept] if word.partition("=")[0].lstrip("+~") not in named]
        [jobs] = BasicSweeper.split_arguments(_parse([*own, *arguments], configs), None)
        found += jobs
    return found


def first_job(overrides: list[str], configs: ConfigLoader) -> list[str]:
    """The overrides of a sweep's first job, as far as they can be told before the sweeper has its say."""
    first = []
    for override in _parse(overrides, configs):
        if override.is_discrete_sweep():
            first.append(f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()), '')}")
        elif not override.is_sweep_override():
            first.append(str(override.input_line))
    return first


def left_to_the_jobs(overrides: list[str], configs: ConfigLoader) -> list[str]:
    """The same sweep, but with values as sweeps of one: what is swept, Hydra applies to the jobs only.

    Else ``loss=wgan_gp,dragan`` and a key that just these losses bring along could not stand together.
    """
    words = []
    for override in _parse(overrides, configs):
        line = str(override.input_line)
        if "." in override.key_or_group and not (
            override.is_sweep_override() or override.is_hydra_override() or override.is_delete() or line.endswith("=")
        ):
            line = f"{override.get_key_element()}=choice({override.get_value_element_as_str()})"
        words.append(line)
    return words


def _parse(overrides: Sequence[str], configs: ConfigLoader) -> list[Override]:
    with readable():
        return OverridesParser.create(config_loader=configs).parse_overrides(list(overrides))


register_plugin(Sweep, TARGET)
