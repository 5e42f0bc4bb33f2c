"""Postponed import of torch's compiler, which takes as long as everything else at the start of a small run."""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch

NAME = "torch._dynamo"


def postpone_compiler() -> None:
    """Import ``torch._dynamo`` when something is compiled, and not at the first step of an optimizer.

    torch's optimizers import it for calls that have no effect unless they are compiled: ``graph_break`` around each step, and
    ``disable`` around ``zero_grad`` and the like. A stand-in has these two and fetches the module for everything else.
    """
    if NAME not in sys.modules:
        sys.modules[NAME] = torch._dynamo = _Postponed(NAME)


class _Postponed(ModuleType):
    """Stand-in for ``torch._dynamo`` until an attribute is asked for that it does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        spec = find_spec(name)
        # inspect and others look at the files of all modules
        vars(self).update(__spec__=spec, __file__=spec.origin if spec else None)

    @staticmethod
    def graph_break(msg: str = "") -> None:
        """Do nothing, as outside of a compiled function."""

    @staticmethod
    def disable(fn: Any, recursive: bool = True, **options: Any) -> Any:
        """Return ``fn``, which nothing compiles."""
        return fn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._module(), name, value)

    def _module(self) -> ModuleType:
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
        return import_module(NAME)
