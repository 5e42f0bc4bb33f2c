"""Standard streams that never stop a run: what cannot be written is lost. Standard library only."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class _Unfailing:
    """A text stream that is given up when it cannot be written, and replaces characters that its encoding lacks.

    Args:
        stream: The stream.
        own_process: True if nobody else writes to the stream. Its descriptor is then sent to the null device when it is given
            up, so that Python's last flush does not fail on what is left in the buffer.
    """

    def __init__(self, stream: TextIO, own_process: bool) -> None:
        self._stream, self._own_process, self._is_lost = stream, own_process, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._attempt(self._written, text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def _written(self, text: str) -> None:
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding
            self._stream.write(text.encode(encoding, "replace").decode(encoding))

    def _attempt(self, action: Callable[..., object], *arguments: str) -> None:
        if self._is_lost:
            return
        try:
            action(*arguments)
        except (OSError, ValueError):  # no reader, no room, no terminal; ValueError if it was closed in Python
            self._is_lost = True
            if self._own_process:
                with suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
                    os.dup2(nowhere.fileno(), self._stream.fileno())


@contextmanager
def unfailing(own_process: bool = True) -> Iterator[None]:
    """Let standard output and standard error lose what they cannot take, inside the context, instead of raising.

    Args:
        own_process: False in a library, whose process writes to these streams itself.
    """
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w") as nowhere:
        # Python has None for a stream that was closed when it started
        streams: list[Any] = [_Unfailing(stream or nowhere, own_process) for stream in before]
        sys.stdout, sys.stderr = streams
        try:
            yield
        finally:
            for stream in streams:
                stream.flush()
            sys.stdout, sys.stderr = before


def reserve_standard_descriptors() -> None:
    """Open the null device in place of closed standard streams, lest a file that is opened later takes their descriptors."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
