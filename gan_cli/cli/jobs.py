"""The jobs of a sweep: their names, and the runs that earlier calls of the sweep have left."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from gan_cli import __version__, config, files
from gan_cli.cli.loading import loading
from gan_cli.config.compose import own_options
from gan_cli.config.form import FormError
from gan_cli.config.grammar import key_of
from gan_cli.config.identity import config_hash
from gan_cli.config.names import is_run_only, settings_text
from gan_cli.config.stored import read_config, read_plain
from gan_cli.config.suggestions import yaml_files
from gan_cli.config.trust import importable
from gan_cli.errors import UserError
from gan_cli.runs.folder import holds_config, read_result
from gan_cli.runs.lock import InUse, locked

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
        settled: The values that stand for ``auto`` in its config, by key.
    """

    overrides: list[str]
    folder: Path
    subdir: str
    config: str
    again: bool = False
    settled: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        """The words that the job is started with: its overrides, without ``auto``."""
        return with_values(self.overrides, self.settled)

    def result(self) -> dict[str, Any] | None:
        """Return the result in the job's folder, or None if it is missing or belongs to another config."""
        found = read_result(self.folder)
        return found if found and found.get("config") == self.config else None

    def is_finished(self) -> bool:
        """Return True if the job has finished."""
        return (self.result() or {}).get("status") == "finished"

    def has_ended(self) -> bool:
        """Return True if the job has finished or was pruned."""
        return (self.result() or {}).get("status") in ("finished", "pruned")

    def forget_failure(self) -> None:
        """Remove the result of an earlier attempt, unless the job is finished or another process works in its folder."""
        if self.folder.is_dir():
            with suppress(InUse), locked(self.folder):
                if not self.is_finished():
                    (self.folder / "result.json").unlink(missing_ok=True)


def with_values(overrides: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Return the overrides with other values of some keys."""
    return [*(word for word in overrides if key_of(word) not in values), *(f"{key}={value}" for key, value in values.items())]


def settle(cfg: DictConfig, folder: Path) -> list[str]:
    """Replace every ``auto`` in the config of a job, by its value in an earlier call where ``folder`` holds the job already.

    Returns:
        Lines that say what was chosen.
    """
    with importable(os.getcwd(), cfg.trust, own_options(cfg.hydra)), loading():
        from gan_cli import automatic

        return automatic.settle(cfg, read_plain(folder / "config.yaml") if holds_config(folder) else None)


def common_words(jobs: Sequence[Sequence[str]]) -> set[str]:
    """Return the overrides that all of several jobs have; none of a single job."""
    return set.intersection(*map(set, jobs)) if len(jobs) > 1 else set()


def swept_keys(jobs: Sequence[Sequence[str]]) -> list[str]:
    """Return the keys of the overrides that not all jobs have in common; none of a single job."""
    common = common_words(jobs)
    own = [word for job in jobs for word in job if word not in common] if len(jobs) > 1 else []
    return list(dict.fromkeys(word.partition("=")[0].lstrip("+~") for word in own))


def swept_columns(overrides: Sequence[str], swept: Sequence[str]) -> dict[str, Any]:
    """Return the method of a job, and its values of the swept keys, numbers as such; None for a key that it does not have."""
    pairs = (word.lstrip("+~").partition("=") for word in overrides)
    values = {key: value for key, _, value in pairs if key in swept}
    decisive = {key: value for key, value in values.items() if key != "seed" and not is_run_only(key)}
    columns = {key: _as_number(values[key]) if key in values else None for key in swept}
    return {**columns, "method": settings_text(decisive)}


def _as_number(text: str) -> int | float | str:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def options_hash(configs: ConfigLoader, words: Sequence[str]) -> str | None:
    """Return a hash of what the config of a job is composed of, beside its overrides: every yaml, and the code that reads them.

    Args:
        configs: Hydra's config loader.
        words: The overrides that all jobs share.

    Returns:
        The hash. None if options may also lie elsewhere, or depend on the environment.
    """
    digest = hashlib.sha256(repr((__version__, *words)).encode())
    places = [str(entry.path).removeprefix("file://") for entry in configs.get_search_path().get_path()]
    yamls = [path for place in places if os.path.isdir(place) for path in yaml_files(Path(place))]
    for path in (*yamls, *sorted(Path(str(config.__file__)).parent.glob("*.py"))):
        content = path.read_bytes()
        if path.suffix == ".yaml" and b"oc.env" in content:
            return None
        digest.update(f"{path} {len(content)} ".encode() + content)
    return None if any("oc.env" in word or "hydra.searchpath" in word for word in words) else digest.hexdigest()


def recorded(sweep: Path, options: str | None) -> dict[tuple[str, ...], str]:
    """Return the jobs that ``sweep.json`` lists, their overrides -> the path of the job's folder within the sweep's.

    Empty unless they were composed of the same ``options``.
    """
    with suppress(OSError, UserError, FormError, KeyError, TypeError, AttributeError):
        content = files.read_json(sweep / "sweep.json")
        if options is not None and content["options"] == options:
            jobs = {tuple(map(str, job["overrides"])): os.path.normpath(job["subdir"]) for job in content["jobs"]}
            return {words: subdir for words, subdir in jobs.items() if not (os.path.isabs(subdir) or subdir.startswith("."))}
    return {}


def finished_config(folder: Path) -> DictConfig | None:
    """Return the config of the run in ``folder`` if the run has finished with it, else None."""
    result = read_result(folder) or {}
    with suppress(OSError, UserError):
        if result.get("status") == "finished" and config_hash(found := read_config(folder / "config.yaml")) == result["config"]:
            return found
    return None


def folders_by_config(sweep: Path) -> dict[str, str]:
    """Return the runs in the folder of a sweep, the hash of their config -> the path of their folder within the sweep's."""
    found: dict[str, str] = {}
    for place, folders, _ in os.walk(sweep):
        folder = Path(place)
        folders[:] = [] if holds_config(folder) else sorted({*folders} - {ASIDE, ".hydra"})
        if holds_config(folder):
            with suppress(OSError, UserError):
                found.setdefault(config_hash(read_config(folder / "config.yaml")), str(folder.relative_to(sweep)))
    return found
