"""Composing a config from the command line through Hydra, with every mistake reported in one or two lines."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra.conf import HydraConf
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from gan_cli.config import docstrings, suggestions, user
from gan_cli.config.hydra_internals import config_loader
from gan_cli.config.identity import to_plain
from gan_cli.config.names import folder_name, job_folder, method_name
from gan_cli.config.scalars import MISSING, Scalar, components, scalars
from gan_cli.config.schema import COMMANDS, RunsConfig, TrainConfig
from gan_cli.config.value_types import LIST, ONE, is_interpolation, like, shown, typed
from gan_cli.errors import UserError, first_line

GRID, SEARCH = "hydra_plugins.gan_cli.Sweep", "hydra_plugins.gan_cli.Search"
"""Import paths of our sweepers; Hydra only accepts sweepers below ``hydra_plugins``."""
SWEEPERS: Mapping[str, Mapping[str, Any]] = {
    "gan": {"_target_": GRID, "max_batch_size": None, "params": None, "cases": None},
    "optuna": {
        "_target_": SEARCH,
        "n_trials": 20,
        "n_jobs": None,
        "sampler": "tpe",
        "seed": 0,
        "storage": None,
        "pruner": "none",
        "warmup": 0,
        "fresh": 0,
        "params": None,
    },
}
"""Our options of ``hydra/sweeper``."""

SCHEMAS = {name.removeprefix("gan-"): schema for name, schema in COMMANDS.items() if schema is not RunsConfig}
"""Schemas of the config files in ``conf/``, by name; gan-runs composes no config."""
COMBINED = {"regularizer", "logger"}
"""Groups of which a run takes any number of options."""


def structured(schema: type) -> DictConfig:
    """Return the typed node of a schema, with the keys of its fields, see ``key_of``."""
    node = OmegaConf.structured(schema)
    node.__dict__["_content"] = {name.removesuffix("_"): child for name, child in node._content.items()}
    for name, child in node._content.items():
        child._set_key(name)
    assert isinstance(node, DictConfig)
    return node


for _name, _schema in SCHEMAS.items():
    ConfigStore.instance().store(name=f"{_name}_schema", node=structured(_schema), provider="gan-cli")
# a config of its own, since an experiment could not choose another sweeper than train.yaml names itself
_default: dict[str, Any] = {"defaults": [{"override /hydra/sweeper": "gan"}]}
ConfigStore.instance().store(name="our_sweeper", node=_default, package="_global_", provider="gan-cli")
for _name, _node in SWEEPERS.items():
    ConfigStore.instance().store(group="hydra/sweeper", name=_name, node=dict(_node), provider="gan-cli")
OmegaConf.register_new_resolver("gan.folder_name", folder_name, replace=True)
OmegaConf.register_new_resolver("gan.method_name", method_name, replace=True)
OmegaConf.register_new_resolver("gan.job_folder", job_folder, replace=True)


@contextmanager
def readable() -> Iterator[None]:
    """Convert exceptions of Hydra, OmegaConf and the YAML reader inside the block into a UserError of one or two lines."""
    try:
        yield
    except MissingConfigException as error:
        group, _, name = (error.missing_cfg_file or "").rpartition("/")
        if not group or error.options is None:
            raise UserError(_first_lines(error)) from error
        raise suggestions.unknown_option(group, name, sorted(error.options)) from error
    except ConfigCompositionException as error:
        unused = re.match(r"Could not override '(.+?)'", str(error))
        if unused is None:
            raise UserError(_first_lines(error)) from error
        raise UserError(
            f"{unused[1]} is named, but no option that is chosen here brings it along.\nLeave it out, or choose one that does."
        ) from error
    except OverrideParseException as error:
        key, _, value = error.override.partition("=")
        hint = f"{key}=\"'{value}'\"" if value and "'" not in value else "KEY=\"'VALUE'\""
        raise UserError(f"cannot read {error.override}\nQuote a value that holds = , ( ) [ ] or spaces: {hint}") from error
    except MarkedYAMLError as error:
        place = f"{error.problem_mark.name}, line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UserError(f"{place}{error.problem or error.context}") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"a config file is not written in UTF-8: {error.object[max(error.start - 20, 0) : error.end]!r}."
        ) from error
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        raise UserError(_first_lines(error)) from error


def _first_lines(error: Exception) -> str:
    file = re.match(r"In '(.+?)'", str(error))
    for cause in (error, error.__cause__ or error.__context__):
        if isinstance(cause, OmegaConfBaseException) and cause.full_key:
            said = first_line(cause.msg)
            return f"{f'{file[1]}.yaml: ' if file else ''}{cause.full_key}: {said}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "\n".join(lines[:2]) or type(error).__name__


def loader(config_dir: str | None = None) -> ConfigLoader:
    """Return Hydra's loader for the shipped configs and, with lower priority, the user's own in ``config_dir``.

    Raises:
        UserError: If there is no such folder, or the user config cannot be read.
    """
    if config_dir is not None and not Path(config_dir).is_dir():
        raise UserError(f"--config-dir {config_dir}: there is no such folder.")
    return config_loader(suggestions.conf_dir(), None if config_dir is None else Path(config_dir), user.read())


def own_options(context: HydraConf) -> Path | None:
    """Return the folder of the user's own options that ``--config-dir`` has named, None without one.

    Args:
        context: Hydra's own node of a composed config.
    """
    own = (Path(source.path) for source in context.runtime.config_sources if source.provider == "command-line")
    return next(own, None)


def compose(loader: ConfigLoader, name: str, overrides: list[str]) -> DictConfig:
    """Return the composed config, including Hydra's own node.

    Args:
        loader: Hydra's loader.
        name: A key of ``SCHEMAS``.
        overrides: The words of the command line.

    Raises:
        UserError: If an option or a key is unknown, a value has another type than its default or is out of range, a required
            value is missing, or an interpolation cannot be resolved.
    """
    known = scalars(SCHEMAS[name])
    with readable():
        choices, values = _sorted_out(loader, name, overrides, known)
        for override in values:
            if override.key_or_group in known:
                _check_scalar(override, known[override.key_or_group])
        others = [override for override in values if not (override.is_hydra_override() or override.key_or_group in known)]
        if others:
            _check(others, _defaults(loader, name, tuple(choices)))
        try:
            cfg = loader.load_configuration(name, overrides, RunMode.RUN, from_shell=False)
        except HydraException:  # one of Hydra's own keys is wrong: report it like other keys
            _check([override for override in values if override.is_hydra_override()], _defaults(loader, name, tuple(choices)))
            raise
        _check_whole(cfg, known)
    return cfg


@lru_cache(maxsize=16)
def _defaults(loader: ConfigLoader, name: str, choices: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the values of all keys under these options; the jobs of a sweep have many options in common."""
    return flatten(loader.load_configuration(name, list(choices), RunMode.RUN, from_shell=False))


def _sorted_out(
    loader: ConfigLoader, name: str, overrides: list[str], known: Mapping[str, Scalar]
) -> tuple[list[str], list[Override]]:
    """Return the overrides that choose options of groups, and those that set values."""
    choices = [line for line in overrides if line.startswith("hydra.searchpath=")]
    one_option = {*components(SCHEMAS[name])} - COMBINED
    searchpath, values = list(choices), []
    for override in OverridesParser.create(config_loader=loader).parse_overrides(overrides):
        key, value, line = override.key_or_group, override.value(), str(override.input_line)
        if override.is_sweep_override():
            raise UserError(
                f"{line} names several values.\nTo try each of them use gan-train -m; a list is written {key}=[a,b]."
            )
        is_value = key in known or "." in key
        options = [] if is_value else loader.get_group_options(key, config_name=name, overrides=searchpath)
        if options and not (override.is_delete() or isinstance(value, (str, list))):
            raise suggestions.unknown_option(key, shown(value), options)
        if options and isinstance(value, list) and len(value) > 1 and key.partition("/")[0] in one_option:
            raise _several_options(name, key, value)
        if options:
            choices.append(line)
        elif line not in searchpath:
            values.append(override)
    return choices, values


def flatten(cfg: DictConfig) -> dict[str, Any]:
    """Return the plain value of every key of a config, inner nodes included; interpolations are resolved where possible."""

    def walk(node: Any, prefix: str) -> Iterator[tuple[str, Any]]:
        for name, value in node.items():
            key = f"{prefix}{name}"
            if is_interpolation(value):
                # one that cannot be resolved is reported when the whole config is resolved
                with suppress(OmegaConfBaseException, ValueError):
                    value = OmegaConf.select(cfg, key)
            yield key, value
            if isinstance(value, dict):
                yield from walk(value, f"{key}.")

    return dict(walk(OmegaConf.to_container(cfg, resolve=False), ""))


def _several_options(name: str, key: str, options: list[str]) -> UserError:
    """Return the error about a list of options of which only one can be used: Hydra would take the last without a word."""
    listed = ",".join(map(str, options))
    each = f"For a run of each: gan-train -m {key}={listed}" if name == "train" else f"For each of them type gan-{name} again."
    return UserError(f"{key}=[{listed}] names several options where one is used.\n{each}")


def _check_scalar(override: Override, scalar: Scalar) -> None:
    key, value = override.key_or_group, override.value()
    if override.is_delete():
        raise UserError(f"{key} cannot be left out.")
    if override.is_add():
        raise UserError(f"{key} is there already: write {key}={value} without the +.")
    wanted = typed(scalar, value)
    if wanted:
        raise UserError(f"{key} must be {wanted}, not {shown(value)}")


def _check(overrides: Iterable[Override], defaults: Mapping[str, Any]) -> None:
    """Check values against the ``defaults`` of the components, whose nodes have no types of their own."""
    for override in overrides:
        key, value = override.key_or_group, override.value()
        added = override.is_add() or override.is_force_add()
        if key in defaults:
            wanted = None if override.is_delete() else like(defaults[key], value)
            if value is None and isinstance(defaults[key], dict) and key in components(TrainConfig):
                wanted = "an option of its group, or set by its keys"
            node, _, name = key.rpartition(".")
            if wanted and not (wanted in (ONE, LIST) and docstrings.takes(defaults.get(f"{node}._target_"), name, value)):
                raise UserError(f"{key} must be {wanted}, not {shown(value)}")
        elif not (override.is_delete() or (added and _is_open(key))):
            beside = [name for name in defaults if name.startswith("hydra") == key.startswith("hydra")]
            raise suggestions.unknown_key(key, beside)


def _is_open(key: str) -> bool:
    """Return True if ``key`` lies in a node that may have more keys than its default."""
    node, _, rest = key.partition(".")
    return bool(rest) and node in ("hydra", *components(TrainConfig))


def _check_whole(cfg: DictConfig, known: Mapping[str, Scalar]) -> None:
    values = {key: value for key, value in flatten(cfg).items() if not key.startswith("hydra")}
    for key, value in values.items():
        if value == MISSING:
            raise UserError(f"{key} must be given, as in {key}=...")
    to_plain(cfg)  # an interpolation that leads nowhere, or to a value of another type, raises
    for key, scalar in known.items():
        value = OmegaConf.select(cfg, key)
        problem = scalar.problem(value)
        if problem:
            raise UserError(f"{key} {problem}, not {shown(value)}")
