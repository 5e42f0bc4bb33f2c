"""Every folder of components exports its parts and its base, so that ``from gan_cli.losses import Hinge`` works."""

import multiprocessing
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules, walk_packages

import pytest
from support import configs

import gan_cli

FOLDERS = {
    "losses": ["Loss"],
    "regularizers": ["Regularizer"],
    "augmentations": ["Augmentation"],
    "models": ["Generator", "Discriminator", "Denoiser"],
    "data": ["Data", "Dataset"],
    "metrics.features": ["Features"],
    "metrics": ["Metric"],
    "optim": [],
    "games": ["Game"],
    "solvers": ["Solver"],
    "schedules": ["Schedule", "LearningRateSchedule", "Averaging", "Law"],
    "diagnostics": ["Diagnostics"],
    "loggers": ["Logger", "Service"],
}
"""The folders and their bases, a folder before the one that it lies in."""
TARGETS = sorted(
    {target for path in configs.CONF.rglob("*.yaml") for target in re.findall(r"_target_: gan_cli\.([\w.]+)", path.read_text())}
)
"""The ``_target_`` of every option of every group, without the name of the package."""


def folder_of(target: str) -> str | None:
    return next((folder for folder in FOLDERS if target.startswith(f"{folder}.")), None)


def test_every_option_is_exported_by_its_folder():
    places = {target: folder for target in TARGETS if (folder := folder_of(target))}
    assert set(places.values()) == set(FOLDERS)
    missing = []
    for target, folder in places.items():
        module, _, name = target.rpartition(".")
        if getattr(import_module(f"gan_cli.{folder}"), name, None) is not getattr(import_module(f"gan_cli.{module}"), name):
            missing.append(f"gan_cli/{folder.replace('.', '/')}/__init__.py: from gan_cli.{module} import {name} as {name}")
    assert not missing


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_exports_its_bases(folder):
    package = import_module(f"gan_cli.{folder}")
    assert set(FOLDERS[folder]) <= set(package.__all__)
    assert all(getattr(package, name).__name__ == name for name in package.__all__)
    assert set(package.__all__) <= set(dir(package))


def test_the_package_lists_its_public_names():
    public = [name for name in dir(gan_cli) if not name.startswith("_")]
    assert public == gan_cli.__all__
    assert {"train", "load", "evaluate", "Run", "UserError"} <= set(public)
    assert {folder for folder in FOLDERS if "." not in folder} <= set(public)
    child = multiprocessing.get_context("fork").Process(target=import_anew)
    child.start()
    child.join()
    assert child.exitcode == 0


def import_anew():
    """Reach folders through the package alone, in a process that has not imported it."""
    for name in [*sys.modules]:
        if name.partition(".")[0] == "gan_cli":
            del sys.modules[name]
    package = import_module("gan_cli")
    assert (package.losses.Hinge.__name__, package.metrics.Metric.__name__) == ("Hinge", "Metric")


def test_no_exported_name_is_that_of_a_module():
    """``from gan_cli.data import lsun`` would be the function or the module, depending on what was imported before."""
    names = [name for _, name, is_package in walk_packages(gan_cli.__path__, "gan_cli.") if is_package]
    for package in (folder for folder in [gan_cli, *map(import_module, names)] if hasattr(folder, "__all__")):
        shared = {module.name for module in iter_modules(package.__path__)} & set(package.__all__)
        assert all(getattr(package, name) is import_module(f"{package.__name__}.{name}") for name in shared)


def test_the_package_exports_what_it_documents():
    assert {"train", "load", "evaluate", "Run", "Evaluation", "LoadedRun", "UserError"} <= set(gan_cli.__all__)
    assert all(getattr(gan_cli, name) for name in gan_cli.__all__)


def test_importing_every_folder_stays_free_of_torch():
    imports = "; ".join(f"import gan_cli.{folder}" for folder in FOLDERS)
    code = (
        f"import sys, gan_cli; {imports}; dir(gan_cli.losses); print(sorted(set(sys.modules) & {{'torch', 'numpy', 'hydra'}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_is_an_ordinary_error():
    with pytest.raises(AttributeError, match=r"module 'gan_cli\.losses' has no attribute 'Hnge'"):
        _ = import_module("gan_cli.losses").Hnge
    with pytest.raises(ImportError, match="Hnge"):
        exec("from gan_cli.losses import Hnge")


def test_names_are_read_from_imports_for_types(tmp_path: Path, monkeypatch):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").write_text(
        "from typing import TYPE_CHECKING\nfrom gan_cli.lazy import lazy_exports\n"
        "if TYPE_CHECKING:\n    from math import pi as pi, tau as full_turn\n    import os\n"
        "else:\n    __getattr__, __dir__ = lazy_exports(__name__)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    parts = import_module("parts")
    assert (parts.__all__, parts.full_turn) == (["full_turn", "pi"], 2 * parts.pi)
    assert {"full_turn", "pi"} <= set(dir(parts))
    monkeypatch.delitem(sys.modules, "parts")
