"""Commands in child processes: forked from this warm one, with a memory limit, a timeout and files for their output."""

import atexit
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

MEMORY = 4 * 2**30
"""Bytes of private memory that a child may hold (RLIMIT_DATA). RLIMIT_AS would also count what torch merely reserves."""
TIMEOUT = 120.0
"""Seconds until a child is killed."""
CODE_OF_A_BROKEN_CHILD = 70
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(frozen=True)
class Answer:
    """The end of a child: its exit code (minus a signal's number if that killed it), and its output."""

    code: int
    out: str
    err: str
    words: tuple[str, ...]
    timed_out: bool

    def shown(self) -> str:
        """Return code and last lines for a message."""
        tail = " | ".join(self.err.strip().splitlines()[-3:])
        return f"{'timeout' if self.timed_out else f'exit {self.code}'} of {' '.join(self.words)}: {tail}"


class Child:
    """A command that runs in a process of its own.

    Args:
        words: The command and its words, as ``("gan-train", "dataset=ring")``.
        cwd: Folder in which it runs; its output goes to files there.
        prepare: Called in the child before the command, to inject faults.
        fresh: Start a new interpreter, which parallel sweeps need, instead of a fork.
        environment: Changes of its environment.
    """

    def __init__(
        self,
        words: Sequence[str],
        cwd: Path,
        prepare: Callable[[], object] | None = None,
        fresh: bool = False,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.words, self.started = tuple(words), time.monotonic()
        name = f".{time.monotonic_ns()}"
        self.files = cwd / f"{name}.out", cwd / f"{name}.err"
        self.pid = os.fork()
        if self.pid == 0:
            self._become(cwd, prepare, fresh, environment or {})

    def _become(self, cwd: Path, prepare: Callable[[], object] | None, fresh: bool, environment: dict[str, str]) -> None:
        code = CODE_OF_A_BROKEN_CHILD
        try:
            os.setsid()  # a group of its own: what it starts is killed with it
            os.chdir(cwd)
            for number, target in enumerate((Path(os.devnull), *self.files)):
                descriptor = os.open(target, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(descriptor, number)
                os.close(descriptor)
            sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            for number in SIGNALS:
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            os.environ.update(environment)
            function = self.words[0].replace("-", "_")
            if fresh:
                text = f"import sys; from gan_cli.cli.main import {function} as f; sys.exit(f())"
                os.execv(sys.executable, [sys.executable, "-c", text, *self.words[1:]])
            atexit._clear()  # what the parent has registered would remove the parent's files
            sys.argv = list(self.words)
            if prepare is not None:
                prepare()
            code = getattr(import_module("gan_cli.cli.main"), function)()
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        except BaseException:
            traceback.print_exc()
            with suppress(OSError, ValueError):
                sys.stderr.flush()
        finally:
            os._exit(code)

    def send(self, number: int, to_group: bool = False) -> None:
        """Send a signal to the process or to its whole group; none if it has ended."""
        with suppress(ProcessLookupError):
            (os.killpg if to_group else os.kill)(self.pid, number)

    def has_ended(self) -> bool:
        """Return True if the process has ended; it is not reaped."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def wait_for(self, condition: Callable[[], bool], timeout: float = TIMEOUT) -> bool:
        """Wait until the condition holds or the process has ended; return True if it holds."""
        end = time.monotonic() + timeout
        while not condition():
            if self.has_ended() or time.monotonic() > end:
                return condition()
            time.sleep(0.002)
        return True

    def finish(self, timeout: float = TIMEOUT) -> Answer:
        """Wait for the end of the process, kill what is left of its group, and return its answer."""
        timed_out = not self.wait_for(self.has_ended, timeout)
        self.send(signal.SIGKILL, to_group=True)
        _, status = os.waitpid(self.pid, 0)
        out, err = (path.read_text(errors="replace") if path.exists() else "" for path in self.files)
        for path in self.files:
            path.unlink(missing_ok=True)
        return Answer(os.waitstatus_to_exitcode(status), out, err, self.words, timed_out)


def call(words: Sequence[str], cwd: Path, *arguments: Any, timeout: float = TIMEOUT, **more: Any) -> Answer:
    """Run a command to its end; the arguments are those of ``Child``."""
    return Child(words, cwd, *arguments, **more).finish(timeout)


def refusal_problem(answer: Answer) -> str | None:
    """Return why an answer is not that of a command which has worked or has refused in the right way; None if it is."""
    if answer.timed_out:
        return answer.shown()
    if "Traceback (most recent call last)" in answer.err or "Traceback (most recent call last)" in answer.out:
        return f"a traceback: {answer.shown()}"
    if answer.code not in (0, 2):
        return answer.shown()
    lines = [line for line in answer.err.splitlines() if not line.startswith("warning: ")]
    if answer.code == 2 and not 1 <= len(lines) <= 3:
        return f"{len(lines)} lines on stderr: {answer.shown()}"
    return None


def warm() -> None:
    """Import what a run, an evaluation and a report import, so that forked children need not."""
    for name in (
        "gan_cli.cli.app",
        "gan_cli.cli.job",
        "gan_cli.training.command",
        "gan_cli.evaluation.command",
        "gan_cli.report.command",
        "gan_cli.metrics",
        "torch.utils.tensorboard",
        "scipy.stats",
        "scipy.optimize",
        "matplotlib.figure",
        "pandas",
        "torchvision",
    ):
        with suppress(ImportError):
            import_module(name)
