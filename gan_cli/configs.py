"""What is asked of a config or of a run's folder without torch: identity, plain form, result, threads."""

import hashlib
import json
import os
import shlex
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_cli.errors import UserError

RUN_ONLY = (
    "resume",
    "debug",
    "report",
    "device",
    "log_every",
    "eval_every",
    "sample_every",
    "checkpoint_every",
    "keep_checkpoints",
)
"""Keys that say how a run is watched and where it is done, not what comes out; they are no part of its identity."""


def to_plain(cfg: DictConfig) -> dict[str, Any]:
    """The config as plain data, interpolations resolved, without Hydra's own node and without ``resume``."""
    return {
        str(key): OmegaConf.to_container(cfg[key], resolve=True) if OmegaConf.is_config(cfg[key]) else cfg[key]
        for key in cfg
        if key not in ("hydra", "resume")
    }


def config_hash(cfg: DictConfig) -> str:
    """Twelve hexadecimal digits that name what a config computes: all of it but ``RUN_ONLY``, in any order."""
    content = {key: value for key, value in to_plain(cfg).items() if key not in RUN_ONLY}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:12]


def holds_config(folder: Path) -> bool:
    """Whether a run has begun in ``folder``."""
    return (folder / "config.yaml").is_file()


def resume_command(folder: Path) -> str:
    """What continues the run in ``folder``, ready to be pasted into a shell."""
    return f"gan-train {shlex.quote(f'resume={folder}')}"


def holds_run_already(folder: Path) -> UserError:
    """Why a run cannot begin in ``folder``."""
    return UserError(f"{folder} holds a run already: continue it with {resume_command(folder)}, or name another folder.")


def run_folder(path: str | Path) -> Path:
    """``path`` as the folder of a run; a UserError that says what was looked for if it is none."""
    folder = Path(path)
    if holds_config(folder):
        return folder
    inside = next(filter(holds_config, folder.parents), None)
    hint = f"Did you mean {inside}?" if inside else "Name the folder that a run printed, the one with checkpoints/ in it."
    raise UserError(f"no run in {folder}: there is no {folder / 'config.yaml'}.\n{hint}")


def holds_run(folder: Path, cfg: DictConfig) -> bool:
    """Whether ``folder`` holds a run of this very config; a UserError if it holds a run of another one."""
    if not holds_config(folder):
        return False
    found = OmegaConf.load(folder / "config.yaml")
    if not isinstance(found, DictConfig) or config_hash(found) != config_hash(cfg):
        raise UserError(f"{folder} holds a run with another config: name another hydra.sweep.dir, or remove that run.")
    return True


def read_result(folder: Path) -> dict[str, Any] | None:
    """What ``result.json`` in ``folder`` says; None where it is missing or unreadable."""
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return result if isinstance(result, dict) else None


def threads() -> int | None:
    """CPU threads that this job may use: its share when a sweep runs jobs side by side; None for torch's own choice."""
    share = os.environ.get("GAN_CLI_THREADS", "")
    return int(share) if share.isdecimal() and int(share) else None
