"""The held-out part of a set of images that has no test part of its own."""

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.base import Data, Dataset, Subset, seeded_generator
from gan_cli.errors import UserError, shortened_list, warn

MAX_HELDOUT = 5_000
"""Largest number of held-out images if a tenth of the images is held out."""


def split(whole: Dataset, heldout: int | None, name: str) -> Data:
    """Hold out some of the images, in proportion to the classes if there are labels.

    The choice is fixed: it depends on the number of images and their labels only. Images without labels are drawn at random. Of
    labelled ones, each class gives as many as ``apportioned`` says, drawn at random.

    Args:
        whole: The images.
        heldout: Number of held-out images; None for a tenth, at most ``MAX_HELDOUT`` and at least 1.
        name: Name of the set in messages.

    Raises:
        UserError: If no image would be left to train on.
    """
    n = len(whole)
    count = min(MAX_HELDOUT, max(1, n // 10)) if heldout is None else heldout
    if count >= n:
        raise UserError(f"{name} has {n} images: holding out {count} (dataset.heldout) leaves none to train on.")
    order = torch.randperm(n, generator=seeded_generator("heldout"))
    labels = whole.known_labels()
    held = torch.arange(n) < count if labels is None else _stratified(labels[order].numpy(), count, whole, name)
    return Data(Subset(whole, order[~held]), Subset(whole, order[held]))


def apportioned(counts: np.ndarray, total: int) -> np.ndarray:
    """Return how many images of each class are held out, in proportion to the classes, by the method of largest remainders.

    Of a class with two images or more, at least one is held out and at least one is not. ``total`` takes precedence: if it is
    too small for that, the smallest classes give none; if it is too large, some classes give all.

    Args:
        counts: Number of images of each class, int64 ``[K]``.
        total: Number of held-out images, below the sum of ``counts``.
    """
    n = counts.sum()
    least, most = (counts > 1).astype(np.int64), np.maximum(counts - 1, 0)
    seats = np.clip(total * counts // n, least, most)
    for lower, upper in ((least, most), (np.zeros_like(counts), counts)):
        while step := np.sign(total - seats.sum()):
            free = (lower <= seats + step) & (seats + step <= upper)
            if not free.any():
                break
            owed = step * (total * counts - seats * n)  # n times the distance to the exact share
            seats[np.where(free, owed, owed.min() - 1).argmax()] += step
    return seats


def _stratified(labels: np.ndarray, total: int, whole: Dataset, name: str) -> Tensor:
    """Return which of the images with these labels are held out, bool ``[n]``: the first ones of each class."""
    counts = np.bincount(labels, minlength=whole.classes)
    seats = apportioned(counts, total)
    names = whole.class_names or [str(label) for label in range(whole.classes)]
    if used_up := [names[label] for label in np.flatnonzero((seats == counts) & (counts > 0))]:
        every = f"every image of {len(used_up)} of {len(names)} classes is held out"
        warn(f"{name}: {every}, none is left to train on: {shortened_list(used_up)}.")
    first = np.cumsum(counts) - counts
    by_class = np.argsort(labels, kind="stable")
    rank = np.empty_like(by_class)
    rank[by_class] = np.arange(len(labels)) - np.repeat(first, counts)
    return torch.from_numpy(rank < seats[labels])
