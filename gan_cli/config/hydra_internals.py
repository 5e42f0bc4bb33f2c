"""The only file that touches private parts of Hydra: its config loader, its basic plugins, and the state of ``hydra.main``."""

import copy
import logging
import os
import pickle
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.utils import _locate, create_config_search_path
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import setup_globals
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf, open_dict

Plugins.instance()  # Hydra's search for plugins executes the next module once more; its class of before would be stale
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper as BasicSweeper  # noqa: E402

BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
"""The launcher that runs a sweep's jobs in this process, where a signal ends all of them."""

VERSION_BASE = "1.3"
"""The version whose behaviour Hydra is asked for."""


class _CachedRepository(ConfigRepository):
    """Reads each config file once. Hydra's own cache lasts for one composition, and a sweep composes one config per job."""

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        super().initialize_sources(config_search_path)
        self.results: dict[str, bytes] = {}  # pickled, because Hydra changes the configs that it loads

    def __deepcopy__(self, memo: dict[int, Any]) -> "_CachedRepository":
        return copy.copy(self)  # Hydra copies the repository to give the copy other sources, which come with an empty cache

    def load_config(self, config_path: str) -> ConfigResult | None:
        if config_path not in self.results:
            self.results[config_path] = pickle.dumps(super().load_config(config_path))
        result: ConfigResult | None = pickle.loads(self.results[config_path])
        return result


def config_loader(shipped: Path, own: Path | None = None) -> ConfigLoader:
    """Return Hydra's loader for the configs in ``shipped`` and, behind them, the user's own in ``own``."""
    version.setbase(VERSION_BASE)
    setup_globals()
    path = create_config_search_path(str(shipped))
    if own is not None:
        path.prepend("command-line", f"file://{own.resolve()}", SearchPathQuery(provider="schema"))
    loader = ConfigLoaderImpl(path)
    loader.repository = _CachedRepository(path)
    return loader


def locate(path: str) -> Any:
    """Return the object at a dotted ``path``; unlike ``hydra.utils.get_object`` without writing to a log that it failed."""
    return _locate(path)


def register_plugin(plugin: type[Any], target: str) -> None:
    """Make ``plugin`` known to Hydra under the dotted name ``target``; Hydra accepts names below ``hydra_plugins`` only."""
    import hydra_plugins

    package, _, name = target.rpartition(".")
    module = types.ModuleType(package)
    setattr(module, name, plugin)
    # workers find the class by its name when Hydra's list of plugins is sent to them
    sys.modules[package] = module
    setattr(hydra_plugins, package.rpartition(".")[2], module)
    Plugins.instance().register(plugin)


def job_subdir(cfg: DictConfig, number: int) -> str:
    """Return the folder of a sweep's job within the sweep's, for the composed config of the job and its number."""
    current = HydraConfig.instance()
    before = current.cfg
    with open_dict(cfg):
        cfg.hydra.job.num, cfg.hydra.job.id = number, str(number)
    current.set_config(cfg)  # which the resolver ${hydra:KEY} reads
    try:
        return str(OmegaConf.select(cfg, "hydra.sweep.subdir", throw_on_missing=True))
    finally:
        current.cfg = before


def run(job: Callable[[DictConfig], Any], conf: Path, name: str, words: Sequence[str]) -> None:
    """Let Hydra compose ``name`` from the folder ``conf`` under the command-line ``words``, and run ``job`` on the result."""
    with _main_state(words):
        hydra.main(version_base=VERSION_BASE, config_path=str(conf), config_name=name)(job)()


@contextmanager
def _main_state(words: Sequence[str]) -> Iterator[None]:
    """Set what ``hydra.main`` reads and changes, and restore it afterwards.

    It reads ``sys.argv``, configures the root logger and, asked for full errors, raises instead of printing its own text.
    """
    argv, root, full = sys.argv, logging.getLogger(), os.environ.get("HYDRA_FULL_ERROR")
    handlers, level = list(root.handlers), root.level
    sys.argv = [argv[0], *words]
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        sys.argv = argv
        if full is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = full
        for handler in set(root.handlers) - set(handlers):
            handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
