"""The values that ``precision=auto`` and ``memory_format=auto`` stand for: by device and networks, never by timing."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from gan_cli.build import needs
from gan_cli.config.instantiate import target_of
from gan_cli.config.names import AUTO, AUTOMATIC
from gan_cli.device import choose
from gan_cli.models.base import Kind
from gan_cli.precision import HALVES, computes_in


def settle(cfg: DictConfig, known: Mapping[str, Any] | None = None) -> list[str]:
    """Replace every ``auto`` in a config, before anything is built, hashed or stored.

    Args:
        cfg: The config of a run, which is changed.
        known: The config of the same run as it began, maybe on another machine; its values stay. None: the run is new.

    Returns:
        A line that says what was chosen, if anything was.
    """
    asked = [key for key in AUTOMATIC if cfg[key] == AUTO]
    if not asked:
        return []
    kept = {key: known[key] for key in asked if known is not None and key in known}
    device, kinds = choose(cfg.device), set(kinds_of(cfg))
    for key in asked:  # the memory format follows the precision
        cfg[key] = kept.get(key) or (precision_for if key == "precision" else memory_format_for)(device, kinds, cfg.precision)
    chosen = ", ".join(f"{key}={cfg[key]}" for key in asked)
    return [f"{chosen}: {'as the run began' if kept else f'chosen for {device} and these networks'}"]


def warnings(cfg: DictConfig) -> list[str]:
    """Return a warning if the device does not compute in the precision of the config, but emulates it."""
    device = choose(cfg.device)
    if cfg.precision not in HALVES or device.type == "meta" or computes_in(device, HALVES[cfg.precision]):
        return []
    return [f"warning: precision={cfg.precision}: {device} has no instructions for it here and emulates it, which takes longer"]


def precision_for(device: torch.device, kinds: set[Kind], precision: str = "fp32") -> str:
    """Return bf16 if ``device`` computes in it and all networks are convolutional; casts cost small perceptrons more."""
    return "bf16" if kinds and kinds <= {"convolutional", "attentive"} and computes_in(device, torch.bfloat16) else "fp32"


def memory_format_for(device: torch.device, kinds: set[Kind], precision: str) -> str:
    """Return channels_last for convolutions without attention in 16 bits; in float32 and with attention it may cost time."""
    return "channels_last" if kinds == {"convolutional"} and precision in HALVES else "contiguous"


def kinds_of(cfg: DictConfig) -> Iterator[Kind]:
    """Yield the kinds of all networks of the config that its game plays with."""
    for player in map(str, cfg.model):
        if player in needs(cfg):
            yield from _kinds(cfg, f"model.{player}")


def _kinds(cfg: DictConfig, key: str) -> Iterator[Kind]:
    kind: Kind = getattr(target_of(cfg, key, nn.Module), "kind", "other")
    if kind != "wrapper":
        yield kind
        return
    node = OmegaConf.select(cfg, key)
    for name in map(str, node):
        if OmegaConf.is_dict(node[name]) and "_target_" in node[name]:
            yield from _kinds(cfg, f"{key}.{name}")
