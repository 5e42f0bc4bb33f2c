"""What a run leaves behind, read back and compared to the bit."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gan_cli.runs import checkpoint, logger
from gan_cli.training.command import train_command


def train(cfg: DictConfig, folder: Path, values: str = "", resume: bool = False) -> float | None:
    """``train_command`` on a copy of ``cfg`` with ``values`` ("train.steps=60") set; in a folder that is there, as Hydra's."""
    cfg = OmegaConf.merge(cfg, OmegaConf.from_dotlist(values.split()))
    cfg.resume = str(folder) if resume else None
    folder.mkdir(parents=True, exist_ok=True)
    return train_command(cfg, folder)


def result(folder: Path) -> dict[str, Any]:
    """``result.json``."""
    return json.loads((folder / "result.json").read_text())


def state(folder: Path, step: int | None = None) -> dict[str, Any]:
    """The checkpoint of a step, by default the newest."""
    return checkpoint.load(checkpoint.path_of(folder, checkpoint.steps_in(folder)[-1] if step is None else step))


def outcome(folder: Path) -> dict[str, Any]:
    """All that must not depend on how a run came about: clocks, and that it was resumed, are left out."""
    newest, finished = state(folder), result(folder)
    newest["config"]["resume"] = None
    return {
        **newest,
        "numbers": [{k: v for k, v in row.items() if not k.startswith("time/")} for row in logger.read(folder)],
        "result": {key: finished[key] for key in ("status", "config", "step", "objective", "metric", "players")},
        "pictures": {path.name: path.read_bytes() for path in sorted((folder / "samples").iterdir())},
    }


def differences(a: Any, b: Any, path: str = "") -> list[str]:
    """Where two outcomes differ; tensors are compared bit by bit."""
    if type(a) is not type(b):
        return [path]
    if isinstance(a, Mapping):
        only_one = [f"{path}.{key}" for key in a.keys() ^ b.keys()]
        return only_one + [where for key in a.keys() & b.keys() for where in differences(a[key], b[key], f"{path}.{key}")]
    if isinstance(a, list | tuple) and len(a) == len(b):
        return [where for i, (x, y) in enumerate(zip(a, b, strict=True)) for where in differences(x, y, f"{path}[{i}]")]
    if isinstance(a, Tensor):
        return [] if a.dtype == b.dtype and torch.equal(a, b) else [path]
    return [] if a == b else [path]
