"""TensorBoard's event files of a run: their names, and the logged numbers that they hold."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer import event_file_writer
from torch.utils.tensorboard import SummaryWriter

EVALUATION_SUFFIX = ".gan-eval"
"""Suffix of the event files that gan-eval writes."""


def open_writer(folder: Path, purge_step: int) -> SummaryWriter:
    """Open a new event file whose name sorts after those in ``folder``, whatever the clock says.

    TensorBoard reads the files of a folder in the order of their names, which begin with the second of their creation. A file
    out of order would be taken for the start of the run, and its numbers would be hidden.

    Args:
        folder: Folder of the run.
        purge_step: TensorBoard hides what earlier files hold of this step and later ones.
    """
    matches = (re.match(r"events\.out\.tfevents\.(\d+)\.", path.name) for path in files_in(folder))
    newest = max((int(match[1]) for match in matches if match), default=-1)
    with _clock_from(newest + 1), _errors_passed_on():
        return SummaryWriter(str(folder), purge_step=purge_step)


def write_evaluations(folder: Path, values: Mapping[int, Mapping[str, float]]) -> None:
    """Write the numbers of gan-eval as ``eval/<name>`` to the run's TensorBoard, replacing those of earlier evaluations.

    Args:
        folder: Folder of the run.
        values: Numbers by step and name.
    """
    previous = list(folder.glob(f"events.out.tfevents.*{EVALUATION_SUFFIX}"))
    with SummaryWriter(str(folder), filename_suffix=EVALUATION_SUFFIX) as writer:
        for step, numbers in sorted(values.items()):
            for name, value in numbers.items():
                writer.add_scalar(f"eval/{name}", value, step)
    for path in previous:
        path.unlink(missing_ok=True)


def files_in(folder: Path) -> list[Path]:
    """Return all event files in ``folder`` in TensorBoard's order."""
    return sorted(folder.glob("events.out.tfevents.*"))


def scalars(folder: Path) -> dict[int, dict[str, float]]:
    """Return the numbers that training has logged, by step and tag, in single precision.

    A file is read up to its first damaged record.
    """
    found: dict[int, dict[str, float]] = {}
    for path in files_in(folder):
        if path.name.endswith(EVALUATION_SUFFIX):
            continue
        for event in _events(path):
            if event.session_log.status == SessionLog.START:  # a resumed run takes back what it logs again
                found = {step: values for step, values in found.items() if step < event.step}
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    found.setdefault(event.step, {})[value.tag] = value.simple_value
    return dict(sorted(found.items()))


def _events(path: Path) -> Iterator[Event]:
    try:
        yield from LegacyEventFileLoader(str(path)).Load()
    except Exception:  # of a damaged file; which exception depends on the damaged field
        return


@contextmanager
def _clock_from(second: int) -> Iterator[None]:
    """Let TensorBoard's writer name files as if the time were ``second`` at least."""
    clock = event_file_writer.time
    event_file_writer.time = SimpleNamespace(time=lambda: max(clock.time(), second))
    try:
        yield
    finally:
        event_file_writer.time = clock


class _QuietThread(event_file_writer._AsyncWriterThread):  # type: ignore[misc]
    """TensorBoard's writing thread, which keeps an error for its next caller, without printing a traceback as well."""

    def run(self) -> None:
        with suppress(Exception):
            super().run()


@contextmanager
def _errors_passed_on() -> Iterator[None]:
    """Let TensorBoard's writers take a thread that prints nothing, for instance when the disk is full."""
    thread = event_file_writer._AsyncWriterThread
    event_file_writer._AsyncWriterThread = _QuietThread
    try:
        yield
    finally:
        event_file_writer._AsyncWriterThread = thread
