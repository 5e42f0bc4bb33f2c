"""Flags and words of a command line. Standard library only."""

import argparse
import os
from collections.abc import Sequence
from typing import NoReturn

from gan_cli.cli import completion
from gan_cli.errors import UserError

OWN_FLAGS = {
    "train": ("--dry-run", "--resolve"),
    "runs": ("--yes", "--run"),
}
"""Flags without a value that one command alone has."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}. See {self.prog} --help.")


def parse(name: str, function: str, words: Sequence[str]) -> argparse.Namespace:
    """Return the flags of a command line, and its other words as ``overrides``.

    Args:
        name: Name of the command.
        function: Its key in the tables of the help.
        words: The words of the command line.

    Raises:
        UserError: If there is no such flag.
    """
    parser = _Parser(name, add_help=False, allow_abbrev=False)
    parser.add_argument("-h", "--help", nargs="?", const="")
    parser.add_argument("--list", nargs="?", const="")
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--completion", choices=sorted(completion.SCRIPTS))
    parser.add_argument("--complete")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("-cd", "--config-dir")
    parser.set_defaults(multirun=False)
    for flag in OWN_FLAGS.get(function, ()):
        parser.add_argument(flag, action="store_true")
    if function == "train":
        parser.add_argument("-m", "--multirun", action="store_true")
        parser.add_argument("-c", "--cfg", choices=["job", "hydra", "all"])
        parser.add_argument("-p", "--package")
    if function == "report":
        paper = parser.add_mutually_exclusive_group()
        paper.add_argument("--export", metavar="DIR")
        paper.add_argument("--check", metavar="ARCHIVE")
    asks = words[:1] == ["help"] and not os.path.exists("help")
    return parser.parse_intermixed_args(["--help", *words[1:]] if asks else words)
