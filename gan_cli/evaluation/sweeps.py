"""The runs of a sweep: their configs, overrides and status, and the keys that were swept."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from gan_cli import files
from gan_cli.config.form import FormError, require
from gan_cli.config.identity import plain_hash
from gan_cli.config.names import is_run_only
from gan_cli.config.stored import read_composed, read_plain
from gan_cli.errors import UserError
from gan_cli.runs.checkpoint import steps_in
from gan_cli.runs.folder import holds_config, read_result
from gan_cli.runs.started import options, recorded_words
from gan_cli.runs.version import is_outdated

EARLIER_VERSION = "made by an earlier version of gan-cli"
"""The problem of a run that this version cannot read."""
UNFINISHED = "unfinished"
"""The problem of a run that has neither finished nor failed."""
ABSENT = "-"
"""The value of a key that a run does not have."""


class StoredJob(TypedDict):
    """A job in ``sweep.json``; further entries are free."""

    folder: str
    overrides: list[str]
    reason: NotRequired[str]


class StoredSweep(TypedDict):
    """The content of ``sweep.json``."""

    jobs: list[StoredJob]


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep.

    Attributes:
        name: Name of its folder.
        config: The config as plain data; empty if the job never began.
        overrides: The overrides of the job. None: they were not recorded.
        problem: The reason why the run cannot be compared. None: it has finished.
        options: The option of each group that it was started with, defaults included, as far as it was recorded.
    """

    name: str
    config: Mapping[str, Any]
    overrides: Sequence[str] | None = None
    problem: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """The seed of training."""
        return int(self.config["seed"])

    def decisive_overrides(self) -> dict[str, str]:
        """Return the overrides by key, without the seed and the keys that do not affect the result."""
        pairs = (text.lstrip("+").partition("=") for text in self.overrides or ())
        return {key: value for key, _, value in pairs if key != "seed" and not is_run_only(key)}

    def flat_config(self) -> dict[str, Any]:
        """Return the config as dotted keys, without the seed and the keys that do not affect the result."""
        top = {key: value for key, value in self.config.items() if key != "seed" and not is_run_only(key)}
        return dict(_flatten(top, ""))

    def setting(self, key: str) -> str:
        """Return the value of a swept key: the config's if the key is a single value, else the option that was chosen."""
        leaves = self.flat_config()
        if key in leaves:
            return _format_value(key, leaves[key])
        return self.decisive_overrides().get(key) or self.options.get(key, ABSENT)


@dataclass(frozen=True)
class Group:
    """Runs of one method, which differ in their seed alone.

    Attributes:
        settings: The swept keys and their values for this method.
        sweep_runs: The runs.
    """

    settings: Mapping[str, str]
    sweep_runs: tuple[SweepRun, ...]


def sweep_runs(folder: Path) -> list[SweepRun]:
    """Return all runs in the sweep ``folder`` by name, whatever their status.

    Jobs that are listed in ``sweep.json`` but have no folder are included.

    Raises:
        UserError: If there is no run at all.
    """
    folders = sorted(path for path in folder.iterdir() if _holds_job(path)) if folder.is_dir() else []
    runs = [sweep_run(path) for path in folders]
    names = {run.name for run in runs}
    with suppress(OSError, UserError, FormError):
        content = files.read_json(folder / "sweep.json")
        require(content, StoredSweep)
        for job in content["jobs"]:
            if (name := Path(job["folder"]).name) not in names:
                runs.append(SweepRun(name, {}, job["overrides"], job.get("reason", "its folder is gone")))
    if not runs:
        raise UserError(f"no runs in {folder}: name the folder of a sweep, the one with a folder for each of its runs.")
    return runs


def named_runs(folders: Iterable[Path]) -> list[SweepRun]:
    """Return the runs in ``folders``, each a run or a sweep, under their paths.

    A run that is named itself counts although it has not finished, as long as it has a checkpoint.
    """
    runs: dict[str, SweepRun] = {}
    for folder in folders:
        if holds_config(folder):
            run = sweep_run(folder)
            problem = None if run.problem == UNFINISHED and steps_in(folder) else run.problem
            found = [replace(run, name=str(folder), problem=problem)]
        else:
            found = [replace(run, name=str(folder / run.name)) for run in sweep_runs(folder)]
        runs |= {run.name: run for run in found}
    return list(runs.values())


def sweep_run(folder: Path) -> SweepRun:
    """Return the run in ``folder``, whatever its status."""
    recorded = recorded_words(folder)
    config = _config(folder)
    if is_outdated(config):
        return SweepRun(folder.name, {}, recorded, EARLIER_VERSION)
    return SweepRun(folder.name, config, recorded, _problem(folder, config), options(folder))


def each_once(runs: Sequence[SweepRun]) -> list[SweepRun]:
    """Return the runs; of several with one config and one seed only the first finished one, or the first, keeps its config.

    The others would be counted as further seeds. Overrides that affect the result tell runs of different versions apart.
    """
    firsts: dict[Any, SweepRun] = {}
    for run in sorted(runs, key=lambda run: run.problem is not None):
        firsts.setdefault(_identity(run), run)
    return [run if not run.config or firsts[_identity(run)] is run else _repeats(run, firsts[_identity(run)]) for run in runs]


def _repeats(run: SweepRun, first: SweepRun) -> SweepRun:
    return replace(run, config={}, problem=run.problem or f"repeats {first.name}")


def _identity(run: SweepRun) -> Any:
    return plain_hash(run.config), tuple(sorted(run.decisive_overrides().items()))


def has_runs(folder: Path) -> bool:
    """Return True if ``folder`` holds a run or a job that has not become one."""
    return folder.is_dir() and any(map(_holds_job, folder.iterdir()))


def groups(runs: Iterable[SweepRun]) -> list[Group]:
    """Group the runs that have a config by method, in the order in which they come."""
    known = [run for run in runs if run.config]
    keys = swept_keys(known)
    methods: dict[tuple[str, ...], list[SweepRun]] = {}
    for run in known:
        methods.setdefault(tuple(run.setting(key) for key in keys), []).append(run)
    return [Group(dict(zip(keys, values, strict=True)), tuple(seeds)) for values, seeds in methods.items()]


def shared_settings(methods: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the settings that several methods have in common; empty for a single one, whose settings are all its own."""
    first, *others = methods
    return {key: value for key, value in first.items() if others and all(other.get(key) == value for other in others)}


def swept_keys(runs: Sequence[SweepRun]) -> list[str]:
    """Return the keys that distinguish the methods of a sweep; the seed and keys that do not affect the result are ignored.

    The keys are, in this order:

    1. ``method``, if every run sets it; otherwise the keys that were overridden in every run and whose values differ.
    2. Keys that were overridden in some runs only, as in sweeps over cases.
    3. Keys of the config, targets first, then the shortest keys. They matter only if the overrides do not explain all
       differences: for runs without recorded overrides, or of different versions of an option.

    A key of 2 or 3 counts only if it separates runs that the keys before it do not: one option may change many values of the
    config (``loss=wgan_gp`` brings a penalty, an optimizer and critic steps), and values that merely follow it are left out. A
    value that equals the seed in every run follows the seed.
    """
    overrides = [run.decisive_overrides() for run in runs]
    recorded = all(run.overrides is not None for run in runs)
    override_keys = dict.fromkeys(key for pairs in overrides for key in pairs) if recorded else {}
    configs = [run.flat_config() for run in runs]
    config_keys = sorted(
        dict.fromkeys(key for values in configs for key in values),
        key=lambda key: (not key.endswith("_target_"), key.count(".")),
    )
    config_keys = [
        key for key in config_keys if not all(values.get(key) == run.seed for values, run in zip(configs, runs, strict=True))
    ]
    have_names = all(run.config.get("method") for run in runs)
    first = ["method"] if have_names else [key for key in override_keys if all(key in pairs for pairs in overrides)]
    candidates = [key for key in (*override_keys, *config_keys) if key not in first]
    keys = [key for key in first if len({run.setting(key) for run in runs}) > 1]
    partition = [tuple(run.setting(key) for key in keys) for run in runs]
    for key in candidates:
        finer = [(*values, run.setting(key)) for values, run in zip(partition, runs, strict=True)]
        if len(set(finer)) > len(set(partition)):
            keys.append(key)
            partition = finer
    return keys


def _holds_job(path: Path) -> bool:
    if not path.is_dir() or path.name.startswith("."):
        return False
    return holds_config(path) or (path / ".hydra").is_dir() or (path / "result.json").is_file()


def _problem(folder: Path, config: Mapping[str, Any]) -> str | None:
    result = read_result(folder) or {}
    if result.get("status") == "failed":
        return f"failed: {result.get('reason') or 'unknown reason'}"
    if not config:
        return "its config.yaml cannot be read"
    if result.get("status") == "pruned":
        return f"pruned at step {result.get('step')}"
    return None if result.get("status") == "finished" else UNFINISHED


def _config(folder: Path) -> dict[str, Any]:
    """Return the config of the run in ``folder`` as plain data, of a job that never began as Hydra composed it.

    It is empty if it cannot be read.
    """
    paths = {folder / "config.yaml": read_plain, folder / ".hydra" / "config.yaml": read_composed}
    for path, read in paths.items():
        with suppress(OSError, UserError):
            config = read(path)
            if isinstance(config.get("seed"), int):
                return config
    return {}


def _flatten(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, child in node.items():
        if isinstance(child, Mapping):
            yield from _flatten(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


def _format_value(key: str, value: Any) -> str:
    """Return a value as it is written on the command line; of an import path only the last name."""
    if isinstance(value, list):
        return f"[{','.join(_format_value('', entry) for entry in value)}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value).rpartition(".")[2] if key.endswith("_target_") else str(value)
