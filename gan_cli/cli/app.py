"""The commands behind Hydra: composed configs are handed to the jobs, what goes wrong is recorded and told."""

import logging
import os
import shutil
import sys
import textwrap
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_cli import files
from gan_cli.cli import sweeper
from gan_cli.cli.quoting import quote
from gan_cli.config import suggestions
from gan_cli.config.compose import TARGET, compose, loader, readable
from gan_cli.config.hydra_internals import BASIC_LAUNCHER, run
from gan_cli.config.identity import RUN_ONLY, config_hash
from gan_cli.config.schema import TrainConfig, components
from gan_cli.errors import Stopped, UserError
from gan_cli.runs.folder import holds_config, holds_run, holds_run_already, read_result, resume_command, run_folder

log = logging.getLogger(__name__)

MAY_CHANGE = ("train.steps", "dataset.root", "dataset.path", *(key for key in RUN_ONLY if key not in ("resume", "report")))
"""What may be given beside ``resume``: everything else belongs to the run."""
PLACES = ("dataset.root=", "dataset.path=")
"""Where a data set lies that has moved."""


class _JobError(BaseException):
    """Carries a job's exception past Hydra, which would print lines of its own about an ``Exception``."""

    def __init__(self, cause: Exception):
        self.cause = cause


def launch_train(
    overrides: list[str], flags: Sequence[str] = (), config_dir: str | None = None, multirun: bool = False
) -> None:
    """Runs one training job, or a sweep (``multirun``); with ``flags``, Hydra's own, shows the config instead.

    Raises UserError, whatever the job raises, and SystemExit(1) if jobs of a sweep failed.
    """
    resumed = next((value for key, _, value in (word.partition("=") for word in overrides) if key == "resume"), "null")
    if resumed != "null":
        _check_resumed(overrides, multirun)
        # the composed config, of which a resumed run takes these keys only, need not have a data set that lies somewhere
        overrides = [f"++{word}" if word.startswith(PLACES) else word for word in overrides]
        overrides = [*overrides, f"hydra.run.dir={resumed}", "hydra.output_subdir=null"]
    configs = loader(config_dir)
    first = sweeper.first_job(overrides, configs)
    cfg = compose(configs, "train", first)
    if not multirun and cfg.hydra.mode != RunMode.MULTIRUN and first != overrides:
        compose(configs, "train", overrides)  # refuses several values where there is one job
    multirun = multirun or cfg.hydra.mode == RunMode.MULTIRUN
    fresh: Path | None = None  # a folder of this call alone
    if resumed != "null":
        run_folder(cfg.resume)
    elif cfg.resume is not None:
        raise UserError("resume belongs on the command line: gan-train resume=RUN_DIR.")
    elif not flags:
        key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
        folder = Path(OmegaConf.select(cfg, key))
        if not any(word.startswith(f"{key}=") for word in overrides):
            fresh = _new_folder(folder)
            overrides = [*overrides, f"{key}={quote(str(fresh))}"]
        elif key == "hydra.run.dir" and holds_config(folder):
            raise holds_run_already(folder)
        elif not folder.exists():
            fresh = folder
    if multirun and cfg.hydra.sweeper._target_ == TARGET:
        overrides = sweeper.left_to_the_jobs(overrides, configs)
    options = [*flags, *(["--config-dir", config_dir] if config_dir else []), *(["--multirun"] if multirun else [])]
    try:
        with readable():
            run(job, suggestions.conf_dir(), "train", [*options, *overrides])
    except _JobError as error:
        raise error.cause from None
    finally:
        if fresh is not None and not holds_config(fresh) and not any(fresh.rglob("result.json")):
            shutil.rmtree(fresh, ignore_errors=True)  # no run has begun, so nothing is worth keeping


def launch_eval(overrides: list[str]) -> None:
    """Evaluates a run again, as ``conf/eval.yaml`` under ``overrides`` says."""
    if not any(word.startswith("run=") for word in overrides):  # images bring no metric along
        given = {word.partition("=")[0] for word in overrides}
        defaults = {"metric": "auto", "features": "efficientnet_lite0"}
        overrides = [*(f"{group}={option}" for group, option in defaults.items() if group not in given), *overrides]
    cfg = compose(loader(), "eval", overrides)
    if cfg.run is not None and not Path(cfg.run).is_dir():
        run_folder(cfg.run)
    with _importable(os.getcwd()):
        from gan_cli.evaluation.command import evaluate_command

        evaluate_command(_without_hydra(cfg))


def launch_sample(overrides: list[str]) -> None:
    """Draws samples from a run, as ``conf/sample.yaml`` under ``overrides`` says."""
    cfg = compose(loader(), "sample", overrides)
    run_folder(cfg.run)
    with _importable(os.getcwd()):
        from gan_cli.inference.command import sample_command

        sample_command(_without_hydra(cfg))


def launch_report(overrides: list[str]) -> None:
    """Writes the page about what ``run=`` names, as ``conf/report.yaml`` under ``overrides`` says."""
    cfg = compose(loader(), "report", overrides)
    if not Path(cfg.run).is_dir():
        run_folder(cfg.run)
    with _importable(os.getcwd()):
        from gan_cli.report.command import report_command

        report_command(_without_hydra(cfg))


def job(cfg: DictConfig) -> float | None:
    """One training job in the folder that Hydra made for it; returns what an optimising sweeper minimises.

    A failure is written to ``result.json``. It is raised, except in a sweep of ours, which reads that file: an exception
    might not survive the way back from a worker process.
    """
    context = HydraConfig.get()
    folder = _short(context.runtime.output_dir)
    in_sweep = context.mode == RunMode.MULTIRUN
    try:
        with _importable(context.runtime.cwd):
            if cfg.resume is not None:
                cfg = _stored(cfg, folder, context.overrides.task)
                print(f"continues {folder}", flush=True)
            elif in_sweep:
                if holds_run(folder, cfg):  # an earlier attempt that did not finish
                    cfg.resume = str(folder)
                print(f"{' '.join(context.overrides.task)}: {folder}", flush=True)
            from gan_cli.training.command import train_command, unused

            if cfg.resume is None and not in_sweep:
                print(_choices(context, cfg, unused(cfg)), flush=True)
            named = {word.lstrip("+").partition("=")[0] for word in context.overrides.task} if cfg.resume is None else set()
            return train_command(cfg, folder, named)
    except KeyboardInterrupt:
        hint = f"continue with: {resume_command(folder)}" if holds_config(folder) and not in_sweep else ""
        raise KeyboardInterrupt(hint) from None
    except Exception as error:
        if isinstance(error, Stopped) and (not in_sweep or context.launcher._target_ == BASIC_LAUNCHER):
            raise _JobError(error) from error  # no failure; where all jobs share this process it ends the sweep
        _failed(error, cfg, folder, context)
    return None


def _failed(error: Exception, cfg: DictConfig, folder: Path, context: HydraConf) -> None:
    """Writes why the job failed, if it had begun or its sweep will ask, and passes it on; a finished result stays."""
    if not isinstance(error, UserError):
        log.error("the job failed", exc_info=error)
    begun = holds_config(folder) or context.mode == RunMode.MULTIRUN
    if begun and (read_result(folder) or {}).get("status") != "finished":
        with suppress(OSError):  # no room or no right to write may be the very reason
            failure = {"status": "failed", "reason": sweeper.reason(error), "config": config_hash(cfg)}
            files.write_json(folder / "result.json", failure)
    if context.mode != RunMode.MULTIRUN:
        raise _JobError(error) from error
    if context.sweeper._target_ != TARGET:
        raise error
    print(f"failed: {sweeper.reason(error)}", file=sys.stderr)
    if cfg.debug:
        traceback.print_exception(error)


def _check_resumed(overrides: list[str], multirun: bool) -> None:
    if multirun:
        raise UserError("resume continues one run: leave out -m. A sweep continues when it is started again.")
    for word in overrides:
        key = word.partition("=")[0].lstrip("+~")
        if key not in (*MAY_CHANGE, "resume"):
            raise UserError(
                f"resume continues a run with its own config; {key} cannot change (only {', '.join(MAY_CHANGE)} may)."
            )


def _stored(cfg: DictConfig, folder: Path, overrides: Sequence[str]) -> DictConfig:
    """The run's own config, changed where the command line of this call says so."""
    with readable():
        stored = OmegaConf.merge(OmegaConf.structured(TrainConfig), OmegaConf.load(folder / "config.yaml"))
        for key in {word.partition("=")[0].lstrip("+") for word in overrides} - {"resume"}:
            OmegaConf.update(stored, key, OmegaConf.select(cfg, key))
        stored.resume = str(folder)
    assert isinstance(stored, DictConfig)
    return stored


def _new_folder(path: Path) -> Path:
    """Makes ``path``, with a number behind it if need be: runs that start in the same second do not share a folder."""
    folder, number = path, 1
    while True:
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1
            folder = path.with_name(f"{path.name}_{number}")


def _choices(context: HydraConf, cfg: DictConfig, unused: Sequence[str] = ()) -> str:
    """The chosen option of every group but ``unused`` ones, in a line or two."""
    chosen = context.runtime.choices
    words = [
        f"{group}={option}"
        for group, option in chosen.items()
        if option not in (None, chosen.get(group.rpartition("/")[0])) and not group.startswith("hydra/") and group not in unused
    ]
    # Hydra keeps no note of several options at once; each of them has a key of its own in the node
    several = [group for group in components(TrainConfig) if group not in {*chosen, *unused} and "_target_" not in cfg[group]]
    words += [f"{group}=[{','.join(cfg[group])}]" for group in several]
    return textwrap.fill(" ".join(words), 120)


def _short(path: str) -> Path:
    return Path(os.path.relpath(path)) if Path(path).is_relative_to(Path.cwd()) else Path(path)


def _without_hydra(cfg: DictConfig) -> DictConfig:
    return OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])


@contextmanager
def _importable(folder: str) -> Iterator[None]:
    """Lets ``_target_`` name the user's own modules beside the shell: a console script does not look there by itself."""
    path = list(sys.path)
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path[:] = path
