"""Real or fake: a blind grid of both, for people to tell apart."""

import io
from typing import NamedTuple

import torch
from PIL import Image

from gan_cli import drawing
from gan_cli.data.base import generator
from gan_cli.games.sampling import choose
from gan_cli.inference.load import load
from gan_cli.report.records.runs import RunRecord


class Card(NamedTuple):
    """One image of the quiz and what it is."""

    png: bytes
    real: bool


def cards(run: RunRecord, n: int, seed: int, root: str | None = None) -> list[Card]:
    """``n`` images of ``run``, half of them held-out real ones, the order drawn by ``seed``; empty where samples are no images.

    ``root``: where the data set lies, if not where the run found it. Raises UserError where there is no checkpoint, or the
    data set cannot be read here.
    """
    if run.shape is None or len(run.shape) != 3:
        return []
    loaded = load(run.folder, root=root)
    real = choose(loaded.data.heldout, n // 2, seed).x
    fake = loaded.sample(n - len(real), seed)
    everything = [Card(_png(image), True) for image in real] + [Card(_png(image), False) for image in fake]
    return [everything[i] for i in torch.randperm(len(everything), generator=generator(seed, "quiz")).tolist()]


def _png(image: torch.Tensor) -> bytes:
    file = io.BytesIO()
    Image.fromarray(drawing.picture(image)).save(file, format="PNG")
    return file.getvalue()
