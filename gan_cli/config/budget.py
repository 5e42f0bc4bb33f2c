"""Budgets: the keys of ``train`` that say how long a run is, of which exactly one has a value."""

from collections.abc import Collection, Mapping
from typing import Any

from omegaconf import DictConfig

from gan_cli.errors import UserError

BUDGETS = ("steps", "images", "epochs", "minutes", "processor_minutes")
"""The keys of ``train`` that are budgets."""
KEYS = tuple(f"train.{key}" for key in BUDGETS)
"""The same as dotted keys."""


def settle(cfg: DictConfig, named: Collection[str]) -> None:
    """Leave the budget alone that the command line names, if it names one; it replaces those of options and defaults.

    Args:
        cfg: A composed config; its other budgets become null.
        named: The keys that the command line names.

    Raises:
        UserError: If not exactly one budget is left.
    """
    given = _given(cfg.train)
    typed = {key: value for key, value in given.items() if key in named}
    if len(typed) == 1:
        for key in given.keys() - typed.keys():
            cfg.train[key.removeprefix("train.")] = None
        given = typed
    if len(given) > 1:
        words = " and ".join(f"{key}={value}" for key, value in given.items())
        raise UserError(f"{words}: a run has one budget. Leave the others out, or set them to null.")
    if not given:
        raise UserError(f"the run has no budget: give one of {', '.join(KEYS)}.")


def budget_of(train: Mapping[str, Any]) -> tuple[str, int | float]:
    """Return the key of the budget of a run and its value, given the ``train`` node of its config."""
    [(key, value)] = _given(train).items()
    return key, value


def in_words(train: Mapping[str, Any]) -> str:
    """Return the budget as a word of the command line, as ``train.steps=3000``."""
    return " ".join(f"{key}={value}" for key, value in _given(train).items())


def _given(train: Mapping[str, Any]) -> dict[str, Any]:
    return {f"train.{key}": train[key] for key in BUDGETS if train.get(key) is not None}
