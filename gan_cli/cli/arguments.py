"""Flags and words of a command line. Standard library only."""

import argparse
import difflib
import os
import re
from collections.abc import Sequence
from typing import NoReturn

from gan_cli.cli import completion
from gan_cli.config import suggestions
from gan_cli.config.scalars import components, scalars
from gan_cli.config.schema import COMMANDS
from gan_cli.errors import UserError

OWN_FLAGS = {
    "train": ("--dry-run", "--resolve"),
    "runs": ("--yes", "--run"),
}
"""Flags without a value that one command alone has."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        flag = re.match(r"unrecognized arguments: (--[\w./-]+)", message)
        raise UserError(f"{message}.{self._meant(flag[1]) if flag else ''} See {self.prog} --help.")

    def _meant(self, flag: str) -> str:
        """Return a suggestion for an unknown flag: another flag, or a key, which is written without dashes."""
        if near := difflib.get_close_matches(flag, self._option_string_actions, 1, cutoff=0.8):
            return f" Did you mean {near[0]}?"
        schema = COMMANDS[self.prog]
        meant = suggestions.meant_key(flag[2:].replace("-", "_"), [*components(schema), *scalars(schema)])
        return meant.replace("?", "=VALUE?")


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
