"""Detection of runs that an earlier version made, by the config they have stored."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_cli.config.scalars import components, key_of
from gan_cli.config.schema import Train, TrainConfig
from gan_cli.config.trust import is_shipped
from gan_cli.errors import EarlierVersionError


def check_version(folder: Path, config: DictConfig) -> None:
    """Refuse the run in ``folder`` if its stored ``config`` is of an earlier version.

    Raises:
        EarlierVersionError: If the config has unknown keys, lacks a group, or names a class that has moved.
    """
    plain = OmegaConf.to_container(config)
    assert isinstance(plain, dict)
    if is_outdated({str(key): value for key, value in plain.items()}) or not set(components(TrainConfig)) <= set(plain):
        raise EarlierVersionError(folder)


def is_outdated(config: Mapping[str, Any]) -> bool:
    """Return True if ``config``, as plain data, has unknown keys or names a class of this package that does not exist.

    The ``report`` node is not checked: users write it themselves, and gan-report names its mistakes.
    """
    train = config.get("train")
    if not set(config) <= set(map(key_of, fields(TrainConfig))):
        return True
    if isinstance(train, Mapping) and not set(train) <= {field.name for field in fields(Train)}:
        return True
    checked = {key: node for key, node in config.items() if key != "report"}
    return not all(_exists(target) for target in _targets(checked))


def _targets(node: Any) -> Iterator[str]:
    """Yield every ``_target_`` in ``node`` that belongs to this package."""
    if isinstance(node, Mapping):
        target = node.get("_target_")
        if isinstance(target, str) and target.startswith("gan_cli."):
            yield target
        for child in node.values():
            yield from _targets(child)
    elif isinstance(node, list):
        for child in node:
            yield from _targets(child)


def _exists(target: str) -> bool:
    module, _, name = target.rpartition(".")
    if not is_shipped(target):
        return False
    try:
        return hasattr(import_module(module), name)
    except ImportError:  # it exists, but an optional dependency of it is not installed
        return True
