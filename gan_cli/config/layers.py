"""Layers of a config: files laid over one another, and an option that takes the place of an experiment's."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from gan_cli.config.scalars import MISSING
from gan_cli.config.value_types import is_interpolation


class NotPlain(Exception):
    """A node replaces a value, or a value replaces a node: OmegaConf considers interpolations and types there."""


def overlaid(contents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge the contents of config files as OmegaConf merges configs without types: later values replace earlier ones.

    Raises:
        NotPlain: If OmegaConf may merge the contents in another way.
    """
    result: dict[str, Any] = {}
    for content in contents:
        _lay(content, result)
    return result


def _lay(content: Mapping[str, Any], below: dict[str, Any]) -> None:
    for key, value in content.items():
        before = below.setdefault(key, {} if isinstance(value, dict) else value)
        if isinstance(value, dict) and isinstance(before, dict):
            _lay(value, before)
        elif isinstance(value, dict) or isinstance(before, dict) or (is_interpolation(before) and _may_keep(value)):
            raise NotPlain
        elif value != MISSING:
            below[key] = value


def _may_keep(value: Any) -> bool:
    """Return True for a value that may leave a part of the node to which an interpolation below it refers."""
    return isinstance(value, list) or value == MISSING


def leave_out_replaced(cfg: DictConfig, overrides: list[str], compose: Callable[[list[str]], DictConfig]) -> None:
    """Delete from ``cfg`` what its experiment sets for an option that the command line replaces.

    Args:
        cfg: The composed config, with Hydra's own node.
        overrides: The words of the command line.
        compose: Composes the config of other words.
    """
    chosen = cfg.hydra.runtime.choices
    if chosen.get("experiment") is None:
        return
    words = {word.partition("=")[0].lstrip("+~"): word for word in overrides}
    replaced = [group for group in chosen if group in words and group in cfg and group != "experiment"]
    replaced = [group for group in replaced if OmegaConf.is_dict(cfg[group])]
    if not replaced:
        return
    plain = compose([f"{group}={option}" for group, option in chosen.items() if _can_be_repeated(str(group), option)])
    with open_dict(cfg):
        for group in replaced:
            for key in [*_foreign(cfg[group], plain[group], f"{group}.")]:
                if key not in words:
                    place, _, name = key.rpartition(".")
                    del OmegaConf.select(cfg, place)[name]


def _can_be_repeated(group: str, option: str | None) -> bool:
    """Return True if the choice of a group can stand on a command line that names no experiment."""
    return option is not None and group != "experiment" and not group.startswith("hydra/") and "@" not in group


def _foreign(node: DictConfig, known: DictConfig, prefix: str) -> Iterator[str]:
    """Yield the dotted keys of a node that ``known`` lacks, inside the nodes that both have."""
    for name in map(str, node):
        if name not in known:
            yield f"{prefix}{name}"
        elif OmegaConf.is_dict(node[name]) and OmegaConf.is_dict(known[name]):
            yield from _foreign(node[name], known[name], f"{prefix}{name}.")
