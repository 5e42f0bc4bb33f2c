"""Entry points of the commands. Help, completion and typos are answered here with the standard library alone.

Exit codes: 0 success; 1 an internal error, or a sweep with failed jobs; 2 an error that the user can correct; 128 + the
number of the signal that ended the command, for instance 130 after Ctrl-C.
"""

import argparse
import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from gan_cli import __version__, own_code
from gan_cli.cli import completion, help
from gan_cli.cli.among import led_or_followed
from gan_cli.cli.arguments import parse
from gan_cli.cli.help import Command
from gan_cli.cli.quoting import quote_paths, with_metrics
from gan_cli.config import suggestions
from gan_cli.config.grammar import quote
from gan_cli.config.scalars import components, scalars
from gan_cli.config.schema import TrainConfig
from gan_cli.errors import DamageWarning, Interrupted, UserError
from gan_cli.runs import naming
from gan_cli.runs.streams import reserve_standard_descriptors, unfailing

TRAIN = Command("gan-train", "train")
EVALUATE = Command("gan-eval", "evaluate", takes_sweeps=True)
SAMPLE = Command("gan-sample", "sample")
EXPORT = Command("gan-export", "export")
REPORT = Command("gan-report", "report", takes_sweeps=True)
RUNS = Command("gan-runs", "runs")


def gan_train() -> int:
    """Run ``gan-train`` with the words of ``sys.argv`` and return the exit code; among several processes, lead or follow."""
    return led_or_followed(partial(_main, TRAIN))


def gan_eval() -> int:
    """Run ``gan-eval`` with the words of ``sys.argv`` and return the exit code."""
    return _main(EVALUATE)


def gan_sample() -> int:
    """Run ``gan-sample`` with the words of ``sys.argv`` and return the exit code."""
    return _main(SAMPLE)


def gan_export() -> int:
    """Run ``gan-export`` with the words of ``sys.argv`` and return the exit code."""
    return _main(EXPORT)


def gan_report() -> int:
    """Run ``gan-report`` with the words of ``sys.argv`` and return the exit code."""
    return _main(REPORT)


def gan_runs() -> int:
    """Run ``gan-runs`` with the words of ``sys.argv`` and return the exit code."""
    return _main(RUNS)


def _main(command: Command) -> int:
    words = sys.argv[1:]
    reserve_standard_descriptors()
    # OpenMP threads wait for each other by spinning; on a busy machine yielding early is 20 times faster
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    # cuBLAS is reproducible to the bit only with a fixed workspace
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        for word in words:
            if re.search("[\ud800-\udfff]", word):
                raise UserError(f"{word!a} is not written in UTF-8: rename it, or name it by a link.")
            if number := re.search(r"=.*?(\d{309,})", word):
                key, digits = word.partition("=")[0], len(number[1])
                raise UserError(f"{key}: a number of {digits} digits is larger than any that can be computed with.")
        with _warnings_in_one_line():
            _answer(command, words)
        if sys.stdout is not None:
            sys.stdout.flush()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except BaseException as error:
        if any(re.fullmatch(r"\+*debug=(true|yes|on|1)", word, re.IGNORECASE) for word in words):
            with unfailing():
                traceback.print_exc()
        return _print_error(command.name, error)
    return 0


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Print a DamageWarning as one line on stderr, without a place in the code."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def print_line(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, DamageWarning):
                print(f"warning: {message}", file=sys.stderr)
            else:
                show(message, category, *place, **more)

        warnings.showwarning = print_line
        yield


def _print_error(name: str, error: BaseException) -> int:
    if isinstance(error, BrokenPipeError):  # the reader has closed the pipe, as `gan-train --help | head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    error = own_code.fault(error) or error
    if isinstance(error, UserError):
        message, code = str(error), error.code
    elif isinstance(error, KeyboardInterrupt):
        message = f"interrupted{f'; {error}' if str(error) else ''}"
        code = error.code if isinstance(error, Interrupted) else 130
    elif isinstance(error, OSError):
        message, code = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", 2
    else:
        suspects = own_code.suspects(error)
        whose = f"the program or of your own code ({suspects})" if suspects else "the program"
        message = f"{own_code.described(error)}\nThis is a fault of {whose}: run again with debug=true for the traceback."
        code = 1
    with unfailing():
        print(f"{name}: {_shortened(message)}", file=sys.stderr)
    return code


def _shortened(message: str) -> str:
    """Return a message without the middle of words that are far longer than any path."""
    return re.sub(r"(\S{80})\S{4000,}(\S{20})", r"\1...\2", message)


def _answer(command: Command, words: list[str]) -> None:
    arguments = parse(command.name, command.function, words)
    if arguments.complete is not None:
        print("\n".join(completion.candidates(command, arguments.complete)))
    elif arguments.config_dir and not os.path.isdir(arguments.config_dir):
        raise UserError(f"--config-dir {arguments.config_dir}: there is no such folder.")
    elif arguments.completion:
        print(completion.script(arguments.completion))
    elif arguments.version:
        print(f"{command.name} {__version__}")
    elif arguments.help is not None:
        topic = None if os.path.isdir(arguments.help) else arguments.help  # a run beside --help
        print(help.text(command, arguments.config_dir, topic))
    elif arguments.list is not None:
        print(help.listing(command, arguments.list, arguments.config_dir))
    elif command is TRAIN:
        _train(arguments)
    elif command is RUNS:
        from gan_cli.cli.runs import runs_command

        raise SystemExit(runs_command(arguments.overrides, arguments.yes, arguments.run))
    else:
        _use(command, arguments)


def _train(arguments: argparse.Namespace) -> None:
    _refuse_repeated("train", arguments.overrides)
    overrides = train_overrides(arguments.overrides, arguments.config_dir, arguments.multirun)

    from gan_cli.cli import app

    if arguments.cfg:
        app.show_train(overrides, arguments.config_dir, arguments.cfg, arguments.package, arguments.resolve, arguments.multirun)
    elif arguments.dry_run:
        app.show_data(overrides, arguments.config_dir, arguments.multirun)
    else:
        app.launch_train(overrides, arguments.config_dir, arguments.multirun)


def train_overrides(words: list[str], config_dir: str | None = None, multirun: bool = False) -> list[str]:
    """Return the words of ``gan-train`` as overrides for Hydra, with paths quoted.

    Raises:
        UserError: If a word is not ``KEY=VALUE``, or names an option or a key that does not exist.
    """
    groups, keys = suggestions.groups(config_dir), [*scalars(TrainConfig), *components(TrainConfig), "hydra.run.dir"]
    for word in words:
        if "=" not in word and not word.startswith("~"):
            raise UserError(f"'{word}' is not KEY=VALUE. {suggestions.bare_word(word, groups, keys)}")
    if not any("hydra.searchpath" in word for word in words):
        suggestions.check(words, groups, keys)
    words = [_as_list(_with_runs(word, multirun), ["trust"]) for word in words]
    return quote_paths(with_metrics(words), multirun, config_dir)


def _with_runs(word: str, multirun: bool) -> str:
    """Return a word of ``gan-train`` with the folders of the runs that it names by ``latest`` or by a part of their names."""
    key, _, value = word.partition("=")
    if key not in ("resume", "init_from", "from") or value.startswith(("'", '"')) or word == "resume=auto":
        return word
    found = []
    for name in value.split(",") if multirun else [value]:
        run, at, step = name.rpartition("@") if key == "from" and re.search(r"@\d+$", name) else (name, "", "")
        found.append(f"{naming.find_run(run)}{at}{step}")
    return f"{key}={','.join(found)}"


def _use(command: Command, arguments: argparse.Namespace) -> None:
    overrides = use_overrides(command, arguments.overrides, arguments.config_dir)

    from gan_cli.cli import app, reports

    if command is REPORT and (arguments.export or arguments.check):
        reports.launch_paper(overrides, arguments.config_dir, arguments.export, arguments.check)
        return
    launch = {EVALUATE: app.launch_eval, SAMPLE: app.launch_sample, EXPORT: app.launch_export, REPORT: reports.launch_report}
    launch[command](overrides, arguments.config_dir)


def use_overrides(command: Command, words: list[str], config_dir: str | None = None) -> list[str]:
    """Return the words of a command about a run as overrides for Hydra, with paths quoted; a bare path is the run's.

    A run may be named as :func:`~gan_cli.runs.naming.find_run` says, or by the file of one of its checkpoints.

    Raises:
        UserError: If they name no run, or several where the command takes one, or an option or a key that does not exist.
    """
    keys = scalars(command.schema)
    runs, overrides = _sorted_out(command, words)
    groups = help.groups(command, config_dir)
    suggestions.check(overrides, groups, [*keys, *groups])
    if len(runs) > 1 and "others" not in keys:
        raise UserError(f"one run at a time, not {len(runs)}: {', '.join(runs)}")
    if not runs and not any(word.startswith(("real=", "fake=")) for word in overrides):
        raise UserError(f"name the folder of a run: {command.name} outputs/...")
    first, others = runs[:1], [quote(os.path.expanduser(run)) for run in runs[1:]]
    named = [*(f"run={run}" for run in first), *([f"others=[{','.join(others)}]"] if others else [])]
    lists = [name for name, scalar in keys.items() if scalar.kind is list]
    return quote_paths([*named, *with_metrics(_as_list(word, lists) for word in overrides)])


def _sorted_out(command: Command, words: list[str]) -> tuple[list[str], list[str]]:
    """Return the runs that the words of a command name, and the other words, with the checkpoint whose file is named."""
    keys = scalars(command.schema)
    runs, overrides = [], []
    for word in words:
        key, assigned, value = word.partition("=")
        if assigned and (key in keys or not os.path.exists(word)) and key.lstrip("+~") != "run":
            overrides.append(word)
        elif (run := value if assigned and key.lstrip("+~") == "run" else word) not in ("", "null"):
            if found := naming.of_checkpoint(run):
                if "checkpoint" not in keys:
                    raise UserError(f"{run} is a checkpoint, and {command.name} takes a whole run: {command.name} {found[0]}")
                run, step = found
                overrides.append(f"checkpoint={step}")
            elif os.path.isfile(run) and "checkpoint" in keys:
                raise UserError(f"{run} lies in no run: name its run, too: {command.name} RUN_DIR checkpoint={run}")
            runs.append(naming.find_run(run, command.takes_sweeps))
    _refuse_repeated(command.function, overrides)
    return runs, overrides


def _refuse_repeated(function: str, words: list[str]) -> None:
    """Check that no key is given twice: Hydra would take the last value without a word.

    Raises:
        UserError: If one is, as where a shell takes ``seed={1,2}`` apart.
    """
    values: dict[str, list[str]] = {}
    for word in words:
        key, assigned, value = word.partition("=")
        if assigned and not key.startswith("~"):
            values.setdefault(key.lstrip("+"), []).append(value)
    for key, given in values.items():
        if len(given) > 1:
            several = f" For a run of each: gan-train -m {key}={','.join(given)}." if function == "train" else ""
            raise UserError(
                f"{key} is given {len(given)} times: {', '.join(given)}.\n"
                f"Give it once.{several} A shell takes unquoted braces apart: write '{key}=...' in quotes."
            )


def _as_list(word: str, keys: Sequence[str]) -> str:
    """Return ``trust=a,b`` with the brackets of a list if ``trust`` is one of ``keys``, and any other word as it is."""
    key, _, value = word.partition("=")
    return f"{key}=[{value}]" if key in keys and value != "null" and re.fullmatch(r"\w[\w.,/ -]*", value) else word
