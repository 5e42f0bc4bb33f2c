"""Signals that end a training run, and the way they take to the worker processes of a sweep. Standard library only."""

import _thread
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any

from gan_cli.errors import Interrupted, Stopped

WARNINGS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Sent when a terminal closes and, by Slurm, some time before a job is ended; the run is to be started again."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, *WARNINGS)
GRACE = 1.0
"""Seconds in which further signals are taken for the same one, which wrappers and process groups deliver several times."""


class _Receiver:
    """A handler that calls ``action`` with the number of a signal, except within ``GRACE`` of the one before.

    Attributes:
        first: The first signal that was received, 0 before it.
        newest: When the newest one was received.
    """

    def __init__(self, action: Callable[[int], None]) -> None:
        self.action, self.first, self.newest = action, 0, -GRACE

    def __call__(self, number: int, frame: Any = None) -> None:
        now = time.monotonic()
        if now - self.newest >= GRACE:
            self.first, self.newest = self.first or number, now
            self.action(number)


def status_after(number: int) -> str:
    """Return the status of a run that this signal has stopped: ``requeue`` after a warning, else ``stopped``."""
    return "requeue" if number in WARNINGS else "stopped"


@contextmanager
def received_by(action: Callable[[int], None]) -> Iterator[Callable[[int], None]]:
    """Call ``action`` with the number of each signal that ends a run, inside the context, and yield the handler.

    SIGHUP, SIGUSR1 and SIGUSR2 are left alone if they are ignored, as under ``nohup``, or handled by somebody else, as by
    submitit. Outside the main thread, where signals cannot be received, nothing happens.

    A signal that has been received outside already is passed on to ``action`` at once: the exception that it raised there was
    lost in code that catches everything, as some modules do while they are imported.
    """
    receiver, previous = _Receiver(action), {}
    with suppress(ValueError):  # in another thread
        previous = {number: signal.signal(number, receiver) for number in SIGNALS if _is_free(number)}
    try:
        for outside in set(previous.values()):
            if isinstance(outside, _Receiver) and outside.first:
                action(outside.first)
        yield receiver
    finally:
        for number, handler in previous.items():
            if isinstance(handler, _Receiver):
                handler.newest = max(handler.newest, receiver.newest)
            signal.signal(number, handler)


@contextmanager
def interrupting() -> Iterator[None]:
    """Raise Interrupted at the first signal inside the context, at any later SIGINT, and in place of an error after one.

    Python prints an exception that it cannot raise, as in ``__del__``. Interrupted is not printed but raised at the end.
    """
    received: list[int] = []

    def interrupt(number: int) -> None:
        received.append(number)
        if len(received) == 1 or number == signal.SIGINT:
            raise Interrupted(number)

    lost: list[Interrupted] = []
    print_traceback = sys.unraisablehook

    def note(unraisable: Any) -> None:
        if isinstance(unraisable.exc_value, Interrupted):
            lost.append(unraisable.exc_value)
        else:
            print_traceback(unraisable)

    sys.unraisablehook = note
    try:
        with received_by(interrupt):
            yield
    except Stopped:
        raise
    except Exception:
        if received:  # the error is what became of the interruption
            raise Interrupted(received[0]) from None
        raise
    finally:
        sys.unraisablehook = print_traceback
    if lost:
        raise lost[0]


@contextmanager
def scheduled() -> Iterator[None]:
    """Receive the signals of a process that a scheduler may start again, before the handlers that somebody has set for it.

    submitit's handler, for example, sends its job to the queue again and ends the process at once. Here the run inside the
    context saves its last round first. Only then the handler is called, with the signal that has ended the run. From then on
    signals are ignored.

    Raises:
        SystemExit: After a signal. The process ends without a result, because it may be started again.
    """

    def interrupt(number: int) -> None:
        raise Interrupted(number)

    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in WARNINGS if not _is_free(number)}
    others = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in others:
        signal.signal(number, _Receiver(interrupt))
    try:
        try:
            yield
        finally:
            for number, handler in others.items():
                signal.signal(number, handler)
    except (Interrupted, Stopped) as end:
        for number in SIGNALS:  # Slurm may send one several times
            signal.signal(number, signal.SIG_IGN)
        if str(end):
            print(end, file=sys.stderr)
        if handler := others.get(end.number):
            with suppress(Exception):  # a job that may not be started again ends like any other
                handler(end.number, None)
        raise SystemExit(128 + end.number) from None


@contextmanager
def passed_on() -> Iterator[None]:
    """Pass signals on to the worker processes of this one and wait until these have saved their runs.

    The signals are blocked here, so that workers start with blocked signals and none is lost before ``Worker.busy`` unblocks
    them. A thread waits for the signals instead. A second SIGINT interrupts at once.

    Raises:
        Interrupted: At the end, if a signal has come.
    """
    received: list[int] = []
    told: set[int | None] = set()
    done, woken, impatient = threading.Event(), threading.Event(), threading.Event()

    def note(number: int) -> None:
        if received and number == signal.SIGINT:
            impatient.set()
        received.append(number)

    def in_main_thread(number: int) -> None:
        if not impatient.is_set():
            note(number)
        if impatient.is_set():
            raise Interrupted(number)

    def watch() -> None:
        while not done.is_set():
            number = signal.sigwait(numbers)
            if not done.is_set():
                receiver(number)
        woken.wait()

    def receive(number: int) -> None:
        note(number)
        if impatient.is_set():
            _thread.interrupt_main(signal.SIGINT)

    def tell() -> None:
        while not done.wait(0.1):
            for process in multiprocessing.active_children() if received else ():
                if process.pid not in told:
                    told.add(process.pid)
                    with suppress(ProcessLookupError):
                        os.kill(process.pid or 0, received[0])

    numbers = [number for number in SIGNALS if _is_free(number)]
    receiver = _Receiver(receive)
    resource_tracker.ensure_running()  # which unblocks signals when it starts
    threads = [threading.Thread(target=target, daemon=True) for target in (watch, tell)]
    with received_by(in_main_thread):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        for thread in threads:
            thread.start()
        try:
            yield
        except Exception:
            if not received:  # else the end that was asked for
                raise
        finally:
            done.set()
            signal.pthread_kill(threads[0].ident or 0, signal.SIGTERM)
            woken.set()
            for thread in threads:
                thread.join()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if received:
        raise Interrupted(received[0])


class Worker:
    """The signals of a worker process, which outlives its jobs: after the first signal no further job begins."""

    def __init__(self) -> None:
        self.received, self.is_busy, self.is_listening = 0, False, False

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Raise Interrupted if a signal has come, or comes while no training inside the context receives it."""
        if not self.is_listening:
            for number in SIGNALS:
                if _is_free(number):
                    signal.signal(number, _Receiver(self.receive))
            self.is_listening = True
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        if self.received:
            raise Interrupted(self.received)
        self.is_busy = True
        try:
            yield
        except Stopped as stopped:
            self.received = stopped.number
            raise
        except Exception:
            if self.received:  # the error is what became of the interruption
                raise Interrupted(self.received) from None
            raise
        finally:
            self.is_busy = False

    def receive(self, number: int) -> None:
        """Note a signal."""
        first, self.received = not self.received, self.received or number
        if self.is_busy and (first or number == signal.SIGINT):
            raise Interrupted(number)


WORKER = Worker()
"""The signals of this process if it is a worker of a sweep."""


def _is_free(number: int) -> bool:
    handler = signal.getsignal(number)
    return number not in WARNINGS or handler == signal.SIG_DFL or isinstance(handler, _Receiver)
