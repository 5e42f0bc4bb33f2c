"""The commands behind Hydra: composed configs are handed to the jobs, what goes wrong is recorded and told."""

import logging
import multiprocessing
import os
import signal
import sys
import traceback
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from hydra.conf import HydraConf
from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_cli import checks
from gan_cli.cli import search, sweeper
from gan_cli.cli.among import led_or_followed
from gan_cli.cli.earlier_run import check_named_here, words_of_job
from gan_cli.cli.job import record_failure, short, show_data_of, train_in, working_folder
from gan_cli.cli.launchers import is_parallel, is_sent
from gan_cli.cli.loading import loading
from gan_cli.cli.side_by_side import take_gpu
from gan_cli.config import suggestions
from gan_cli.config.combinations import as_job_overrides, check_grid, first_job, first_of_sweep
from gan_cli.config.compose import SEARCH, compose, flatten, loader, readable
from gan_cli.config.grammar import quote
from gan_cli.config.hydra_internals import BASIC_LAUNCHER, BASIC_SWEEPER, run, show, supplied
from gan_cli.config.trust import importable
from gan_cli.errors import Interrupted, Stopped, UserError
from gan_cli.own_code import reason
from gan_cli.parallel.launched import led
from gan_cli.runs.folder import holds_config, resume_command, run_folder
from gan_cli.runs.lock import locked
from gan_cli.runs.signals import WORKER, interrupting, scheduled
from gan_cli.runs.streams import unfailing

FIRST_JOB = "the first job of the sweep"
OURS = tuple(f"{one.__module__}.{one.__name__}" for one in (sweeper.Sweep, search.Search))
"""The sweepers that read the results of their jobs from ``result.json``."""
PACKAGES = {
    "hydra/launcher=joblib": ("hydra-joblib-launcher", "sweeps"),
    "hydra/launcher=ray": ("hydra-ray-launcher", "ray"),
    "hydra/launcher=submitit_local": ("hydra-submitit-launcher", "submitit"),
    "hydra/launcher=submitit_slurm": ("hydra-submitit-launcher", "submitit"),
}
"""Options that need a package, the package, and the extra that installs it."""

log = logging.getLogger(__name__)


class _JobError(BaseException):
    """Carries a job's exception past Hydra, which would print lines of its own about an ``Exception``."""

    def __init__(self, cause: Exception):
        self.cause = cause


def launch_train(overrides: list[str], config_dir: str | None = None, multirun: bool = False) -> None:
    """Run one training job, or a sweep (``multirun``).

    Raises:
        UserError: If the config cannot be composed, or a folder is in use.
        SystemExit: With code 1 if jobs of a sweep failed.
        Exception: Whatever the job raises.
    """
    with unfailing(), interrupting():  # from here on: libraries turn an interruption into errors of their own
        _launch_train(overrides, config_dir, multirun)


def _launch_train(overrides: list[str], config_dir: str | None, multirun: bool) -> None:
    for option, (package, extra) in PACKAGES.items():
        if option in overrides:
            checks.package(package, extra, option)
    configs = loader(config_dir)
    overrides = words_of_job(overrides, configs, multirun)
    first = first_job(overrides, configs)
    cfg = compose(configs, "train", first)
    if not multirun and cfg.hydra.mode != RunMode.MULTIRUN and first != overrides:
        compose(configs, "train", overrides)  # refuses several values where there is one job
    multirun = multirun or cfg.hydra.mode == RunMode.MULTIRUN
    check_named_here(cfg, overrides)
    if multirun and led() is not None:
        raise UserError("torchrun and srun start the processes of one run, and no sweep. Use gan-train -m with processes=N.")
    if multirun and cfg.hydra.sweeper._target_ == SEARCH:
        checks.package("optuna", "sweeps", "hydra/sweeper=optuna")
    ours = multirun and cfg.hydra.sweeper._target_ in OURS
    if not ours:  # our sweeper shows those of all jobs
        _show_supplied(cfg, configs)
    if multirun and cfg.hydra.sweeper._target_ == BASIC_SWEEPER:
        check_grid(cfg.hydra.sweeper.params, overrides, configs)
    key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
    with working_folder(cfg, overrides, key) as folder:
        overrides = [*overrides, f"{key}={quote(str(folder))}"]  # Hydra, too, works in the folder that is locked
        if ours:
            overrides = as_job_overrides(overrides, configs)
        try:
            with readable():
                run(job, configs, "train", overrides, multirun)
        except _JobError as error:
            raise error.cause from None


def _show_supplied(cfg: DictConfig, configs: ConfigLoader) -> None:
    """Print what the user's own defaults have filled into the config of a new run."""
    for line in supplied(configs) if cfg.resume is None else ():
        print(line, flush=True)


def show_train(
    overrides: list[str], config_dir: str | None, kind: str, package: str | None, resolve: bool, multirun: bool = False
) -> None:
    """Print the config of a training job, or of the first job of a sweep, as :func:`~gan_cli.config.hydra_internals.show`.

    A comment in the first line names the job of a sweep.

    Raises:
        UserError: If the config cannot be composed.
    """
    configs = loader(config_dir)
    first, cfg, in_sweep = _only_or_first_job(words_of_job(overrides, configs, multirun), configs, multirun)
    if package is not None and package not in (keys := flatten(cfg)):
        raise UserError(f"-p {package}: the config has no such key.{suggestions.meant_key(package, keys)}")
    if in_sweep:
        print(f"# {FIRST_JOB}: {' '.join(first) or 'the defaults'}")
    with readable():
        show(configs, "train", first, kind, package, resolve)


def show_data(overrides: list[str], config_dir: str | None = None, multirun: bool = False) -> None:
    """Build a training job, or the first job of a sweep, and print the record of its data, without training.

    Raises:
        UserError: If the config cannot be composed, or the parts or the data do not fit.
    """
    with unfailing(), interrupting():
        configs = loader(config_dir)
        overrides = words_of_job(overrides, configs, multirun)
        first, cfg, in_sweep = _only_or_first_job(overrides, configs, multirun)
        if in_sweep:
            print(f"{FIRST_JOB}: {' '.join(first) or 'the defaults'}")
        elif first != overrides:
            compose(configs, "train", overrides)  # refuses several values where there is one job
        _show_supplied(cfg, configs)
        show_data_of(without_hydra(cfg), cfg.hydra)


def _only_or_first_job(overrides: list[str], configs: ConfigLoader, multirun: bool) -> tuple[list[str], DictConfig, bool]:
    """Return the overrides and the config of a training job, or of the first job of a sweep, and whether it is a sweep."""
    first = first_job(overrides, configs)
    cfg = compose(configs, "train", first)
    in_sweep = multirun or cfg.hydra.mode == RunMode.MULTIRUN
    if in_sweep:
        first = first_of_sweep(cfg.hydra.sweeper, overrides, configs)
        cfg = compose(configs, "train", first)
    check_named_here(cfg, first)
    return first, cfg, in_sweep


def launch_eval(overrides: list[str], config_dir: str | None = None) -> None:
    """Evaluate a run again, as ``conf/eval.yaml`` under ``overrides`` says."""
    cfg = evaluation_config(overrides, config_dir)
    with importable(os.getcwd(), cfg.trust, config_dir):
        with loading():
            from gan_cli.evaluation.command import evaluate_command

        evaluate_command(cfg)


def evaluation_config(overrides: list[str], config_dir: str | None = None) -> DictConfig:
    """Return the config of an evaluation: ``conf/eval.yaml`` under ``overrides``."""
    if not any(word.startswith("run=") for word in overrides):  # images bring no metric along
        given = {word.partition("=")[0] for word in overrides}
        defaults = {"metric": "auto", "features": "efficientnet_lite0"}
        overrides = [*(f"{group}={option}" for group, option in defaults.items() if group not in given), *overrides]
    cfg = compose(loader(config_dir), "eval", overrides)
    for folder in (cfg.run, *cfg.others):
        if folder is not None and not Path(folder).is_dir():
            run_folder(folder)
    return without_hydra(cfg)


def launch_sample(overrides: list[str], config_dir: str | None = None) -> None:
    """Draw samples from a run, as ``conf/sample.yaml`` under ``overrides`` says."""
    cfg = compose(loader(config_dir), "sample", overrides)
    run_folder(cfg.run)
    with importable(os.getcwd(), cfg.trust, config_dir):
        with loading():
            from gan_cli.inference.command import sample_command

        sample_command(without_hydra(cfg))


def launch_export(overrides: list[str], config_dir: str | None = None) -> None:
    """Export networks of a run, as ``conf/export.yaml`` under ``overrides`` says."""
    cfg = compose(loader(config_dir), "export", overrides)
    run_folder(cfg.run)
    with importable(os.getcwd(), cfg.trust, config_dir):
        with loading():
            from gan_cli.export.command import export_command

        export_command(without_hydra(cfg))


def job(cfg: DictConfig) -> float | None:
    """Train in the folder that Hydra made for this job, and return the number that an optimising sweeper minimises.

    A failure or a stop is written to ``result.json``. It is raised, except in a sweep of ours, which reads that file:
    an exception might not survive the way back from a worker process, and would end the others.
    """
    with unfailing():  # in a worker process, too
        context = HydraConfig.get()
        if context.mode == RunMode.MULTIRUN and is_sent(context.launcher):  # each of its tasks comes here
            return led_or_followed(partial(_job, cfg, context))
        return _job(cfg, context)


def _job(cfg: DictConfig, context: HydraConf) -> float | None:
    folder = short(context.runtime.output_dir)
    in_sweep = context.mode == RunMode.MULTIRUN
    of_this_machine = context.launcher._target_ == BASIC_LAUNCHER or is_parallel(context.launcher)
    in_worker = in_sweep and is_parallel(context.launcher) and multiprocessing.parent_process() is not None
    if in_worker:
        take_gpu()
    try:
        with (
            scheduled() if in_sweep and is_sent(context.launcher) else nullcontext(),
            WORKER.busy() if in_worker else interrupting(),
            locked(folder) if in_sweep else nullcontext(),  # a single run's folder is locked before Hydra starts
        ):
            return train_in(folder, cfg, context)
    except KeyboardInterrupt as error:
        if not in_worker:  # whose sweep has received the signal itself
            hint = f"continue with: {resume_command(folder)}" if holds_config(folder) and not in_sweep else ""
            raise Interrupted(error.number if isinstance(error, Interrupted) else signal.SIGINT, hint) from None
    except Stopped as stopped:
        if not in_sweep or (of_this_machine and not in_worker):
            raise _JobError(stopped) from stopped  # where all jobs share this process it ends the sweep
        if context.sweeper._target_ not in OURS:
            raise
        print(stopped, file=sys.stderr)
    except Exception as error:
        _failed(error, cfg, folder, context)
    return None


def _failed(error: Exception, cfg: DictConfig, folder: Path, context: HydraConf) -> None:
    """Write why the job failed, if it had begun or its sweep will ask, and pass the error on; a finished result stays."""
    if not isinstance(error, UserError):
        log.error("the job failed", exc_info=error)
    record_failure(error, cfg, folder, context.mode == RunMode.MULTIRUN)
    if context.mode != RunMode.MULTIRUN:
        raise _JobError(error) from error
    if context.sweeper._target_ not in OURS:
        raise error
    print(f"failed: {reason(error)}", file=sys.stderr)
    if cfg.debug:
        traceback.print_exception(error)


def without_hydra(cfg: DictConfig) -> DictConfig:
    """Return the config without Hydra's own node."""
    return OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
