"""Real-or-generated quiz: a shuffled grid of real and generated images."""

import io
from typing import NamedTuple

import torch
from PIL import Image

from gan_cli import drawing
from gan_cli.data.base import seeded_generator
from gan_cli.games.sampling import choose
from gan_cli.inference.load import load
from gan_cli.report.records.runs import RunRecord


class Card(NamedTuple):
    """One image of the quiz.

    Attributes:
        png: The image file.
        real: True for a held-out image, False for a generated one.
    """

    png: bytes
    real: bool


def cards(run: RunRecord, n: int, seed: int, root: str | None = None) -> list[Card]:
    """Return real and generated images of ``run`` in random order.

    Args:
        run: The run whose newest checkpoint is sampled.
        n: Number of images; half of them are held-out real ones.
        seed: Decides the samples and the order.
        root: Folder or file of the data set if it has moved since training.

    Returns:
        The cards; empty if the samples are not images or there is no checkpoint.

    Raises:
        UserError: If the data set cannot be read.
    """
    if run.shape is None or len(run.shape) != 3:
        return []
    loaded = load(run.folder, root=root)
    real = choose(loaded.data.shown, n // 2, seed).x
    fake = loaded.sample(n - len(real), seed)
    images = [Card(_png(image), True) for image in real] + [Card(_png(image), False) for image in fake]
    return [images[i] for i in torch.randperm(len(images), generator=seeded_generator(seed, "quiz")).tolist()]


def _png(image: torch.Tensor) -> bytes:
    file = io.BytesIO()
    Image.fromarray(drawing.picture(image)).save(file, format="PNG")
    return file.getvalue()
