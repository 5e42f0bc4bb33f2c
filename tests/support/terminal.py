"""A terminal of a given width for a real process: what it shows, frame by frame, and what is left on it in the end."""

import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
import traceback
from collections.abc import Callable
from typing import NamedTuple, NoReturn

TOKEN = re.compile(r"\x1b\[(?P<number>[?\d;]*)(?P<control>[A-Za-z])|(?P<sign>[\r\n])|(?P<text>[^\x1b\r\n]+)")
"""A control sequence, a carriage return or line feed, or text."""


class Session(NamedTuple):
    """The output of a process.

    Attributes:
        code: Its exit code.
        frames: Every text that stood in the line of the cursor when the line was left or written anew, without repetitions.
        screen: The lines that are left in the end, as they were wrapped at the width of the terminal.
    """

    code: int
    frames: list[str]
    screen: list[str]


def session(program: Callable[[], int | None], width: int, interrupt_at: str | None = None) -> Session:
    """Run a program in a fork of this process, in a terminal of ``width`` columns.

    Args:
        program: Returns its exit code. None: 0.
        width: Number of columns.
        interrupt_at: A regular expression: Ctrl-C is typed once, when the output first matches it.
    """
    pid, terminal = pty.fork()
    if not pid:
        _run(program, width)
    written = b""
    try:
        while True:
            written += os.read(terminal, 65536)
            if interrupt_at and re.search(interrupt_at, written.decode(errors="replace")):
                interrupt_at = None
                os.write(terminal, b"\x03")
    except OSError:  # the process has ended
        pass
    finally:
        os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return Session(code, *_shown(written.decode(), width))


def _run(program: Callable[[], int | None], width: int) -> NoReturn:
    code = 1
    try:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
        for name in ("COLUMNS", "LINES", "NO_COLOR"):
            os.environ.pop(name, None)
        os.environ["TERM"] = "xterm-256color"
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        code = program() or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _shown(output: str, width: int) -> tuple[list[str], list[str]]:
    lines, frames, row, column = [""], [""], 0, 0

    def note() -> None:
        if lines[row].strip() not in ("", frames[-1]):
            frames.append(lines[row].strip())

    for token in TOKEN.finditer(output):
        count = int(token["number"]) if (token["number"] or "").isdecimal() else 1
        if token["control"] in ("A", "K"):
            note()
        if token["control"] == "A":
            row = max(0, row - count)
        elif token["control"] == "K":
            lines[row] = "" if token["number"] == "2" else lines[row][:column]
        elif token["sign"] == "\r":
            column = 0
        for sign in token["text"] or (token["sign"] if token["sign"] == "\n" else "") or "":
            if sign == "\n" or column == width:
                note()
                row, column = row + 1, 0 if column == width else column
                lines += [""] * (row == len(lines))
            if sign != "\n":
                lines[row] = f"{lines[row]:<{column}}"[:column] + sign + lines[row][column + 1 :]
                column += 1
    note()
    return frames[1:], [line.rstrip() for line in lines if line.strip()]
