"""The only file that touches private parts of Hydra and OmegaConf: config loader, plugins, the object behind ``hydra.main``."""

import copy
import logging
import pickle
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import omegaconf._utils
import omegaconf.base
import omegaconf.grammar_parser
from hydra import version
from hydra._internal import defaults_list as hydra_defaults
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository, IConfigRepository
from hydra._internal.hydra import Hydra
from hydra._internal.utils import _locate, create_config_search_path
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.default_element import InputDefault, ResultDefault
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import setup_globals
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from gan_cli.config.budget import settle
from gan_cli.config.layers import NotPlain, leave_out_replaced, overlaid
from gan_cli.config.user import UserConfig, supply
from gan_cli.errors import UserError

Plugins.instance()  # Hydra's search for plugins executes the next module once more; its class of before would be stale
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper as BasicSweeper  # noqa: E402

BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
"""The launcher that runs a sweep's jobs in this process, where a signal ends all of them."""
BASIC_SWEEPER = f"{BasicSweeper.__module__}.{BasicSweeper.__qualname__}"
"""Hydra's own sweeper, which tries all combinations of values."""

VERSION_BASE = "1.3"
"""The version whose behaviour Hydra is asked for."""


def _defer_choices() -> None:
    """Let Hydra make the config that a default such as ``model: ${dataset}`` refers to only where there is such a default.

    Hydra makes one for every file that it reads, which takes a third of the time of a composition.
    """
    make_choices, resolve = hydra_defaults._create_interpolation_map, InputDefault._resolve_interpolation_impl

    def deferred(*arguments: Any) -> Callable[[], DictConfig]:
        return cache(lambda: make_choices(*arguments))

    def resolve_deferred(default: InputDefault, choices: Callable[[], DictConfig], value: str | None) -> str:
        return resolve(default, choices(), value)

    hydra_defaults._create_interpolation_map = deferred  # type: ignore[assignment]
    InputDefault._resolve_interpolation_impl = resolve_deferred  # type: ignore[method-assign, assignment]


def _delete_nulls() -> None:
    """Let ``~KEY`` delete a key whose value is null; Hydra takes such a key for one that does not exist."""
    apply = ConfigLoaderImpl._apply_overrides_to_config

    def applied(overrides: list[Override], cfg: DictConfig) -> None:
        for override in overrides:
            place, _, name = override.key_or_group.rpartition(".")
            node = OmegaConf.select(cfg, place) if override.is_delete() and override.value() is None else None
            if isinstance(node, DictConfig) and name in node and node[name] is None:
                node[name] = ""  # a value that Hydra finds, and deletes
            elif override.is_add() or override.is_force_add():
                _refuse_below_null(place, name, cfg)
        apply(overrides, cfg)

    ConfigLoaderImpl._apply_overrides_to_config = staticmethod(applied)  # type: ignore[method-assign]


def _refuse_below_null(place: str, name: str, cfg: DictConfig) -> None:
    """Check that a key does not lie below one whose value is null, which OmegaConf only asserts."""
    if place and OmegaConf.select(cfg, place, default="", throw_on_resolution_failure=False) is None:
        raise UserError(f"{place}.{name} cannot be set, as {place} is null.\nSet all of it: {place}={{{name}: ...}}")


def _parse_once() -> None:
    """Let OmegaConf parse each interpolation once per process.

    It parses one whenever a node that holds it is made, copied into another config or read, a sixth of a composition's time.
    """
    parse = lru_cache(maxsize=4096)(omegaconf.grammar_parser.parse)  # nobody changes a tree
    omegaconf.base.parse = omegaconf._utils.parse = parse  # type: ignore[attr-defined]


_defer_choices()
_delete_nulls()
_parse_once()


class _Caches(NamedTuple):
    """Files that have been read and merged; a file goes to one or more places in the config."""

    files: dict[str, ConfigResult | None]
    """Config files by path."""
    contents: dict[tuple[str | None, ...], Any]
    """Contents of files without types, by path and place."""
    merged: dict[tuple[tuple[str | None, ...], ...], bytes]
    """Pickles of merged configs, without the values of the command line, by paths and places."""


class _CachedRepository(ConfigRepository):
    """Reads each config file once. Hydra's own cache lasts for one composition, and a sweep composes one config per job."""

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        super().initialize_sources(config_search_path)
        self.caches = _Caches({}, {}, {})

    def __deepcopy__(self, memo: dict[int, Any]) -> "_CachedRepository":
        return copy.copy(self)  # Hydra copies the repository to give the copy other sources, which come with an empty cache

    def load_config(self, config_path: str) -> ConfigResult | None:
        files = self.caches.files
        if config_path not in files:
            files[config_path] = super().load_config(config_path)
        return files[config_path]


class _Loader(ConfigLoaderImpl):
    """Composes configs, and leaves out what an experiment sets for an option that the command line replaces.

    ``experiment=wgan_fig3 metric=none`` has no ``metric.n_samples``, which belongs to the metric of the experiment.
    """

    user: UserConfig | None = None
    """The user's own defaults."""
    supplied: Sequence[str] = ()
    """Lines that say what the user's own defaults have filled into the last config, see ``supply``."""

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        cfg = super().load_configuration(config_name, overrides, run_mode, from_shell, validate_sweep_overrides)
        compose_again = partial(super().load_configuration, config_name, run_mode=run_mode, from_shell=False)
        leave_out_replaced(cfg, overrides, compose_again)
        named = {word.partition("=")[0].lstrip("+") for word in overrides}
        self.supplied = supply(cfg, named, self.user)
        if "train" in cfg:
            settle(cfg, named)
        return cfg

    def _load_single_config(self, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        return copy.deepcopy(super()._load_single_config(default, repo))  # Hydra changes what it merges

    def _compose_config_from_defaults_list(self, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
        """Merge the files of a defaults list, once: a command composes its defaults and its values, a sweep each job."""
        assert isinstance(repo, CachingConfigRepository)
        assert isinstance(repo.delegate, _CachedRepository)
        caches = repo.delegate.caches
        key = tuple((default.config_path, default.package) for default in defaults)
        if key not in caches.merged:
            caches.merged[key] = pickle.dumps(self._merge(defaults, repo, caches))
        cfg: DictConfig = pickle.loads(caches.merged[key])
        return cfg

    def _merge(self, defaults: list[ResultDefault], repo: IConfigRepository, caches: _Caches) -> DictConfig:
        """Merge typed files one by one, as Hydra does, and those that follow as plain dictionaries, in a third of the time."""
        merge_each = super()._compose_config_from_defaults_list
        n_typed = max((n for n, default in enumerate(defaults, 1) if _is_typed(repo, default)), default=0)
        if n_typed == len(defaults):
            return merge_each(defaults, repo)
        for default in defaults[n_typed:]:
            place = (default.config_path, default.package)
            if place not in caches.contents:
                caches.contents[place] = OmegaConf.to_container(super()._load_single_config(default, repo).config)
        cfg = self._compose_config_from_defaults_list(defaults[:n_typed], repo)
        try:
            plain = overlaid(caches.contents[default.config_path, default.package] for default in defaults[n_typed:])
            with flag_override(cfg, "no_deepcopy_set_nodes", True):  # nobody else has these nodes
                cfg.merge_with(plain)
        except (NotPlain, OmegaConfBaseException):
            return merge_each(defaults, repo)  # an error says in which file it lies
        return cfg


def _is_typed(repo: IConfigRepository, default: ResultDefault) -> bool:
    """Return True if a config is no file but an object in the program, whose fields may have types."""
    assert default.config_path is not None
    result = repo.load_config(default.config_path)
    return result is not None and result.path.startswith("structured:")


def supplied(loader: ConfigLoader) -> Sequence[str]:
    """Return lines that say what the user's own defaults have filled into the config that ``loader`` composed last."""
    assert isinstance(loader, _Loader)
    return loader.supplied


def config_loader(shipped: Path, own: Path | None = None, user: UserConfig | None = None) -> ConfigLoader:
    """Return Hydra's loader for the configs in ``shipped`` and, behind them, the user's own in ``own``, with their defaults."""
    version.setbase(VERSION_BASE)
    setup_globals()
    path = create_config_search_path(str(shipped))
    if own is not None:
        path.prepend("command-line", f"file://{own.resolve()}", SearchPathQuery(provider="schema"))
    loader = _Loader(path)
    loader.user = user
    loader.repository = _CachedRepository(path)
    return loader


def locate(path: str) -> Any:
    """Return the object at a dotted ``path``; unlike ``hydra.utils.get_object`` without writing to a log that it failed."""
    return _locate(path)


def register_plugin(plugin: type[Any], target: str) -> None:
    """Make ``plugin`` known to Hydra under the dotted name ``target``; Hydra accepts names below ``hydra_plugins`` only."""
    import hydra_plugins

    package, _, name = target.rpartition(".")
    module = sys.modules.get(package) or types.ModuleType(package)
    setattr(module, name, plugin)
    # workers find the class by its name when Hydra's list of plugins is sent to them
    sys.modules[package] = module
    setattr(hydra_plugins, package.rpartition(".")[2], module)
    Plugins.instance().register(plugin)


def job_subdir(cfg: DictConfig, number: int, swept: Sequence[str]) -> str:
    """Return the folder of a sweep's job within the sweep's.

    Args:
        cfg: The composed config of the job.
        number: The number of the job.
        swept: The keys in which the jobs of the sweep differ.
    """
    current = HydraConfig.instance()
    before = current.cfg
    with read_write(cfg.hydra), open_dict(cfg):
        cfg.hydra.job.num, cfg.hydra.job.id = number, str(number)
        cfg.hydra.sweeper.swept = list(swept)
    current.set_config(cfg)  # which the resolver ${hydra:KEY} reads
    try:
        return str(OmegaConf.select(cfg, "hydra.sweep.subdir", throw_on_missing=True))
    finally:
        current.cfg = before


def run(job: Callable[[DictConfig], Any], configs: ConfigLoader, name: str, overrides: Sequence[str], multirun: bool) -> None:
    """Run ``job`` on the config ``name`` that Hydra composes under ``overrides``, or on that of every job of a sweep."""
    with _application(name, configs) as application:
        start = application.multirun if multirun else application.run
        start(name, job, [*overrides, f"hydra.mode={'MULTIRUN' if multirun else 'RUN'}"])


def show(configs: ConfigLoader, name: str, overrides: Sequence[str], kind: str, package: str | None, resolve: bool) -> None:
    """Print the config ``name`` under ``overrides`` as YAML.

    Args:
        configs: Hydra's loader.
        name: Name of the config.
        overrides: The words of the command line.
        kind: ``job``, ``hydra`` or ``all``.
        package: The node to print. None: all.
        resolve: If true, interpolations are resolved.
    """
    with _application(name, configs) as application:
        application.show_cfg(name, list(overrides), kind, package, resolve)


@contextmanager
def _application(name: str, configs: ConfigLoader) -> Iterator[Hydra]:
    """Yield the object behind ``hydra.main``, and restore the root logger, which it configures.

    ``hydra.main`` itself reads ``sys.argv``, prints errors in words of its own, and composes every config once more.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    application = Hydra(name, configs)
    GlobalHydra.instance().initialize(application)
    try:
        yield application
    finally:
        GlobalHydra.instance().clear()
        for handler in set(root.handlers) - set(handlers):
            handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
