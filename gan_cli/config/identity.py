"""The identity of a config: its plain form, and the hash of everything that decides a run's result."""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_cli.config.budget import KEYS
from gan_cli.config.locations import location_key
from gan_cli.config.names import CONTINUING, RUN_ONLY


def to_plain(cfg: DictConfig) -> dict[str, Any]:
    """Return the config as plain data and resolved, without ``hydra``, ``resume``, ``code`` and ``trust``."""
    return {
        str(key): OmegaConf.to_container(cfg[key], resolve=True) if OmegaConf.is_config(cfg[key]) else cfg[key]
        for key in cfg
        if key not in ("hydra", "resume", "code", "trust")
    }


def config_hash(cfg: DictConfig) -> str:
    """Return twelve hexadecimal digits that identify a config, apart from the keys in ``RUN_ONLY`` and in any order."""
    return plain_hash(to_plain(cfg))


def plain_hash(config: Mapping[str, Any]) -> str:
    """Return the same for a config as plain data."""
    content = {key: value for key, value in config.items() if key not in RUN_ONLY}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:12]


def flat(node: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested mappings by dotted key; a list is one value."""
    values: dict[str, Any] = {}
    for name, value in node.items():
        values |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return values


def edits(config: Mapping[str, Any], trained: Mapping[str, Any]) -> list[str]:
    """Return what differs in ``config`` from the config that a run was trained with, as ``seed=1 instead of 0``.

    Keys in ``RUN_ONLY`` and ``CONTINUING``, the budget and the place of the data set may differ.
    """
    return differences(config, trained, (*KEYS, *CONTINUING, f"dataset.{location_key(config.get('dataset') or {})}"))


def differences(new: Mapping[str, Any], old: Mapping[str, Any], free: Collection[str] = ()) -> list[str]:
    """Return what differs between two configs, as ``seed=1 instead of 0``, apart from ``RUN_ONLY`` and ``free`` keys."""
    after, before = ({key: v for key, v in flat(c).items() if key.partition(".")[0] not in RUN_ONLY} for c in (new, old))
    different = [
        key
        for key in {**after, **before}
        if key not in free and (key not in after or key not in before or after[key] != before[key])
    ]
    return [_difference(key, after, before) for key in different]


def _difference(key: str, after: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    new, old = (_shown(config[key]) if key in config else None for config in (after, before))
    if new is None:
        return f"no {key} instead of {key}={old}"
    return f"{key}={new} instead of {f'no {key}' if old is None else old}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
