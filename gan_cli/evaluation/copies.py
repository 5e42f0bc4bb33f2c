"""Generated images that are real ones, pixel for pixel."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gan_cli.activity import counted
from gan_cli.data.base import Dataset, seeded_generator
from gan_cli.data.content import digests
from gan_cli.games.sampling import CHUNK
from gan_cli.metrics.features.base import Features, to_metric_input

SEARCHED = 10_000
"""Largest number of training images that generated ones are compared with."""


def warnings_of_copies(real: Sequence[str], fake: Sequence[str]) -> list[str]:
    """Return a line if generated images equal real ones, which no measure of distance tells from good samples.

    Args:
        real: A hash of the pixels of each real image.
        fake: A hash of the pixels of each generated image.
    """
    known = set(real)
    copies = sum(key in known for key in fake)
    if not copies:
        return []
    if known == set(fake):
        return ["both folders hold the same images, pixel for pixel: name a folder of generated ones as fake=."]
    return [f"{copies} of {len(fake)} generated images are copies of real ones, pixel for pixel."]


def training_hashes(train: Dataset, features: Features) -> np.ndarray:
    """Return the hashes of the pixels of up to ``SEARCHED`` training images, uint64; none if the samples are no images."""
    if len(train.shape) != 3 or train.unlimited:
        return np.empty(0, np.uint64)
    rows = train.draw_rows(SEARCHED, seeded_generator("reference"))
    found = [_hashes(to_metric_input(train.batch(part).x, features)) for part in counted("hashing images", rows.split(CHUNK))]
    return np.concatenate(found)


class Copies:
    """Number of generated images that equal training images.

    Args:
        known: Hashes of training images, see ``training_hashes``.
    """

    def __init__(self, known: np.ndarray) -> None:
        self.known, self.copies, self.seen = known, 0, 0

    def look(self, x: Tensor) -> None:
        """Count the copies among these samples, in the form of ``to_metric_input``."""
        if len(self.known):
            self.copies += int(np.isin(_hashes(x), self.known).sum())
            self.seen += len(x)

    def remarks(self) -> list[str]:
        """Return a line if there are copies."""
        if not self.copies:
            return []
        return [
            f"{self.copies} of {self.seen} generated images equal one of {len(self.known)} training images, pixel for pixel."
        ]


def _hashes(x: Tensor) -> np.ndarray:
    return digests(x.numpy()) if x.dtype == torch.uint8 else np.zeros(0, np.uint64)
