"""The labels of samples: drawn in the shares of the training data, or equally many of each class."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.base import seeded_generator
from gan_cli.data.classes import labels_of
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.games.sampling import cycling_labels

LABELS = {"data": "labels in the shares of the data", "uniform": "labels in equal shares"}
"""Ways to draw labels, in words."""


class Labels(NamedTuple):
    """A way to draw the labels of a run's samples.

    Attributes:
        way: ``data`` or ``uniform``.
        classes: Number of classes of the data.
        counts: Number of training samples of each class. None: the data does not tell.
        taken: True if the game's samples depend on labels.
    """

    way: str
    classes: int
    counts: Sequence[int] | None
    taken: bool

    @classmethod
    def of(cls, game: Game, way: str, classes: int, counts: Sequence[int] | None) -> "Labels":
        """Return the labels of ``game``, which was trained on data with ``classes``.

        Raises:
            UserError: If there is no such way, or the labels of a game that takes none are asked for.
        """
        taken = game.conditional and classes > 0
        if way not in LABELS:
            raise UserError(f"labels={way}: it must be {' or '.join(LABELS)}.")
        if way != "data" and not taken:
            raise UserError(f"labels={way}: the game of this run takes no labels. Leave it out.")
        return cls(way, classes, counts, taken)

    def draw(self, n: int, seed: int) -> Tensor | None:
        """Return labels int64 ``[n]``, for ``uniform`` 0, 1, 2, ... repeated; None if there are no classes.

        Raises:
            UserError: If they are to be drawn in the shares of data that does not tell them.
        """
        if self.way == "uniform" or not self.taken:
            return cycling_labels(n, self.classes)
        if self.counts is None:
            raise UserError("the data set of this run does not tell the shares of its classes. Choose labels=uniform.")
        return drawn_labels(n, self.counts, seed)

    def draw_each(self, seeds: Sequence[int]) -> Tensor | None:
        """Return a label for each seed, int64 ``[n]``, which depends on its own seed alone; None if there are no classes."""
        if not self.classes:
            return None
        if self.way == "data":
            return torch.cat([label for seed in seeds if (label := self.draw(1, seed)) is not None])
        return torch.cat([drawn_labels(1, [1] * self.classes, seed) for seed in seeds])

    def in_words(self) -> str:
        """Return the way with a comma before it; empty for a game that takes no labels."""
        return f", {LABELS[self.way]}" if self.taken else ""


def given_labels(y: Any, classes: int, names: Sequence[str]) -> Tensor:
    """Return the labels ``y`` as int64 ``[n]``, or ``[]`` for one label that is not in a list.

    Args:
        y: Labels by name or number: a list, a NumPy array, a tensor, or one of them.
        classes: Number of classes.
        names: Names of the classes; empty if they have none.

    Raises:
        UserError: If they are no labels, or there is no such class.
    """
    words = y.tolist() if isinstance(y, Tensor | np.ndarray | np.generic) else y
    listed = [words] if isinstance(words, str | int) else [*words]
    numbers: list[int]
    if any(isinstance(word, str) for word in listed):
        numbers = labels_of(listed, names, classes, "y")
    elif all(isinstance(word, int) and 0 <= word < classes for word in listed):
        numbers = [int(word) for word in listed]
    else:
        raise UserError(f"y: labels are whole numbers from 0 to {classes - 1}{' or names of classes' if names else ''}.")
    return torch.tensor(numbers[0] if isinstance(words, str | int) else numbers, dtype=torch.long)


def drawn_labels(n: int, counts: Sequence[int], seed: int) -> Tensor:
    """Draw ``n`` labels in the shares of ``counts``, in random order; each class comes its share of n times, rounded.

    Args:
        n: Number of labels.
        counts: Number of training samples of each class.
        seed: Decides the order, and which of the shares are rounded up.

    Returns:
        int64 ``[n]``.
    """
    random = seeded_generator(seed, "labels")
    ends = torch.tensor(counts, dtype=torch.float64).cumsum(0)
    places = (torch.arange(n) + torch.rand(1, generator=random, dtype=torch.float64)) * (ends[-1] / max(n, 1))
    return torch.searchsorted(ends, places, right=True)[torch.randperm(n, generator=random)]
