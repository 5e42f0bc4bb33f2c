"""Docstrings of the classes and functions that configs name, read from the source: nothing is imported."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).resolve().parents[1]
SECTION = r"^(?:Args|Attributes):\n(.*?)(?=^\S|\Z)"


class _Definition(NamedTuple):
    """A class or function: its docstring, None without one, and the dotted names of its bases."""

    docstring: str | None
    bases: list[str]


def first_sentence(target: str | None) -> str:
    """Return the first paragraph of the docstring of the class or function that a dotted path names, in one line."""
    found = next((one.docstring for one in _lineage(target) if one.docstring), "")
    return found.partition("\n\n")[0].replace("\n", " ")


def argument(target: str | None, name: str) -> str:
    """Return what the docstring of a target says about one of its arguments under ``Args:`` or ``Attributes:``."""
    for definition in _lineage(target):
        for part in re.findall(SECTION, definition.docstring or "", re.DOTALL | re.MULTILINE):
            entries = re.split(r"^(\w+)(?: \([^)]*\))?: ", textwrap.dedent(part), flags=re.MULTILINE)
            words = dict(zip(entries[1::2], entries[2::2], strict=True))
            if name in words:
                return re.sub(r"\s+", " ", words[name]).strip().rstrip(".").replace("``", "`")
    return ""


def _lineage(target: str | None) -> Iterator[_Definition]:
    """Yield the definition of a target of this package, and those of its bases, the nearest first."""
    module, _, name = (target or "").rpartition(".")
    if module.partition(".")[0] == PACKAGE.name and (found := _definitions(module).get(name)):
        yield found
        for base in found.bases:
            yield from _lineage(base)


@cache
def _definitions(module: str) -> dict[str, _Definition]:
    """Return the classes and functions of a module by their names."""
    file = PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")
    if not file.is_file():
        return {}
    imported: dict[str, str] = {}
    found: dict[str, _Definition] = {}
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            bases = [ast.unparse(base).partition("[")[0] for base in getattr(node, "bases", [])]
            docstring = ast.get_docstring(node)
            found[node.name] = _Definition(
                docstring and inspect.cleandoc(docstring), [imported.get(base, f"{module}.{base}") for base in bases]
            )
    return found
