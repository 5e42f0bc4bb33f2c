"""The one reader of configs that lie in a run folder: bounded, and as plain data."""

import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_cli import files
from gan_cli.config.form import FormError, require_bounded
from gan_cli.errors import UserError, first_line

RUN_KEYS = {"train", "dataset", "model", "game", "loss"}
"""Keys by which the config of a run is known among other files of the name ``config.yaml``."""
LARGEST = 256 * 1024
"""Size in bytes beyond which a config is refused; the configs of all shipped experiments are fifty times smaller."""
REFERENCE = re.compile(r"\$\{\.*\w+(\.\w+)*\}")
"""An interpolation that is the key of another value."""
MOST = 10_000
"""Number of values beyond which a composed config is refused."""
DEEPEST = 50
"""Depth of nodes beyond which a config is refused."""


def read_config(path: Path) -> DictConfig:
    """Return the config in ``path``, whose values are plain data.

    A config may come from somebody else, so nothing in it is looked up or computed: it has no anchors, which can expand
    to any size, and no interpolations, which can read the environment.

    Raises:
        FileNotFoundError: If there is no file.
        UserError: If it cannot be read, is no mapping, or holds an interpolation or a missing value.
    """
    config: DictConfig = pickle.loads(_parsed(files.read_bytes(path, LARGEST), path)[0])
    return config


def read_plain(path: Path) -> dict[str, Any]:
    """Return the config in ``path`` as plain data, see ``read_config``."""
    plain: dict[str, Any] = pickle.loads(_parsed(files.read_bytes(path, LARGEST), path)[1])
    return plain


@lru_cache(maxsize=64)
def _parsed(content: bytes, path: Path) -> tuple[bytes, bytes]:
    """Return the config in a file of this content as a node and as plain data, both pickled.

    A command reads the config of a run up to ten times, and parsing it takes longer than anything else that it does with it.
    """
    text = content.decode("utf-8", errors="replace")
    with _readable(path):
        if _interpolations(text, path):  # they are refused before OmegaConf parses them, however long they are
            plain_config(yaml.safe_load(text), path)
        config = OmegaConf.create(text)
        return pickle.dumps(config), pickle.dumps(plain_config(config, path))


def read_composed(path: Path) -> dict[str, Any]:
    """Return the config in ``path``, which Hydra has composed for a job and left unresolved, as plain data.

    Raises:
        FileNotFoundError: If there is no file.
        UserError: If it cannot be read, or holds an interpolation that is more than the key of another value.
    """
    text = files.read_bytes(path, LARGEST).decode("utf-8", errors="replace")
    with _readable(path):
        if not all(map(REFERENCE.fullmatch, _interpolations(text, path))):
            raise UserError(f"{path}: an interpolation in it is more than the key of another value.")
        plain = _resolved(OmegaConf.create(text), iter(range(MOST)))
        assert isinstance(plain, dict)
        return plain


def _resolved(node: Any, budget: Iterator[int]) -> Any:
    """Return a node as plain data; references to large nodes that refer to others could expand to any size."""
    if next(budget, None) is None:
        raise ValueError(f"it has more than {MOST} values")
    if OmegaConf.is_dict(node):
        return {str(name): _resolved(node[name], budget) for name in node if not OmegaConf.is_missing(node, name)}
    if OmegaConf.is_list(node):
        return [_resolved(child, budget) for child in node]
    return node


def plain_config(config: Any, source: object) -> dict[str, Any]:
    """Return a stored config as plain data.

    Args:
        config: The config, as a node or as plain data.
        source: Where it is stored, for messages.

    Raises:
        UserError: If it is no mapping, or a value in it is an interpolation or missing.
    """
    plain: Any = OmegaConf.to_container(config) if OmegaConf.is_config(config) else config
    try:
        require_bounded(plain, MOST)
    except FormError as error:
        raise UserError(f"{source} is not the config of a run: {error}.") from error
    if not isinstance(plain, dict) or not all(isinstance(key, str) for key in plain):
        raise UserError(f"{source} is not the config of a run: it is no mapping of words.")
    for key, value in leaves(plain):
        if isinstance(value, str) and "${" in value:
            raise UserError(f"{source}: {key} is an interpolation, and a stored config holds plain values only.")
        if value == "???":
            raise UserError(f"{source}: {key} has no value.")
    return plain


def leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value in ``node`` that is neither a mapping nor a list, with its dotted key."""
    if isinstance(node, dict | list):
        for name, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(child, f"{key}.{name}" if key else str(name))
    else:
        yield key, node


def _interpolations(text: str, path: Path) -> list[str]:
    """Return the values in the yaml ``text`` that may be interpolations.

    Raises:
        UserError: If the text is no mapping, has aliases, or is nested too deeply; nothing has been built from it then.
    """
    depth, found = 0, []
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.AliasEvent):
            raise UserError(f"{path}: a stored config has no aliases, but this one has *{event.anchor}.")
        if depth == 0 and isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent):
            raise UserError(f"{path} is not the config of a run: it is no mapping.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise UserError(f"{path} is not the config of a run: it is nested more than {DEEPEST} levels deep.")
        if isinstance(event, yaml.ScalarEvent) and "${" in event.value:
            found.append(event.value)
    return found


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, AttributeError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{path} cannot be read: {first_line(error)}.") from error
