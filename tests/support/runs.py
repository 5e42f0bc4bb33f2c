"""Training runs in tests: start one, read its files back, and compare two of them to the bit."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gan_cli.config.identity import to_plain
from gan_cli.runs import checkpoint, logger
from gan_cli.training.command import train_command

EMPTY_STATE: dict[str, Any] = {
    "config": {"train": {}},
    "data": {"shape": [2], "classes": 0, "source": None, "series": None, "signature": torch.zeros(1)},
    **{name: {} for name in ("game", "ema", "objective", "solver", "parts", "random", "costs", "clock")},
    "last": 0,
    "batches": {"position": 0, "samples": 0},
}
"""The content of a checkpoint that holds nothing, for tests of saving."""


def train(cfg: DictConfig, folder: Path, values: str = "", resume: bool = False) -> float | None:
    """Call ``train_command`` in ``folder``, made first, on a copy of ``cfg`` with ``values`` ("train.steps=60") set."""
    cfg = OmegaConf.merge(cfg, OmegaConf.from_dotlist(values.split()))
    cfg.resume = str(folder) if resume else None
    folder.mkdir(parents=True, exist_ok=True)
    return train_command(cfg, folder)


def result(folder: Path) -> dict[str, Any]:
    """Return the content of ``result.json``."""
    return json.loads((folder / "result.json").read_text())


def state(folder: Path, step: int | None = None) -> dict[str, Any]:
    """Return the checkpoint of a step, by default the newest."""
    return checkpoint.load(checkpoint.path_of(folder, checkpoint.steps_in(folder)[-1] if step is None else step))


def set_trained_config(folder: Path, cfg: DictConfig) -> None:
    """Make ``cfg`` the config that the run in ``folder`` was trained with: that of ``config.yaml`` and of all checkpoints."""
    OmegaConf.save(OmegaConf.create(to_plain(cfg)), folder / "config.yaml")
    for step in checkpoint.steps_in(folder):
        checkpoint.save(folder, step, {**state(folder, step), "config": to_plain(cfg)})


def outcome(folder: Path) -> dict[str, Any]:
    """Return everything that must be equal in a resumed and an uninterrupted run: clocks and ``resume`` are left out."""
    newest, finished = state(folder), result(folder)
    newest["config"]["resume"] = None
    del newest["clock"]
    return {
        **newest,
        "numbers": [{k: v for k, v in row.items() if not k.startswith("time/")} for row in logger.read(folder)],
        "result": {key: finished[key] for key in ("status", "config", "step", "objective", "metric", "players")},
        "pictures": {path.name: path.read_bytes() for path in sorted((folder / "samples").iterdir())},
    }


def differences(a: Any, b: Any, path: str = "") -> list[str]:
    """Return the paths at which two outcomes differ; tensors are compared bit by bit."""
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
