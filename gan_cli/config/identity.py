"""The identity of a config: its plain form, and the hash of everything that decides a run's result."""

import hashlib
import json
from typing import Any

from omegaconf import DictConfig, OmegaConf

RUN_ONLY = (
    "resume",
    "debug",
    "code",
    "report",
    "device",
    "log_every",
    "eval_every",
    "sample_every",
    "checkpoint_every",
    "keep_checkpoints",
    "trust",
)
"""Keys that do not affect the result of a run, such as cadences and the device; they are not part of its identity."""


def to_plain(cfg: DictConfig) -> dict[str, Any]:
    """Return the config as plain data and resolved, without ``hydra``, ``resume``, ``code`` and ``trust``."""
    return {
        str(key): OmegaConf.to_container(cfg[key], resolve=True) if OmegaConf.is_config(cfg[key]) else cfg[key]
        for key in cfg
        if key not in ("hydra", "resume", "code", "trust")
    }


def config_hash(cfg: DictConfig) -> str:
    """Return twelve hexadecimal digits that identify a config, apart from the keys in ``RUN_ONLY`` and in any order."""
    content = {key: value for key, value in to_plain(cfg).items() if key not in RUN_ONLY}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:12]
