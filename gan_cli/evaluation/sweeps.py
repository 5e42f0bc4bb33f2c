"""The runs of a sweep: which there are, what became of them, and which differ in more than their seed."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gan_cli.config.identity import RUN_ONLY, to_plain
from gan_cli.errors import UserError
from gan_cli.runs.folder import holds_config, read_result
from gan_cli.runs.version import is_outdated

EARLIER_VERSION = "made by an earlier version of gan-cli"
"""The problem of a run that this version cannot read."""
ABSENT = "-"
"""The value of a key that a run does not have."""
_APART = ("seed", *RUN_ONLY)


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep.

    ``name``: its folder's; ``config``: as plain data, empty where the job never began; ``overrides``: the words that asked for
    it, None where nothing recorded them; ``problem``: why there is nothing to compare, None for a finished run.
    """

    name: str
    config: Mapping[str, Any]
    overrides: Sequence[str] | None = None
    problem: str | None = None

    @property
    def seed(self) -> int:
        """The seed of its training."""
        return int(self.config["seed"])

    def asked(self) -> dict[str, str]:
        """What the overrides say, key by key, of all that decides the run beside its seed."""
        pairs = (text.lstrip("+").partition("=") for text in self.overrides or ())
        return {key: value for key, _, value in pairs if key not in _APART}

    def leaves(self) -> dict[str, Any]:
        """The config as dotted keys; those that are the seed, or follow it, are not among them."""
        top = {key: value for key, value in self.config.items() if key not in _APART}
        return dict(_leaves(top, ""))

    def setting(self, key: str) -> str:
        """The value of a swept key: the config's where it is one value, else the word that chose an option."""
        leaves = self.leaves()
        return _text(key, leaves[key]) if key in leaves else self.asked().get(key, ABSENT)


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed alone; ``settings``: the swept keys and their values here."""

    settings: Mapping[str, str]
    sweep_runs: tuple[SweepRun, ...]


def sweep_runs(folder: Path) -> list[SweepRun]:
    """The runs in the sweep ``folder``, whatever became of them, by name.

    Jobs that ``sweep.json`` lists but that have no folder are among them. Raises UserError where there is no run at all.
    """
    folders = sorted(path for path in folder.iterdir() if _holds_job(path)) if folder.is_dir() else []
    found = [sweep_run(path) for path in folders]
    names = {run.name for run in found}
    with suppress(OSError, ValueError, KeyError, TypeError):
        for job in json.loads((folder / "sweep.json").read_text(encoding="utf-8"))["jobs"]:
            if (name := Path(job["folder"]).name) not in names:
                found.append(SweepRun(name, {}, job["overrides"], job.get("reason", "its folder is gone")))
    if not found:
        raise UserError(f"no runs in {folder}: name the folder of a sweep, the one with a folder for each of its runs.")
    return found


def sweep_run(folder: Path) -> SweepRun:
    """The run in ``folder``, whatever became of it."""
    overrides = _load(folder / ".hydra" / "overrides.yaml")
    words = [str(entry) for entry in overrides] if isinstance(overrides, list) else None
    config = _load(folder / "config.yaml") or _load(folder / ".hydra" / "config.yaml")
    if not isinstance(config, dict) or not isinstance(config.get("seed"), int):
        config = {}
    if is_outdated(config):
        return SweepRun(folder.name, {}, words, EARLIER_VERSION)
    return SweepRun(folder.name, config, words, _problem(folder, config))


def has_runs(folder: Path) -> bool:
    """Whether there is a run, or a job that should have become one, in ``folder``."""
    return folder.is_dir() and any(map(_holds_job, folder.iterdir()))


def groups(runs: Iterable[SweepRun]) -> list[Group]:
    """The runs that have a config, those that differ in their seed alone together, in the order in which they come."""
    known = [run for run in runs if run.config]
    keys = swept(known)
    found: dict[tuple[str, ...], list[SweepRun]] = {}
    for run in known:
        found.setdefault(tuple(run.setting(key) for key in keys), []).append(run)
    return [Group(dict(zip(keys, values, strict=True)), tuple(alike)) for values, alike in found.items()]


def swept(runs: Sequence[SweepRun]) -> list[str]:
    """The keys that tell the runs apart, ``seed`` and what only watches a run left aside.

    First the keys that somebody swept: overrides of every run whose values differ. Then what only some runs were asked for, as
    in sweeps of cases. One option may move many values of the config (``loss=wgan_gp`` brings a penalty, an optimizer and
    critic steps along), so values are only asked where the overrides do not tell all: runs without recorded overrides, or of
    different versions of an option. Of both, a key counts if it parts runs that the keys before it do not; what merely
    follows does not. Of the values, targets come first, then the shortest keys. A value that equals the seed in every run
    follows the seed. Where every run names its ``method``, that key stands before all others, and what merely follows it is
    not named.
    """
    asked = [run.asked() for run in runs]
    recorded = all(run.overrides is not None for run in runs)
    named = dict.fromkeys(key for words in asked for key in words) if recorded else {}
    leaves = [run.leaves() for run in runs]
    candidates = sorted(
        dict.fromkeys(key for values in leaves for key in values),
        key=lambda key: (not key.endswith("_target_"), key.count(".")),
    )
    candidates = [
        key for key in candidates if not all(values.get(key) == run.seed for values, run in zip(leaves, runs, strict=True))
    ]
    have_names = all(run.config.get("method") for run in runs)
    first = ["method"] if have_names else [key for key in named if all(key in words for words in asked)]
    candidates = [key for key in (*named, *candidates) if key not in first]
    keys = [key for key in first if len({run.setting(key) for run in runs}) > 1]
    parted = [tuple(run.setting(key) for key in keys) for run in runs]
    for key in candidates:
        finer = [(*before, run.setting(key)) for before, run in zip(parted, runs, strict=True)]
        if len(set(finer)) > len(set(parted)):
            keys.append(key)
            parted = finer
    return keys


def _holds_job(path: Path) -> bool:
    if not path.is_dir() or path.name.startswith("."):
        return False
    return holds_config(path) or (path / ".hydra").is_dir() or (path / "result.json").is_file()


def _problem(folder: Path, config: Mapping[str, Any]) -> str | None:
    result = read_result(folder) or {}
    if result.get("status") == "failed":
        return f"failed: {result.get('reason') or 'nobody knows why'}"
    if not config:
        return "its config.yaml cannot be read"
    return None if result.get("status") == "finished" else "unfinished"


def _load(path: Path) -> Any:
    """The plain content of a yaml file; None where there is none that can be read."""
    with suppress(OSError, ValueError, YAMLError, OmegaConfBaseException):
        content = OmegaConf.load(path)
        return to_plain(content) if isinstance(content, DictConfig) else OmegaConf.to_container(content)
    return None


def _leaves(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, child in node.items():
        if isinstance(child, Mapping):
            yield from _leaves(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


def _text(key: str, value: Any) -> str:
    """A value as a command line would have it; of an import path, the last name."""
    if isinstance(value, list):
        return f"[{','.join(_text('', entry) for entry in value)}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value).rpartition(".")[2] if key.endswith("_target_") else str(value)
