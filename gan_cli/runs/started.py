"""The line that a run was started with, as far as it was recorded, and the line that trains the same run again."""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from gan_cli import files
from gan_cli.config.commands import composing_words, sweep_words
from gan_cli.config.compose import loader
from gan_cli.config.grammar import key_of, unquoted
from gan_cli.config.identity import flat, plain_hash
from gan_cli.config.locations import LOCATION
from gan_cli.config.names import is_run_only
from gan_cli.config.scalars import components
from gan_cli.config.schema import TrainConfig
from gan_cli.config.stored import LARGEST
from gan_cli.errors import UserError
from gan_cli.runs.folder import START, options_folder, recorded_start


def again(folder: Path, config: Mapping[str, Any], recorded: Sequence[str] | None) -> list[str] | None:
    """Return the arguments of the gan-train command that trains the run in ``folder`` again.

    Args:
        folder: Folder of the run.
        config: Its config as plain data.
        recorded: The words that it was started with. None: they are not known.

    Returns:
        The arguments. None: no command line composes this config, for example because an option is not there any more.
    """
    own = trusted_options(folder)
    for place in dict.fromkeys((own, None)):
        with suppress(UserError, OSError):
            words = composing_words(config, [*searched_by(folder), *(recorded or ())], configs_of(place))
            return [*options_arguments(place), *words]
    return None


def sweep_again(
    folders: Sequence[Path], configs: Sequence[Mapping[str, Any]], recorded: Sequence[Sequence[str] | None]
) -> list[str] | None:
    """Return the arguments of the gan-train command that trains exactly these runs as one sweep, None if there is none.

    Args:
        folders: Folders of the runs.
        configs: Their configs as plain data.
        recorded: The words that each of them was started with.
    """
    jobs = [words for words in recorded if words is not None]
    places = {(trusted_options(folder), tuple(searched_by(folder))) for folder in folders}
    if len(jobs) < len(folders) or len(places) != 1 or not all(configs):
        return None
    [(own, searched)] = places
    with suppress(UserError, OSError):
        words = sweep_words([[*searched, *job] for job in jobs], [plain_hash(one) for one in configs], configs_of(own))
        return None if words is None else [*options_arguments(own), *words]
    return None


def in_one_line(arguments: Sequence[str]) -> str:
    """Return a gan-train command, quoted for a shell."""
    return shlex.join(["gan-train", *map(unquoted, arguments)])


def options_arguments(own: Path | None) -> list[str]:
    """Return the arguments that name the folder of the user's own options."""
    return [] if own is None else ["--config-dir", str(own)]


configs_of = lru_cache(lambda own: loader(None if own is None else str(own)))
"""Hydra's loader with the user's own options in a folder, or without."""


def record(folder: Path, cfg: DictConfig) -> None:
    """Record how a run was started from Python, as Hydra does for the command line."""
    place = folder / START
    place.mkdir(exist_ok=True)
    job = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    parts = {"config": job, "hydra": OmegaConf.masked_copy(cfg, "hydra"), "overrides": cfg.hydra.overrides.task}
    for name, part in parts.items():
        files.write_bytes(place / f"{name}.yaml", OmegaConf.to_yaml(part).encode())


def trusted_options(folder: Path) -> Path | None:
    """Return the folder of the user's own options that the run was started with, None if there was none.

    A folder inside the run's own place is left out: it came with the run.
    """
    path = options_folder(folder)
    return path if path is not None and path.is_dir() and not _within(path, folder.parent) else None


def settings(folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a table of runs shows of a run: the chosen option of every group, and all values that affect its result.

    Args:
        folder: Folder of the run.
        config: Its config as plain data.
    """
    decisive = {key: value for key, value in config.items() if not is_run_only(key)}
    values = {key: value for key, value in flat(decisive).items() if key.rpartition(".")[2] not in ("_target_", LOCATION)}
    return {**options(folder), **{key: value for key, value in values.items() if value is not None}}


def options(folder: Path) -> dict[str, str]:
    """Return the option of each group, as in ``{"loss": "wgan_gp"}``; empty if the run's start was not recorded.

    A part of a group, such as ``model/generator``, is left out where it is the group's own.
    """
    node = recorded_start(folder)
    with suppress(TypeError, KeyError, AttributeError):
        chosen = {str(group): str(option) for group, option in node["runtime"]["choices"].items() if option is not None}
        found = {group: option for group, option in chosen.items() if option != chosen.get(group.rpartition("/")[0])}
        words = dict(word.split("=", 1) for word in node["overrides"]["task"] if "=[" in word)
        several = {group: words[group] for group in components(TrainConfig) if group in words}  # of which Hydra keeps no note
        return {**{group: option for group, option in found.items() if not group.startswith("hydra/")}, **several}
    return {}


def decisive_keys(folder: Path) -> list[str]:
    """Return the keys in which the jobs of the run's sweep differ, or those that its own command line names."""
    node = recorded_start(folder)
    with suppress(TypeError, KeyError, AttributeError):
        named = [key_of(word) for word in node["overrides"]["task"]]
        swept = node["sweeper"].get("swept") or named
        return [str(key) for key in swept if not is_run_only(str(key))]
    return []


def recorded_words(folder: Path) -> list[str] | None:
    """Return the words by which the run in ``folder`` was started, or None if they cannot be read."""
    with suppress(OSError, UserError, ValueError, RecursionError, yaml.YAMLError):
        words = yaml.safe_load(files.read_bytes(folder / START / "overrides.yaml", LARGEST))
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return words
    return None


def searched_by(folder: Path) -> list[str]:
    """Return the words that named further folders of options when the run was started."""
    with suppress(TypeError, KeyError):
        words = recorded_start(folder)["overrides"]["hydra"]
        return [word for word in words if str(word).startswith("hydra.searchpath=")]
    return []


def _within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
