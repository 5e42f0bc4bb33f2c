"""The exceptions that reach a person as a sentence instead of a traceback. Standard library only."""


class UserError(Exception):
    """Something that the person at the keyboard can put right.

    The message is one or two lines: what is wrong, where, and what to do about it. The command line prints it without a
    traceback and exits with ``code``.
    """

    code = 2


class Stopped(UserError):
    """A run ended by a signal after saving its state; exit code 128 + the signal's number, as shells have it."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.code = 128 + number


class Diverged(UserError):
    """A number of the training is no longer finite."""


def first_line(error: object) -> str:
    """The first line of what an exception says."""
    return str(error).partition("\n")[0]
