"""The labels of samples: drawn in the shares of the training data, or equally many of each class."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli.data.base import seeded_generator
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

    def in_words(self) -> str:
        """Return the way with a comma before it; empty for a game that takes no labels."""
        return f", {LABELS[self.way]}" if self.taken else ""


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
