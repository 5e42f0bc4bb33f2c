"""A warning about parts of the user's own that remember something without saving it in checkpoints."""

import copy
import random
import sys
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gan_cli import own_code
from gan_cli.games.objective import FollowsRounds
from gan_cli.types import Stateful, Stats

ROUNDS = 4
"""Number of rounds after which attributes are compared for the first time."""
LARGEST = 100
"""Number of entries up to which a list or dictionary is looked at."""
OWN_OF_TORCH = vars(nn.Module()).keys()
"""Attributes that torch keeps in a module; its state has parameters and buffers."""


class WarnOfForgottenState:
    """Warns of parts of the user's own whose attributes change from round to round although no checkpoint holds them.

    The attributes after the first round are compared with those after ``ROUNDS`` rounds and at every checkpoint, so that
    something that is computed once, when it is first needed, is no state.

    Args:
        parts: Parts by their config keys; those of the package, and those with a ``state_dict``, are passed over.
        warn: Called with each warning.
        follows: (part, attribute) -> True if the progress of the run alone decides the attribute.
    """

    def __init__(
        self,
        parts: Mapping[str, Any],
        warn: Callable[[str], None],
        follows: Callable[[Any, str], bool] = lambda part, name: False,
    ) -> None:
        self.parts = {key: part for key, part in parts.items() if is_own(part) and not saves_state(part)}
        self.warn, self.follows, self.rounds = warn, follows, 0
        self.twins: dict[str, FollowsRounds] = {}
        self.held: list[dict[str, Any]] = []
        self.before: dict[str, dict[str, Any]] = {}

    def __call__(self, step: int, stats: Stats | None = None) -> None:
        self.rounds += 1
        if self.rounds == 1:
            self.twins = {key: copy.copy(part) for key, part in self.parts.items() if isinstance(part, FollowsRounds)}
            self.held = [
                dict(vars(part)) for part in self.parts.values() if hasattr(part, "__dict__")
            ]  # so that no id is reused
            self.before = {key: snapshot(part) for key, part in self.parts.items()}
        elif self.rounds == ROUNDS:
            self.compare(step)

    def compare(self, step: int, stats: Stats | None = None) -> None:
        """Warn of each part that has changed, once."""
        for key, before in list(self.before.items()):
            part, twin = self.parts[key], self.twins.get(key)
            changed = [name for name in changes(before, snapshot(part)) if not self.follows(part, name)]
            if changed and twin is not None:
                with suppress(Exception):  # what the number of the round alone decides is no state
                    twin.begin_round(step)
                    changed = [name for name in changed if name in changes(snapshot(twin), snapshot(part))]
            if changed:
                del self.before[key]
                self.warn(
                    f"warning: {key} ({type(part).__qualname__}) changes {', '.join(changed)} in training, and no checkpoint "
                    "holds it: a resumed run will differ unless it is computed anew. Define state_dict and load_state_dict."
                )


def is_own(part: Any) -> bool:
    """Return True if the class of ``part`` is defined in a module of the user's own."""
    module = sys.modules.get(type(part).__module__)
    return own_code.is_own(getattr(module, "__file__", None) or "")


def saves_state(part: Any) -> bool:
    """Return True if checkpoints hold what ``part`` remembers; of a module they hold parameters, buffers and extra state."""
    if isinstance(part, nn.Module):
        return type(part).get_extra_state is not nn.Module.get_extra_state
    return isinstance(part, Stateful)


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the names of the attributes that differ between two snapshots."""
    return [name for name in dict.fromkeys((*before, *now)) if before.get(name) != now.get(name)]


def snapshot(part: Any) -> dict[str, Any]:
    """Return the plain attributes of ``part`` in a form that can be compared."""
    return {name: _form(value) for name, value in getattr(part, "__dict__", {}).items() if name not in OWN_OF_TORCH}


def _form(value: Any, depth: int = 0) -> Any:
    """Return what two equal values have in common, without fetching tensors; other objects than plain data are all alike."""
    if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):  # those are in the state
        return "tensor", id(value), None if value.is_inference() else value._version
    if isinstance(value, str | bytes | bool | int | float | complex | None):
        return repr(value)
    if isinstance(value, np.ndarray):
        return "array", value.tobytes() if value.size <= LARGEST else id(value)
    if isinstance(value, torch.Generator):
        return bytes(value.get_state().numpy())
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if isinstance(value, random.Random):
        return value.getstate()
    if isinstance(value, dict | list | tuple | set | deque) and depth < 3:
        entries = value.items() if isinstance(value, dict) else value
        return len(value), [_form(entry, depth + 1) for entry in entries] if len(value) <= LARGEST else None
    return type(value)
