"""Signals: who receives them, what repeats are worth, and what a worker of a sweep does with them."""

import signal
import sys
import threading

import pytest

from gan_cli.errors import Interrupted, Stopped
from gan_cli.runs import signals
from gan_cli.runs.signals import SIGNALS, WARNINGS, Worker, interrupting, received_by, scheduled, status_after


@pytest.fixture(autouse=True)
def handlers():
    """The handlers of before; no signal of these tests ends the session."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def clock(monkeypatch):
    """``clock(seconds)`` lets time pass; it stands still otherwise."""
    now = [100.0]
    monkeypatch.setattr(signals.time, "monotonic", lambda: now[0])

    def advance(seconds):
        now[0] += seconds

    return advance


def test_every_signal_is_received_once_and_handlers_are_put_back(handlers, clock):
    received = []
    with received_by(received.append):
        for number in SIGNALS:
            signal.raise_signal(number)
            clock(0.5)
            signal.raise_signal(number)
            clock(signals.GRACE)
    assert received == list(SIGNALS)
    assert {number: signal.getsignal(number) for number in SIGNALS} == handlers


def test_ignored_signals_and_those_of_others_are_left_alone():
    received, theirs = [], []
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    signal.signal(signal.SIGUSR2, lambda number, frame: theirs.append(number))  # as submitit does
    with received_by(received.append):
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGUSR2)
    assert (received, theirs) == ([], [signal.SIGUSR2])


@pytest.mark.parametrize("requeues", [True, False])
def test_the_handler_of_a_scheduler_is_called_when_a_run_has_saved(requeues, capsys):
    happened = []

    def handler(number, frame):
        happened.append("handler")
        signal.raise_signal(signal.SIGUSR2)  # Slurm sends it again
        if requeues:
            raise SystemExit(144)
        raise RuntimeError("timed-out too many times")

    signal.signal(signal.SIGUSR2, handler)  # as submitit does

    def run():
        with received_by(lambda number: happened.append("received")):
            signal.raise_signal(signal.SIGUSR2)
        happened.append("saved")
        raise Stopped("stopped at step 3", signal.SIGUSR2)

    with pytest.raises(SystemExit) as end, scheduled(), interrupting():
        run()
    assert happened == ["received", "saved", "handler"]
    assert end.value.code == (144 if requeues else 128 + signal.SIGUSR2)
    assert capsys.readouterr().err == "stopped at step 3\n"


def test_a_scheduled_process_that_ends_by_itself_puts_handlers_back(handlers):
    handler = lambda number, frame: None  # noqa: E731
    signal.signal(signal.SIGUSR2, handler)
    with pytest.raises(ValueError, match="wrong"), scheduled():
        raise ValueError("wrong")
    assert {number: signal.getsignal(number) for number in SIGNALS} == {**handlers, signal.SIGUSR2: handler}


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGTERM])
def test_a_scheduled_process_ends_without_a_result_before_a_run_begins(number):
    called = []
    signal.signal(signal.SIGUSR2, lambda number, frame: called.append(number))
    with pytest.raises(SystemExit) as end, scheduled(), interrupting():
        signal.raise_signal(number)
    assert end.value.code == 128 + number
    assert called == [signal.SIGUSR2] * (number == signal.SIGUSR2)


def test_an_inner_receiver_takes_over_and_its_signal_counts_for_the_outer_one(clock):
    inner, outer = [], []
    with received_by(outer.append):
        with received_by(inner.append):
            signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGTERM)
        assert (inner, outer) == ([signal.SIGUSR1], [])
        clock(signals.GRACE)
        signal.raise_signal(signal.SIGTERM)
    assert outer == [signal.SIGTERM]


def test_another_thread_receives_nothing_and_works(handlers):
    def work():
        with received_by(lambda number: None):
            seen.append(signal.getsignal(signal.SIGTERM))

    seen: list = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [handlers[signal.SIGTERM]]


def test_a_command_is_interrupted_once_unless_somebody_insists(clock):
    with interrupting():
        with pytest.raises(Interrupted) as error:
            signal.raise_signal(signal.SIGTERM)
        assert error.value.code == 143
        clock(5)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)  # within a second of the one before
        clock(5)
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)


def test_an_interruption_that_was_lost_still_counts(clock):
    """Code that catches everything swallows the exception, or turns it into an error of its own."""
    received = []

    def lose(outcome):
        try:
            signal.raise_signal(signal.SIGHUP)
        except BaseException:
            with received_by(received.append):
                raise outcome from None

    with pytest.raises(Interrupted) as error, interrupting():
        lose(ImportError("half a module"))
    assert (error.value.number, received) == (signal.SIGHUP, [signal.SIGHUP])
    with pytest.raises(Stopped), interrupting():
        lose(Stopped("saved", signal.SIGHUP))
    with pytest.raises(ImportError), interrupting():
        raise ImportError("no such module")


def test_an_interruption_that_cannot_be_raised_is_not_printed_and_counts(capsys):
    class Finalized:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    hook = sys.unraisablehook
    with pytest.raises(Interrupted) as error, interrupting():
        Finalized()
    assert (error.value.number, capsys.readouterr().err, sys.unraisablehook) == (signal.SIGTERM, "", hook)


def test_the_status_after_a_warning_is_requeue():
    assert [status_after(number) for number in WARNINGS] == ["requeue"] * 3
    assert [status_after(number) for number in (signal.SIGINT, signal.SIGTERM)] == ["stopped"] * 2


def test_a_worker_begins_no_job_after_a_signal(clock):
    """The signal is pending when the worker unblocks it, comes between two jobs, during one, or ends the training of one."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    pending, between, during, training = Worker(), Worker(), Worker(), Worker()
    with pytest.raises(Interrupted), pending.busy():
        pytest.fail("a job has begun")
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(SIGNALS)
    with between.busy():
        pass
    clock(5)
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Interrupted), during.busy():
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Stopped), training.busy():
        raise Stopped("stopped at step 3", signal.SIGUSR1)
    for worker, number in ((between, 15), (during, 15), (training, signal.SIGUSR1)):
        with pytest.raises(Interrupted) as error, worker.busy():
            pytest.fail("a job has begun")
        assert error.value.number == number
