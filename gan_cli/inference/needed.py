"""The parts of a stored config that sampling needs, and the place of its data set."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from gan_cli.config.locations import location_key
from gan_cli.config.trust import ModuleMissing, check
from gan_cli.errors import UserError
from gan_cli.runs.folder import with_whereabouts

PLAYERS = ("game", "model")
"""Nodes of a config without which there is nothing to sample."""


class Needed(NamedTuple):
    """A config to build a game from.

    Attributes:
        config: The config as plain data, without the parts that are left out.
        left_out: Keys of the parts whose modules are not here.
    """

    config: dict[str, Any]
    left_out: list[str]


def needed(config: dict[str, Any], folder: Path) -> Needed:
    """Return the config of a run without the parts whose modules are not here, such as a loss of the user's own.

    Every part whose module is here must be trusted.

    Args:
        config: The config as plain data, from a checkpoint.
        folder: Folder of the run, for messages.

    Raises:
        UserError: If the modules of the game or of its networks are not here, or a module is not trusted.
    """
    kept, left_out = dict(config), []
    for key, node in config.items():
        if key != "regularizer":
            if _is_missing(config, folder, key):
                left_out.append(key)
                kept[key] = None
            continue
        missing = [name for name in node if _is_missing(config, folder, key, name)]
        left_out += [f"{key}.{name}" for name in missing]
        kept[key] = {name: part for name, part in node.items() if name not in missing}
    return Needed(kept, left_out)


def _is_missing(config: dict[str, Any], folder: Path, key: str, name: str = "") -> bool:
    """Return True if the module of a part is not here and sampling can do without it."""
    try:
        check({key: {name: config[key][name]} if name else config[key]}, folder)
    except ModuleMissing as error:
        if key in PLAYERS:
            raise with_whereabouts(error, folder) from error
        return True
    return False


def with_root(config: DictConfig, root: str | None) -> DictConfig:
    """Return the config with its data set in the folder, or file, ``root`` (None: where the config says).

    Raises:
        UserError: If the data set lies in no folder and no file.
    """
    if root is None:
        return config
    moved = OmegaConf.merge(config, {"dataset": {place_of(config.dataset, root): os.path.expanduser(root)}})
    assert isinstance(moved, DictConfig)
    return moved


def place_of(dataset: DictConfig, root: str) -> str:
    """Return the key of a data set that says where it lies.

    Raises:
        UserError: If there is none, so that ``root`` is of no use.
    """
    key = location_key(dataset)
    if key is None:
        raise UserError(f"root={root}: this run's data set lies in no folder and no file.")
    return key
