"""The gan-train command: builds a run or resumes it, trains it, and writes its result."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from gan_cli import automatic, files, own_code
from gan_cli.activity import activity, announced
from gan_cli.build import refuse_unused, uses
from gan_cli.config import sources
from gan_cli.config.budget import budget_of, in_words
from gan_cli.config.identity import to_plain
from gan_cli.config.names import AUTOMATIC
from gan_cli.config.trust import remember_targets
from gan_cli.data.record import DataRecord
from gan_cli.device import memory_errors_named
from gan_cli.errors import Diverged, Stopped, UnreadableData, UserError
from gan_cli.games.compiled import compiler_errors_named
from gan_cli.runs import best, checkpoint, environment, machine, record
from gan_cli.runs.console import Terminal, displayed, is_interactive, say, say_in_words
from gan_cli.runs.folder import holds_config, holds_run_already, read_result, resume_command
from gan_cli.runs.logger import METRICS, RunLogger
from gan_cli.runs.origin import FILE as ORIGIN
from gan_cli.runs.origin import origin_of
from gan_cli.runs.progress_line import Rounds, plain_line
from gan_cli.training import compiling, division, together
from gan_cli.training.callbacks import DivergenceGuard, LogStats, SaveCheckpoint, StopOnSignal
from gan_cli.training.clock import Elapsed
from gan_cli.training.estimates import ExplainEstimates
from gan_cli.training.forgotten import WarnOfForgottenState
from gan_cli.training.fork import fork
from gan_cli.training.loop import Callback, Every, training_loop
from gan_cli.training.monitors import DrawSamples, EvaluateMetric, LogGame, LogHeldOutEstimate, RunDiagnostics
from gan_cli.training.preview import preview
from gan_cli.training.pruning import Pruner
from gan_cli.training.result import write_result, write_stop
from gan_cli.training.resume import check_rounds_left, finished_result, state_to_resume
from gan_cli.training.run import Run


def train_command(
    cfg: DictConfig, folder: Path, named: Collection[str] = (), console: Console | None = None, pruner: Pruner | None = None
) -> float | None:
    """Train in ``folder`` and return the final metric (None without one).

    Args:
        cfg: The whole config. A folder that holds a run is refused unless ``cfg.resume`` says that this run continues.
        folder: Folder of the run.
        named: The keys that the command line names; a part that is named but not used by the game is refused.
        console: Where progress is shown (None: standard output).
        pruner: Judges the run by the other runs of a search. None: the run is never pruned.

    Raises:
        UserError: If the folder holds a run already, the config or the data does not fit, or memory runs out.
    """
    console = console or Terminal()
    if holds_config(folder) and not cfg.resume:
        raise holds_run_already(folder)
    if cfg.resume:
        environment.refuse_changed_code(folder, cfg)
    if cfg.resume and (result := finished_result(folder, cfg)):
        step, (key, asked) = result["step"], budget_of(cfg.train)
        fewer = f"; {key}={asked} leaves nothing to do" if key == "train.steps" and asked < step else ""
        more = f"{key}={2 * (step if key == 'train.steps' else asked) or 1}"
        early = " It has stopped early." if "early_stopping" in result else ""
        say(console, f"{folder} is finished already, at step {step}{fewer}.{early}")
        say(console, f"To train on: {resume_command(folder)} {'early_stopping=null' if early else more}")
        objective: float | None = result.get("objective")
        return objective
    refuse_unused(cfg, named)
    advice = f"Lower train.batch_size={cfg.train.batch_size} or dataset.size, or take precision=bf16"
    again = f"Continue with: {resume_command(folder)}"
    with (
        files.full_disk_named(folder, again),
        memory_errors_named(cfg.device, advice),
        compiler_errors_named(cfg.compile),
        _own_modules_named(cfg),
        displayed(console),
        together.led(cfg, folder),
    ):
        run = start_or_resume(cfg, folder, console, named, pruner)
        return train(run, console)


@contextmanager
def _own_modules_named(cfg: DictConfig) -> Iterator[None]:
    """Add the names of the user's own modules to an exception: they may be to blame for an error that they do not raise."""
    try:
        yield
    except Exception as error:
        if own := sources.of_config(cfg):
            error.add_note(f"{own_code.NOTE}{', '.join(own)}")
        raise


def unused(cfg: DictConfig) -> list[str]:
    """Return the config groups that the game does not use, whichever option is chosen in them."""
    return [group for group, is_used in uses(cfg).items() if not is_used]


def dry_run(cfg: DictConfig, folder: Path, named: Collection[str] = (), console: Console | None = None) -> None:
    """Build a run, or restore the one that ``cfg.resume`` continues, and show its data, size and speed without training it.

    Images are decoded into the cache as they are for training; nothing else is written.

    Args:
        cfg: The whole config.
        folder: Folder of the run that is resumed; a new run needs none.
        named: The keys that the command line names; a part that is named but not used by the game is refused.
        console: Where the data are shown (None: standard output).

    Raises:
        UserError: If the config or the data does not fit, or memory runs out.
    """
    console = console or Terminal()
    if cfg.resume:
        environment.refuse_changed_code(folder, cfg)
    refuse_unused(cfg, named)
    advice = f"Lower train.batch_size={cfg.train.batch_size} or dataset.size"
    failures = memory_errors_named(cfg.device, advice), compiler_errors_named(cfg.compile)
    with failures[0], failures[1], _own_modules_named(cfg), displayed(console):
        run, _ = build_or_restore(cfg, folder, console, named)
        try:
            for line in preview(run):
                say_in_words(console, line)
        finally:
            run.batches.close()
    say_in_words(console, "dry run: everything fits; nothing was trained, and no run was written")


def build_or_restore(
    cfg: DictConfig, folder: Path, console: Console, named: Collection[str] = (), pruner: Pruner | None = None
) -> tuple[Run, DataRecord]:
    """Build the run at step 0, or at its newest readable checkpoint if ``cfg.resume`` is set, and show its data.

    Returns:
        The run and the record of its data.

    Raises:
        UserError: If the config or the data does not fit, the checkpoints are gone, or there is nothing left to train.
    """
    for line in (*automatic.settle(cfg), *automatic.warnings(cfg)):
        say(console, line)
    state = state_to_resume(cfg, folder, console) if cfg.resume else None
    with activity("building data and players"):
        run = Run(cfg, folder, named, pruner)
    with activity("counting samples, classes and duplicates"):
        data = DataRecord.of(run.data)
    for line in (*data.lines(), *(run.data.series.notes if run.data.series else ())):
        say_in_words(console, line)
    if run.idle and run.last:
        turns = ", ".join(run.idle)
        say(console, f"warning: {in_words(cfg.train)} ends before the first turn of {turns}: see schedule.phases")
    if run.last is not None and cfg.train.steps is None:
        say(console, f"{in_words(cfg.train)}: {run.last} rounds")
    for line in run.metric_lines:
        say_in_words(console, line)
    origin = origin_of(cfg)
    if state is None:
        for line in run.initialize_players() if origin is None else fork(run, origin):
            say_in_words(console, line)
    else:
        run.restore(state)
        before = record.read(folder)
        if before is not None and before.checksum != data.checksum:
            began_with = f"those that the run began with, {folder / record.FILE}"
            say(console, f"warning: the samples are not equal to {began_with}: {before.differences(data)}.")
    together.begin(run)
    for line in together.check(run):
        say_in_words(console, line)
    if cfg.resume:
        check_rounds_left(run, state)
        say(console, f"continuing at step {run.step}{'' if state else ': the run has not written a checkpoint yet'}")
    return run, data


def start_or_resume(
    cfg: DictConfig, folder: Path, console: Console, named: Collection[str] = (), pruner: Pruner | None = None
) -> Run:
    """Build the run or restore it, and write its config, its environment and the record of its data.

    Raises:
        UserError: If the config or the data does not fit, the checkpoints are gone, or there is nothing left to train.
    """
    run, data = build_or_restore(cfg, folder, console, named, pruner)
    facts = {**machine.facts(run.device), **division.facts(run), **{key: cfg[key] for key in AUTOMATIC}, **compiling.facts(run)}
    if cfg.resume and (changes := environment.differences(folder, facts)):
        say(console, f"warning: {'; '.join(changes)}. Only where these are the same is a resumed run equal to the bit.")
    environment.record(folder, run.step, facts, sources.of_config(cfg))
    remove_half_written(folder)
    if (read_result(folder) or {}).get("status") != "finished":  # why an earlier attempt failed or stopped
        (folder / "result.json").unlink(missing_ok=True)
    remember_targets(to_plain(cfg))
    if run.ranking is not None:
        best.write(folder, run.ranking)
    if run.origin:
        files.write_json(folder / ORIGIN, run.origin)
    if run.step == 0:
        record.write(folder, data)
    elif damage := record.keep(folder, data):  # a resumed run keeps the record that it began with
        say(console, damage)
    files.write_bytes(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(to_plain(cfg))).encode())
    return run


def remove_half_written(folder: Path) -> None:
    """Remove what a process left that was killed while it wrote a file of the run in ``folder``."""
    single = (METRICS, "config.yaml", "result.json", environment.FILE, record.FILE, ORIGIN, best.FILE)
    for own in (*single, "checkpoints/*", "samples/*"):
        path = folder / own
        for leftover in path.parent.glob(files.temporary_name(path, "*")):
            leftover.unlink(missing_ok=True)


def train(run: Run, console: Console) -> float | None:
    """Play the remaining rounds with all callbacks, write the result, and return the final metric (None without one).

    Raises:
        Diverged: If a loss, a parameter or a buffer becomes non-finite.
        Stopped: If a signal ends the run.
    """
    cfg, end = run.cfg, run.end
    say_line = partial(say, console)
    logger = RunLogger(run.folder, run.step if run.step > run.first else 0, run.loggers, to_plain(cfg), say_line)
    elapsed = Elapsed(logger.continued.get("time/seconds", 0.0))
    samples = lambda: run.batches.position * cfg.train.batch_size  # noqa: E731
    waited = lambda: run.batches.waited  # noqa: E731
    log_stats = LogStats(logger, cfg.log_every, end, samples, run.watched, elapsed, run.clock, run.spent, waited)
    log_heldout_estimate = LogHeldOutEstimate(run.game, run.solver, run.heldout_batch, logger, say_line, cfg.seed)
    log_game = LogGame(run.game, logger, say_line, cfg.seed)
    judges, with_errors = (run.early_stopping.judge, run.pruning.judge), cfg.early_stopping is not None
    evaluate_metric = EvaluateMetric(run.measurement, run.ema.game, logger, say_line, cfg.seed, elapsed, with_errors, *judges)
    run_diagnostics = RunDiagnostics(run.diagnostics, run.game, run.data, logger, say_line, cfg.seed)
    draw_samples = DrawSamples(run.ema.game, run.game, run.data, logger, say_line, cfg.seed)
    check_finite = DivergenceGuard(run.game, run.solver, log_stats)
    agreed = partial(together.compare, run, check_finite)
    save_checkpoint = SaveCheckpoint(run.folder, run.state, agreed, logger, cfg.keep_checkpoints, run.best_steps)
    metric = run.measurement.metric
    newest, short = lambda: log_stats.latest | evaluate_metric.latest, {metric.name: metric.short_name}
    rounds = Rounds(run.step, end.last, newest, short, None if end.last is not None else run.time_limit.seconds_left)
    stop_on_signal = StopOnSignal(save_checkpoint, rounds.stop)
    warn_of_forgotten_state = WarnOfForgottenState(run.parts(), say_line, run.following.sets)
    callbacks: list[Callback] = [
        warn_of_forgotten_state,
        run.clock.split,
        run.time_limit,
        run.ema,  # average the players
        run.set_learning_rates,  # of the next round
        log_stats,
        ExplainEstimates(partial(say_in_words, console)),
        rounds,
        run.clock.stop,  # evaluation does not count as training time
        Every(cfg.log_every, *([log_heldout_estimate] if run.data.holds_out else []), log_game, end=end),
        Every(cfg.eval_every, check_finite, log_stats.log_costs, evaluate_metric, run_diagnostics, end=end),
        Every(cfg.sample_every, check_finite, draw_samples, end=end),
        # checkpoints come last: a run that continues from one repeats nothing of its step
        Every(cfg.eval_every, save_checkpoint.if_best, end=end),
        Every(cfg.checkpoint_every, warn_of_forgotten_state.compare, save_checkpoint, end=end),
        stop_on_signal,
        run.clock.start,
    ]
    try:
        with stop_on_signal.listening(), announced(rounds):
            if run.step == run.first:
                if run.first:  # so that the run does not depend on its origin any longer
                    save_checkpoint(run.step)
                for measure in (log_game, evaluate_metric, run_diagnostics, draw_samples):
                    measure(run.step)
            run.recall()
            run.clock.start()
            training_loop(partial(together.play, run), end, callbacks, run.step, log_stats.looks_at)
            assert end.last is not None
            save_checkpoint(end.last)  # written already, unless there were no rounds
        if not is_interactive(console):
            rounds(end.last, {})  # with the last metric
            say(console, plain_line([rounds]))
        return write_result(run, logger, draw_samples.path, console, elapsed(), evaluate_metric.seconds)
    except Stopped as stopped:
        write_stop(run, save_checkpoint.saved_step, stopped.number)
        raise
    except Diverged as error:
        saved = checkpoint.steps_in(run.folder)
        hint = f"The checkpoint of step {saved[-1]} is good." if saved else "No checkpoint had been written yet."
        raise Diverged(f"{error}\n{hint}") from None
    except UnreadableData as error:
        if not (saved := checkpoint.steps_in(run.folder)):
            raise
        advice = f"Restore it, and continue from step {saved[-1]} with: {resume_command(run.folder)}"
        raise UserError(f"{error.problem}\n{advice}") from error
    finally:
        run.batches.close()
        logger.close()
