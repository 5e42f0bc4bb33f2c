"""Abilities that some games have: truncation, sampling options, translation, traversals, measurements and pictures.

Callers ask ``isinstance(game, HasTraversals)``; a game takes an ability on by defining its method.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from gan_cli.games.base import Game

History = Callable[[], Sequence[Mapping[str, Any]]]
"""Reads what the run has logged so far: one row per logged round, with ``step`` and the numbers by their tags."""


class Traversal(NamedTuple):
    """Latents in rows and columns, along which one of their codes moves.

    Attributes:
        title: Name of the code.
        latents: ``[rows * columns, ...]``, row by row.
        rows: Label of each row.
        columns: Label of each column.
    """

    title: str
    latents: Tensor
    rows: Sequence[str]
    columns: Sequence[str]


@runtime_checkable
class Truncatable(Protocol):
    """A game whose generator takes latents from N(0, I) and nothing else, which BigGAN's truncation trick needs."""

    def truncated(self, n: int, threshold: float) -> Tensor:
        """Draw ``n`` latents ``[n, ...]`` given that every coordinate lies within ``threshold`` of 0."""


@runtime_checkable
class HasSamplingOptions(Protocol):
    """A game that samples step by step, as diffusion does, in a way that can be changed after training."""

    def set_sampling(self, name: str, value: float) -> None:
        """Set the sampling option ``name`` of the game (``sampling_steps``, ``eta`` or ``guidance``).

        Raises:
            UserError: If the value is out of range or does not fit the trained network.
        """


@runtime_checkable
class Invertible(Protocol):
    """A game that translates both ways."""

    def inverse(self) -> Game:
        """Return a copy of the game that translates the other way."""


@runtime_checkable
class HasPanels(Protocol):
    """A game whose pictures show more than the samples alone."""

    def panels(self, latents: Tensor, y: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the samples ``[n, C, H, W]`` and further images of the same number, to be shown beside them."""


@runtime_checkable
class HasTraversals(Protocol):
    """A game whose latents hold codes with a meaning of their own."""

    def traversals(self, n: int) -> Sequence[Traversal]:
        """Return one traversal per code, of about ``n`` latents each; draws from the same streams as ``latents``."""


@runtime_checkable
class HasClassifier(Protocol):
    """A game with a classifier of its own."""

    def classify(self, x: Tensor) -> Tensor:
        """Return the logits of the data's classes ``[B, classes]`` for samples ``[B, *shape]``."""


@runtime_checkable
class HasMeasurements(Protocol):
    """A game that knows quantities of its own, such as the distance to a known equilibrium."""

    def measure(self, step: int) -> Mapping[str, float]:
        """Return numbers after round ``step``, by their full tags.

        Called in eval mode and without a graph; random streams and buffers are restored afterwards.
        """


@runtime_checkable
class HasDualityGap(Protocol):
    """A game that knows its exact duality gap."""

    def duality_gap(self) -> float:
        """Return how much all players together could gain by best responses; infinite if one of them has none."""


@runtime_checkable
class HasPicture(Protocol):
    """A game that draws a picture of itself instead of its samples."""

    def picture(self, history: History) -> np.ndarray | None:
        """Return a picture, uint8 ``[H, W, 3]``, or None if samples are to be drawn after all.

        Called under the same conditions as ``HasMeasurements.measure``.
        """
