"""Docstrings and annotations of the classes and functions that configs name, read from the source: nothing is imported."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

PACKAGE = Path(__file__).resolve().parents[1]
SECTION = r"^(?:Args|Attributes):\n(.*?)(?=^\S|\Z)"


class _Definition(NamedTuple):
    """A class or function.

    Attributes:
        docstring: Its docstring, None without one.
        bases: Dotted names of its bases.
        annotations: Annotations of its arguments, as they are written.
    """

    docstring: str | None
    bases: list[str]
    annotations: dict[str, str]


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


def takes(target: str | None, name: str, value: Any) -> bool:
    """Return whether the annotation of an argument says that it takes a list, if ``value`` is one, or else a single value.

    False if nothing is known of the argument.
    """
    annotation = next((one.annotations[name] for one in _lineage(target) if name in one.annotations), "")
    kinds = [kind.strip() for kind in re.sub(r"\[[^]]*\]", "[]", annotation).split("|")]
    return any(kind.endswith("[]") == isinstance(value, list) for kind in kinds if kind not in ("", "None", "Any"))


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
                docstring and inspect.cleandoc(docstring),
                [imported.get(base, f"{module}.{base}") for base in bases],
                _annotations(node),
            )
    return found


def _annotations(node: ast.ClassDef | ast.FunctionDef) -> dict[str, str]:
    """Return the annotations of the arguments of a function, or of a class: its fields, or those of its constructor."""
    if isinstance(node, ast.FunctionDef):
        named = {one.arg: one.annotation for one in (*node.args.args, *node.args.kwonlyargs)}
        return {name: ast.unparse(annotation) for name, annotation in named.items() if annotation is not None}
    found: dict[str, str] = {}
    for part in node.body:
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            found[part.target.id] = ast.unparse(part.annotation)
        elif isinstance(part, ast.FunctionDef) and part.name == "__init__":
            found |= _annotations(part)
    return found
