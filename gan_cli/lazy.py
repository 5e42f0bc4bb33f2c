"""Lazy imports: the public names of a package, each imported when it is first used. Standard library only."""

import ast
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any


def lazy_exports(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a package whose names are imported when they are first used (PEP 562).

    The ``__init__.py`` of ``package`` imports its names under ``if TYPE_CHECKING:``, which is the only list of them: type
    checkers and editors follow these imports, and at run time they are read from the source. ``import gan_cli.losses`` thus
    stays free of torch, and ``from gan_cli.losses import Hinge`` imports the module of ``Hinge`` alone.

    Args:
        package: Dotted name of the package, its ``__name__``.
    """

    @cache
    def sources() -> dict[str, tuple[str, str]]:
        return _type_checking_imports(Path(str(sys.modules[package].__file__)))

    def __getattr__(name: str) -> Any:
        if name == "__all__":
            return sorted(sources())
        if name.startswith("__") or name not in sources():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, original = sources()[name]
        return import_module(f"{package}.{name}") if module == package else getattr(import_module(module), original)

    def __dir__() -> list[str]:
        return sorted({*sources(), *(name for name in vars(sys.modules[package]) if name.startswith("__"))})

    return __getattr__, __dir__


def make_callable(package: str, module: str, function: str) -> None:
    """Make the module of ``package`` callable: a call is one of ``function`` in ``module``, which is imported then.

    A function of the package above that has the name of ``package`` would be hidden by it as soon as it is imported.

    Args:
        package: Dotted name of the package, its ``__name__``.
        module: Dotted name of the module.
        function: Name of the function.
    """

    class CallableModule(ModuleType):
        def __call__(self, *args: Any, **options: Any) -> Any:
            return getattr(import_module(module), function)(*args, **options)

    sys.modules[package].__class__ = CallableModule


def _type_checking_imports(path: Path) -> dict[str, tuple[str, str]]:
    """Map each name that the file imports under ``if TYPE_CHECKING:`` to its module and the name that it has there."""
    blocks = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.If)]
    imports = [
        node
        for block in blocks
        if ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
    ]
    return {alias.asname or alias.name: (str(node.module), alias.name) for node in imports for alias in node.names}
