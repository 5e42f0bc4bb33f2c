"""Runs that several processes compute: the side of process 0, which trains as if it were alone, and that of the others."""

import io
import json
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from gan_cli.config.identity import to_plain
from gan_cli.config.trust import importable, working_folders
from gan_cli.errors import UserError
from gan_cli.games.reporting import is_reporting, reporting
from gan_cli.own_code import reason
from gan_cli.parallel import launched, team
from gan_cli.parallel import ranks as processes
from gan_cli.parallel.division import require_equal_parts
from gan_cli.parallel.launched import Launch
from gan_cli.parallel.ranks import LostProcess, Order, Ranks
from gan_cli.runs import checkpoint
from gan_cli.runs.folder import resume_command
from gan_cli.runs.signals import SIGNALS
from gan_cli.training.compiling import compile_players
from gan_cli.training.division import check_division
from gan_cli.training.run import Run
from gan_cli.training.shown import Shown
from gan_cli.types import Stats


@contextmanager
def led(cfg: DictConfig, folder: Path) -> Iterator[None]:
    """Compute the run inside the context with as many processes as the config or torchrun says.

    Raises:
        LostProcess: If one of them ends or does not answer.
        UserError: If they cannot share the batches equally.
    """
    launch = launched.led()
    require_equal_parts(cfg.train.batch_size, cfg.train.accumulate, launch.world if launch else cfg.processes)
    try:
        with team.together(cfg.processes):
            yield
    except LostProcess as error:
        saved = checkpoint.steps_in(folder)
        again = f"\nContinue from step {saved[-1]} with: {resume_command(folder)}" if saved else ""
        raise LostProcess(f"{error}{again}") from error


def begin(run: Run) -> None:
    """Give the other processes the run as it is now."""
    ranks = processes.here()
    if ranks.count == 1:
        return
    job = {"config": to_plain(run.cfg), "folder": str(run.folder), "working": working_folders()}
    team.meet(ranks, run.device, json.dumps(job).encode())
    state = io.BytesIO()
    torch.save({**run.state(), "step": run.step}, state)
    ranks.pass_on(state.getvalue())


def check(run: Run) -> list[str]:
    """Compute every turn once if batches are divided or players compiled, which changes nothing; return lines for the console.

    Raises:
        UserError: If the batches of the run are divided and a turn needs whole ones, or the players cannot be compiled.
    """
    with processes.here().ordered(Order.CHECK):
        return _checked(run)


def _checked(run: Run) -> list[str]:
    return [*check_division(run), *compile_players(run)]


def play(run: Run, step: int) -> Stats:
    """Play the round of this step in all processes."""
    ranks = processes.here()
    with ranks.ordered(Order.PLAY, step, is_reporting()):
        run.clock.processor_seconds += ranks.take_spent()
        return run.play(step)


def compare(run: Run, check_finite: Callable[[int], None], step: int) -> None:
    """Check that the players are finite, and the same in all processes.

    Raises:
        Diverged: If they are not finite.
        UserError: If they are not the same.
    """
    check_finite(step)
    ranks = processes.here()
    with ranks.ordered(Order.COMPARE, step):
        if ranks.count > 1 and (others := [n for n, equal in enumerate(_compared(run, ranks)) if not equal]):
            raise UserError(
                f"the players of process {others[0]} differ from those of process 0 at step {step}: no checkpoint is written.\n"
                "A part of your own may draw or count by itself in each process, or a device may be defective."
            )


def _compared(run: Run, ranks: Ranks) -> list[bool]:
    numbers = ranks.exchange([int(checkpoint.fingerprint(run.game)[:15], 16)])
    return [number == numbers[0] for number in numbers]


def follow(launch: Launch) -> int:
    """Compute a run as process 0 says, and return the exit code. Nothing is printed, and no file of the run is written."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    warnings.simplefilter("ignore")
    ranks = team.ranks_of(launch)
    try:
        if job := team.job_of(launch):
            _follow(ranks, team.store_of(launch), json.loads(job))
        return 0
    except LostProcess:
        return 1
    except Exception as error:
        ranks.report_failure(reason(error))
        time.sleep(1)  # until process 0 has read it, which then loses the connection
        return 1
    finally:
        ranks.close()


def _follow(ranks: Ranks, store: Any, job: dict[str, Any]) -> None:
    ranks.store = store
    cfg = OmegaConf.create({**job["config"], "resume": job["folder"], "trust": []})
    with processes.among(ranks), ExitStack() as stack:
        for folder in job["working"]:
            stack.enter_context(importable(folder))
        run = Run(cfg, Path(job["folder"]))
        ranks.connect(store, run.device)
        for number in SIGNALS:
            signal.signal(number, lambda number, frame: _note(ranks, number))
        run.restore(torch.load(io.BytesIO(ranks.pass_on()), map_location="cpu", weights_only=True))
        run.recall()
        doing = _doing(run, ranks)
        for order, step, flag in iter(ranks.next_order, (Order.END, 0, False)):
            doing[order](step, flag)


def _doing(run: Run, ranks: Ranks) -> Mapping[Order, Callable[[int, bool], Any]]:
    """Return what a process other than process 0 does at each order, given its step and flag."""
    shown = Shown(run.ema.game, run.data, run.cfg.seed)

    def play(step: int, is_reported: bool) -> None:
        before = time.process_time()
        with reporting(is_reported):
            run.play(step)
        run.watched.clear()
        run.ema(step, {})
        run.set_learning_rates(step, {})
        ranks.spent += time.process_time() - before

    return {
        Order.PLAY: play,
        Order.CHECK: lambda step, flag: _checked(run),
        Order.COMPARE: lambda step, flag: _compared(run, ranks),
        Order.SAMPLE: lambda step, flag: run.measurement.help_to_sample(run.ema.game, run.cfg.seed),
        Order.ENCODE: lambda step, is_heldout: run.measurement.samples.help(is_heldout, ranks.pass_on()),
        Order.DRAW: lambda step, flag: shown.share(),
    }


def _note(ranks: Ranks, number: int) -> None:
    """Keep the first signal for process 0, which decides when the run ends."""
    ranks.signal = ranks.signal or number
