"""The user's own defaults: places of data sets, the cache folder and the device.

They come from ``$XDG_CONFIG_HOME/gan-cli/config.yaml`` (``~/.config`` without the variable) and from ``$GAN_CLI_DATA``, a
folder that holds data sets under their published names. The command line and experiments win over both.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf, open_dict

from gan_cli import files
from gan_cli.config.locations import LOCATION, WITHIN
from gan_cli.config.scalars import scalars
from gan_cli.config.schema import TrainConfig
from gan_cli.config.stored import LARGEST
from gan_cli.errors import UserError

KEYS = ("dataset", "cache_dir", "device")
DATA = "GAN_CLI_DATA"
"""The environment variable that names a folder of data sets."""


@dataclass(frozen=True)
class UserConfig:
    """The user's own defaults.

    Attributes:
        file: The file that they were read from.
        device: Device of all commands. None: as shipped.
        cache_dir: Folder of the image cache. None: as shipped.
        places: For options of ``dataset``, the key that says where the data set lies, and its place.
    """

    file: Path
    device: str | None = None
    cache_dir: str | None = None
    places: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def read() -> UserConfig | None:
    """Return the user config, or None without one.

    Raises:
        UserError: If it cannot be read, or says anything but the place of data sets, the cache folder and the device.
    """
    file = path()
    if file is None or not file.is_file():
        return None
    try:
        content = yaml.safe_load(files.read_bytes(file, LARGEST))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        said = getattr(error, "problem", None) or type(error).__name__
        mark = getattr(error, "problem_mark", None)
        raise UserError(f"{file}{f', line {mark.line + 1}' if mark else ''}: {said}.") from error
    content = {} if content is None else content
    if not isinstance(content, dict) or not set(content) <= set(KEYS):
        unknown = next((str(key) for key in content if key not in KEYS), None) if isinstance(content, dict) else None
        raise UserError(f"{file}: {f'no key {unknown!r}' if unknown else 'it holds no keys'}. Its keys are {', '.join(KEYS)}.")
    for key in ("cache_dir", "device"):
        if not isinstance(content.get(key), str | None):
            raise UserError(f"{file}: {key} must be a text, not {content[key]!r}.")
    if problem := scalars(TrainConfig)["device"].problem(content.get("device")):
        raise UserError(f"{file}: device {problem}, not {content['device']!r}")
    places = content.get("dataset") or {}
    for option, place in places.items() if isinstance(places, dict) else [(places, None)]:
        if not isinstance(place, dict) or not all(isinstance(part, str) for part in (*place, *place.values())):
            raise UserError(f"{file}: dataset.{option} must say where the data set lies, as in {{lsun: {{root: /data/lsun}}}}.")
    relative = {f"dataset.{option}.{key}": value for option, place in places.items() for key, value in place.items()}
    for key, value in {"cache_dir": content.get("cache_dir"), **relative}.items():
        if value is not None and not os.path.isabs(os.path.expanduser(value)):
            raise UserError(f"{file}: {key} must be an absolute path, not {value!r}.")
    return UserConfig(file, content.get("device"), content.get("cache_dir"), places)


def path() -> Path | None:
    """Return the place of the user config, or None without a home directory."""
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    with suppress(RuntimeError):
        return (Path(folder) if os.path.isabs(folder) else Path.home() / ".config") / "gan-cli" / "config.yaml"
    return None


def supply(cfg: DictConfig, named: Collection[str], user: UserConfig | None) -> list[str]:
    """Fill in what neither the command line nor an option says, and make the place of the data set absolute.

    Args:
        cfg: A composed config, which is changed.
        named: Keys that the command line names.
        user: The user config.

    Returns:
        Lines that say which values come from where.
    """
    make_absolute(cfg)
    lines = []
    with open_dict(cfg):
        for key, value, source in [*_values(cfg, named, user)]:
            node, _, name = key.rpartition(".")
            (cfg[node] if node else cfg)[name] = value
            lines.append(f"{key}={value} {source}")
    return lines


def make_absolute(cfg: DictConfig) -> None:
    """Make the path that says where the data set of a config lies absolute, as it is not stored with the working folder."""
    dataset: DictConfig = cfg.get("dataset") or OmegaConf.create()
    key = str(dataset.get(LOCATION))
    if key in dataset and not OmegaConf.is_missing(dataset, key) and isinstance(dataset[key], str) and dataset[key]:
        dataset[key] = _absolute(dataset[key])


def _values(cfg: DictConfig, named: Collection[str], user: UserConfig | None) -> Iterator[tuple[str, str, str]]:
    """Yield the keys that are to be filled in, their values, and where these come from."""
    if user and user.device and "device" in cfg and cfg.device == "auto" and "device" not in named:
        yield "device", user.device, f"comes from {user.file}"
    dataset: DictConfig = cfg.get("dataset") or OmegaConf.create()
    if user and user.cache_dir and "cache_dir" in dataset and dataset.cache_dir is None:
        yield "dataset.cache_dir", _absolute(user.cache_dir), f"comes from {user.file}"
    key = str(dataset.get(LOCATION))
    within = dataset.pop(WITHIN, None)
    if key not in [*dataset]:  # which holds a missing value, unlike the node
        return
    option = cfg.hydra.runtime.choices.get("dataset")
    own = user.places.get(option, {}) if user else {}
    if wrong := [name for name in own if name != key]:
        assert user is not None
        raise UserError(f"{user.file}: dataset.{option}.{wrong[0]}: the place of this data set is called {key}.")
    if not OmegaConf.is_missing(dataset, key) and dataset[key] is not None:
        return
    if own:
        assert user is not None
        yield f"dataset.{key}", _absolute(own[key]), f"comes from {user.file}"
    elif within and (folder := os.environ.get(DATA)):
        found = (Path(_absolute(folder)) / name for name in within)
        if there := next((one for one in found if one.exists()), None):
            yield f"dataset.{key}", str(there), f"comes from {DATA}"
    elif within and "download" in dataset:
        yield f"dataset.{key}", str(_default_folder()), f"is the default place; dataset.{key}=DIR names another"


def _default_folder() -> Path:
    """Return the folder into which published data sets are downloaded if none is named."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache) / "gan-cli" / "data"


def _absolute(place: str) -> str:
    return os.path.abspath(os.path.expanduser(place))
