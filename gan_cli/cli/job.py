"""One training job: the folder it works in, and its failure on record."""

import os
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from hydra.conf import HydraConf
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_cli import files
from gan_cli.cli import again
from gan_cli.cli.loading import loading
from gan_cli.cli.pruning import trial_pruner
from gan_cli.config.budget import settle
from gan_cli.config.compose import own_options, readable, structured
from gan_cli.config.identity import config_hash
from gan_cli.config.scalars import components
from gan_cli.config.schema import TrainConfig
from gan_cli.config.trust import importable
from gan_cli.config.user import make_absolute
from gan_cli.errors import Diverged
from gan_cli.own_code import reason
from gan_cli.runs import lock
from gan_cli.runs.folder import holds_config, holds_run, holds_run_already, read_result, refuse_links, run_folder, stored_config
from gan_cli.runs.lock import InUse, locked
from gan_cli.runs.origin import origin_of

if TYPE_CHECKING:
    from rich.console import Console

BEFORE_IT_BEGINS = (lock.NAME, "train.log")
"""Files that a folder may hold, beside Hydra's own, before a run begins in it."""

WIDTH = 120
"""Width of the line of choices if the output is not a terminal."""

show = partial(print, flush=True)
"""Prints a line at once, before the imports that take seconds."""


@contextmanager
def working_folder(cfg: DictConfig, overrides: Sequence[str], key: str = "hydra.run.dir") -> Iterator[Path]:
    """Yield the folder to work in, locked, and remove it afterwards if it was made here and nothing has begun in it.

    Args:
        cfg: The composed config, Hydra's own node with it. A resumed run works in its own folder.
        overrides: If they name no folder, a new one is made, so that two runs of the same second do not share it.
        key: ``hydra.run.dir`` of a run or ``hydra.sweep.dir`` of a sweep.

    Raises:
        InUse: If another process works in the folder.
        UserError: If the named folder of a new run holds a run already.
    """
    folder = Path(OmegaConf.select(cfg, key))
    if cfg.resume is not None:
        with locked(folder):
            yield folder
        return
    named = any(word.startswith(f"{key}=") for word in overrides)
    folder, is_new = _made(folder) if named else (_new_folder(folder), True)
    if key == "hydra.sweep.dir":
        refuse_links(folder)
    with locked(folder):
        if named and key == "hydra.run.dir" and holds_config(folder):
            raise holds_run_already(folder)
        try:
            yield folder
        finally:
            if is_new:
                _remove_unless_begun(folder)


def train_in(
    folder: Path, cfg: DictConfig, context: HydraConf, show: Callable[[str], None] = show, console: "Console | None" = None
) -> float | None:
    """Train in ``folder`` and return the final metric (None without one).

    Args:
        folder: Where the run works; a resumed one continues there with the config that it finds.
        cfg: The composed config.
        context: Hydra's own node: the overrides, the choices, and whether the job is one of a sweep.
        show: Called with the line that begins the output.
        console: Where the training shows its progress (None: standard output).
    """
    overrides, in_sweep = context.overrides.task, context.mode == RunMode.MULTIRUN
    with importable(context.runtime.cwd, cfg.trust, own_options(context)):
        if cfg.resume is not None:
            cfg = _stored(cfg, folder, overrides)
            show(f"continues {folder}")
        elif in_sweep:
            if holds_run(folder, cfg):  # an earlier attempt that did not finish
                cfg.resume = str(folder)
            show(f"{' '.join(overrides) or 'the defaults'}: {folder}")
        check_origin(cfg)
        with loading(quiet=console is not None and console.quiet):
            from gan_cli.training.command import train_command, unused

        if cfg.resume is None and not in_sweep:
            show(choices(context, cfg, unused(cfg)))
        named = _named(overrides) if cfg.resume is None else set()
        try:
            return train_command(cfg, folder, named, console, trial_pruner(context.sweeper, cfg) if in_sweep else None)
        except Diverged as error:
            line = again.command(cfg, folder, context)
            advice = "Smaller learning rates may help" + (f": {line}" if line else ", in a new run with init_from=CHECKPOINT.")
            if in_sweep:  # whose table shows the reason of each job
                show(advice)
                raise
            raise Diverged(f"{error} {advice}") from None


def show_data_of(cfg: DictConfig, context: HydraConf) -> None:
    """Build the run of ``cfg`` and print its choices and the record of its data, without training.

    Args:
        cfg: The composed config.
        context: Hydra's own node.
    """
    overrides = context.overrides.task
    with importable(context.runtime.cwd, cfg.trust, own_options(context)):
        folder = Path(cfg.resume or context.run.dir)
        if cfg.resume is not None:
            cfg = _stored(cfg, folder, overrides)
        check_origin(cfg)
        with loading():
            from gan_cli.training.command import dry_run, unused

        show(f"continues {folder}" if cfg.resume is not None else choices(context, cfg, unused(cfg)))
        dry_run(cfg, folder, set() if cfg.resume is not None else _named(overrides))


def check_origin(cfg: DictConfig) -> None:
    """Check that the config of the run that a new one goes on from may be used, before anything is built or trusted.

    Raises:
        UserError: If it names a module that is not trusted.
    """
    if cfg.resume is None and (origin := origin_of(cfg)) is not None:
        stored_config(run_folder(origin.folder))


def _named(overrides: Sequence[str]) -> set[str]:
    """Return the keys that the overrides name."""
    return {word.lstrip("+").partition("=")[0] for word in overrides}


def record_failure(error: Exception, cfg: DictConfig, folder: Path, in_sweep: bool = False) -> None:
    """Write to ``result.json`` why the job failed, if it had begun or its sweep will ask.

    A finished result stays, and the folder in which another process works is left alone.
    """
    if isinstance(error, InUse):
        return
    begun = holds_config(folder) or in_sweep
    if begun and (read_result(folder) or {}).get("status") != "finished":
        with suppress(OSError):  # no room or no right to write may be the very reason
            failure = {"status": "failed", "reason": reason(error), "config": config_hash(cfg)}
            files.write_json(folder / "result.json", failure)


def choices(context: HydraConf, cfg: DictConfig, unused: Sequence[str] = ()) -> str:
    """Return the chosen option of every group but ``unused`` ones, in a line or two."""
    chosen = context.runtime.choices
    parts = ",".join(cfg.metric.parts) if any(group.startswith("metric@metric.parts.") for group in chosen) else ""
    words = [
        f"{group}=[{parts}]" if group == "metric" and parts else f"{group}={option}"
        for group, option in chosen.items()
        if not group.startswith("metric@metric.parts.")
        and option not in (None, chosen.get(group.rpartition("/")[0]))
        and not group.startswith("hydra/")
        and group not in unused
    ]
    # Hydra keeps no note of several options at once; each of them has a key of its own in the node
    several = [group for group in components(TrainConfig) if group not in {*chosen, *unused} and "_target_" not in cfg[group]]
    words += [f"{group}=[{','.join(cfg[group])}]" for group in several]
    width = get_terminal_size().columns - 1 if sys.stdout.isatty() else WIDTH
    return textwrap.fill(" ".join(words), width, break_long_words=False, break_on_hyphens=False)


def short(path: str) -> Path:
    """Return ``path`` relative to the current folder if it lies below it."""
    return Path(os.path.relpath(path)) if Path(path).is_relative_to(Path.cwd()) else Path(path)


def _stored(cfg: DictConfig, folder: Path, overrides: Sequence[str]) -> DictConfig:
    """Return the run's own config, changed where the command line of this call says so."""
    with readable():
        stored = OmegaConf.merge(structured(TrainConfig), stored_config(folder))
        assert isinstance(stored, DictConfig)
        keys = {word.partition("=")[0].lstrip("+") for word in overrides} - {"resume"}
        for key in {"logger" if key.startswith("logger.") else key for key in keys}:
            OmegaConf.update(stored, key, OmegaConf.select(cfg, key), merge=False)
        settle(stored, keys)
        make_absolute(stored)
        stored.resume = str(folder)
    return stored


def _made(path: Path) -> tuple[Path, bool]:
    """Make the folder ``path`` and return it, and True if it did not exist."""
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        return path, False
    return path, True


def _remove_unless_begun(folder: Path) -> None:
    """Remove ``folder`` if it holds no more than Hydra and this command write before a run begins.

    Files are removed by name and folders when they are empty, so that whatever is written meanwhile stays.
    """
    found = list(os.walk(folder, topdown=False))
    files_of = [(Path(place), names) for place, _, names in found]
    if all(name in BEFORE_IT_BEGINS or place.name == ".hydra" for place, names in files_of for name in names):
        with suppress(OSError):
            for place, names in files_of:
                for name in names:
                    (place / name).unlink()
                place.rmdir()


def _new_folder(path: Path) -> Path:
    """Make ``path``, with a number behind it if need be: runs that start in the same second do not share a folder."""
    folder, number = path, 1
    while True:
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1
            folder = path.with_name(f"{path.name}_{number}")
