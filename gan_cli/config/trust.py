"""Trust: the modules that a stored config may name, and the user's own modules that are imported at all.

A config in a run folder may come from somebody else. It may name the components of this package, the optimizers and modules
of torch, and modules that the user has named: on the command line or in a yaml when a run was started, or with ``trust=``.
These are remembered outside the run folder, each with its file. Nothing is imported to be judged.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any, NamedTuple

from gan_cli import files
from gan_cli.config.stored import RUN_KEYS, leaves, read_config
from gan_cli.config.torch_classes import MODULES, OPTIMIZERS
from gan_cli.errors import UserError

PACKAGE = Path(__file__).resolve().parents[1]


class Module(NamedTuple):
    """A module on the way to a target: its dotted name, and its file, or its folder if it is a namespace."""

    name: str
    file: str


class ModuleMissing(UserError):
    """A stored config names a module that is not there.

    Attributes:
        problem: The message without advice.
        module: Top-level name of the module.
        advice: How it is brought here if nothing is known about the place where it lay.
    """

    def __init__(self, problem: str, module: str, advice: str) -> None:
        super().__init__(f"{problem}\n{advice}")
        self.problem, self.module, self.advice = problem, module, advice


_working: list[Path] = []
"""Folders in which the user's modules are looked for after those of ``sys.path``."""
_named: set[Module] = set()
"""The modules that this process has been told to trust."""


@contextmanager
def importable(folder: str | Path, trusted: Iterable[str] = (), config_dir: str | Path | None = None) -> Iterator[None]:
    """Let targets name modules in ``folder``, where the user types: a console script does not look there by itself.

    Args:
        folder: It joins ``sys.path`` as soon as a target names a module in it.
        trusted: Modules that the user trusts, see ``remember``.
        config_dir: The folder of the user's own options. Modules in it, and beside it, are found after those in ``folder``.
    """
    path, before = list(sys.path), list(_working)
    options = [] if config_dir is None else [Path(config_dir).resolve()]
    _working.extend([Path(folder).resolve(), *options, *(place.parent for place in options)])
    try:
        remember(trusted)
        yield
    finally:
        _working[:] = before
        sys.path[:] = path


def working_folders() -> list[str]:
    """Return the folders in which modules are looked for after those of ``sys.path``."""
    return [str(folder) for folder in _working]


def check(config: Any, source: object) -> None:
    """Check that every target in a stored config is one that it may name. Nothing is imported.

    Args:
        config: The config as plain data.
        source: Where it is stored, for the message.

    Raises:
        UserError: If a module is not trusted.
    """
    strangers = {key: target for key, target in targets(config) if not (is_shipped(target) or _is_trusted(target))}
    for key, target in strangers.items():
        found = find(target)
        top = target.partition(".")[0]
        if top in sys.stdlib_module_names or top == "torch":
            raise UserError(f"{source}: {key}={target} is no component, and is not imported.")
        _refuse_run_folder(f"{source}: {key}={target}", found)
        if not found:
            raise ModuleMissing(
                f"{source}: {key}={target}: there is no module {top} here.",
                top,
                f"Read its file, put it into the folder you type in or into PYTHONPATH, and add trust={top}.",
            )
        modules = list(dict.fromkeys(way[-1].name for way in map(find, strangers.values()) if way))
        words = modules[0] if len(modules) == 1 else f"[{','.join(modules)}]"
        raise UserError(
            f"{source}: {key}={target}: the module {found[-1].name}, {found[-1].file or 'not in a file'}, is not trusted. "
            f"If it is yours, or you have read it, add trust={words}."
        )


def remember(modules: Iterable[str]) -> None:
    """Trust the modules that the user has named, from now on.

    Args:
        modules: Dotted names; the modules inside a package are trusted with it.

    Raises:
        UserError: If there is no such module, it belongs to the standard library, or it lies in a run folder.
    """
    new: set[Module] = set()
    for name in modules:
        found = find(name)
        if not found or found[-1].name != name:
            raise UserError(
                f"trust={name}: there is no module {name} in the folder you type in, beside --config-dir or in PYTHONPATH."
            )
        if name.partition(".")[0] in sys.stdlib_module_names:
            raise UserError(f"trust={name}: a module of the standard library holds no components.")
        _refuse_run_folder(f"trust={name}", found)
        new.add(found[-1])
    _remember(new)


def remember_targets(config: Any) -> None:
    """Trust the modules that a config of the user's own names, so that the run that stores it can be used later."""
    foreign = [find(target) for _, target in targets(config) if not is_shipped(target)]
    _remember({found[-1] for found in foreign if found and found[0].name not in sys.stdlib_module_names})


def admit(target: str) -> None:
    """Make the user's module that ``target`` names importable.

    Raises:
        UserError: If it lies in a run folder.
    """
    if is_shipped(target) or not (found := find(target)):
        return
    _refuse_run_folder(f"_target_={target}", found)
    beside = {os.path.dirname(_place(file)) for file in found[0].file.split(os.pathsep)}
    sys.path += [str(folder) for folder in _working if str(folder) in beside and str(folder) not in sys.path]


@cache
def is_shipped(target: str) -> bool:
    """Return True if ``target`` is a name in a module file of this package, or one of torch's optimizers or modules."""
    top, *parts = target.split(".")
    if not parts or not all(part.isidentifier() for part in parts):
        return False
    *modules, name = parts
    if top == "torch":
        return name in {"optim": OPTIMIZERS, "nn": MODULES}.get(".".join(modules), ())
    path = PACKAGE.joinpath(*modules)
    return top == PACKAGE.name and (path.with_suffix(".py").is_file() or (path / "__init__.py").is_file())


def targets(config: Any) -> Iterator[tuple[str, str]]:
    """Yield the key and the value of every ``_target_`` in plain data."""
    for key, value in leaves(config):
        if key.rpartition(".")[2] == "_target_" and isinstance(value, str):
            yield key, value


def find(target: str) -> list[Module]:
    """Return the modules on the way to the dotted name ``target``, outermost first, without importing any of them.

    ``importlib.util.find_spec`` would import the packages that a module lies in.
    """
    found: list[Module] = []
    places: list[str] | None = None
    parts = target.split(".")
    for end, part in enumerate(parts, 1):
        name = ".".join(parts[:end])
        if (loaded := sys.modules.get(name)) is not None:  # an import would take this one, wherever it comes from
            places = [*getattr(loaded, "__path__", ())] or None
            file = getattr(loaded, "__file__", None) or os.pathsep.join(places or ())
        else:
            spec = _spec(part, places)
            if spec is None:
                break
            places = None if spec.submodule_search_locations is None else [*spec.submodule_search_locations]
            file = str(spec.origin) if spec.has_location else os.pathsep.join(places or ())
        found.append(Module(name, os.pathsep.join(map(os.path.abspath, file.split(os.pathsep))) if file else ""))
        if not places:
            break
    return found


def _spec(name: str, places: list[str] | None) -> ModuleSpec | None:
    """Return where the module ``name`` lies: in ``places``, or, if it is of the highest level, wherever Python looks."""
    if not name.isidentifier():
        return None
    if places is not None:
        return PathFinder.find_spec(name, places)
    for finder in sys.meta_path:
        if getattr(finder, "__module__", "") == "_distutils_hack":  # setuptools imports its own distutils to find distutils
            continue
        if (spec := finder.find_spec(name, None)) is not None:
            return spec
    return PathFinder.find_spec(name, [str(folder) for folder in _working])


def _is_trusted(target: str) -> bool:
    found = find(target)
    return not _run_folder(found) and not (_named | _read()).isdisjoint(found)


def _refuse_run_folder(what: str, found: Iterable[Module]) -> None:
    if inside := _run_folder(found):
        module, folder = inside
        raise UserError(
            f"{what}: the module {module.name} lies in the run folder {folder}, and nothing in a run folder is imported. "
            "Copy its file elsewhere once you have read it."
        )


def _run_folder(found: Iterable[Module]) -> tuple[Module, Path] | None:
    """Return the first of these modules that lies in the folder of a run, and this folder."""
    for module in found:
        for file in filter(None, module.file.split(os.pathsep)):
            for path in {Path(file), Path(file).resolve()}:
                for folder in (path, *path.parents):
                    if _holds_run(folder):
                        return module, folder
    return None


def _holds_run(folder: Path) -> bool:
    path = folder / "config.yaml"
    if not path.is_file():
        return False
    with suppress(UserError, OSError):
        return set(read_config(path)) >= RUN_KEYS
    return (folder / "checkpoints").is_dir() or (folder / "metrics.jsonl").exists()


def _place(file: str) -> str:
    """Return the file of a module, or the folder of a package, as it lies among others in a folder of ``sys.path``."""
    return os.path.dirname(file) if os.path.basename(file) == "__init__.py" else file


def store() -> Path | None:
    """Return the file in which trusted modules are remembered, or None if there is no home directory."""
    state = os.environ.get("XDG_STATE_HOME", "")
    with suppress(RuntimeError):
        folder = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
        return folder / "gan-cli" / "trusted.json"
    return None


def _read() -> set[Module]:
    """Return the remembered modules; none if there is no file, or it is damaged."""
    path = store()
    with suppress(OSError, UserError, TypeError, AttributeError):
        content = {} if path is None else files.read_json(path)
        return {Module(name, file) for name, paths in content.items() for file in paths if isinstance(file, str)}
    return set()


def _remember(new: set[Module]) -> None:
    """Add modules to those that are remembered; without a home directory, or the right to write there, in memory alone."""
    _named.update(new)
    path = store()
    if path is None or not (lasting := {module for module in new if module.file}) - _read():
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with files.file_lock(path.with_name(f".{path.name}.lock"), f"Waiting for another process that writes {path}."):
            known: dict[str, list[str]] = {}
            for name, file in sorted(lasting | _read()):
                known.setdefault(name, []).append(file)
            files.write_bytes(path, json.dumps(known, indent=2).encode())
