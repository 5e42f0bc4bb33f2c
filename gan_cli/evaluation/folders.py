"""Two folders of images as the two sides of a metric."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.base import Data, Dataset, generator
from gan_cli.data.decoding import processors
from gan_cli.data.folder import native, native_images
from gan_cli.data.pictures import CorruptImage
from gan_cli.errors import UserError
from gan_cli.measuring import Floor, content_hash, joined
from gan_cli.metrics.base import Metric
from gan_cli.metrics.features import Encoded, Features
from gan_cli.metrics.statistics import encoded
from gan_cli.types import Batch

CHUNK = 250
"""Images that are decoded and encoded at a time."""


class _Unlabelled(Dataset):
    """Images of one shape, without labels: all that a metric may learn of a folder before it measures."""

    def __init__(self, images: Sequence[Tensor]):
        self.images, self.shape, self.classes = images, tuple(images[0].shape) if images else (3, 1, 1), 0

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Tensor) -> Batch:
        """The images at ``indices``, float32 in [-1, 1]."""
        return Batch(torch.stack([self.images[index] for index in indices.tolist()]).float() / 127.5 - 1)


class Folders:
    """A metric between the images of ``real`` and of ``fake``: ``n`` of either, drawn with ``seed``, or all.

    Raises UserError for a folder that is not there or holds no image, for an image that cannot be decoded, and for a metric
    that needs more than images.
    """

    def __init__(self, metric: Metric, real: Path, fake: Path, n: int | None, seed: int, device: torch.device):
        self.seed = seed
        real_images, fake_images = decoded(real, seed), decoded(fake, seed)
        spare = [] if n is None else real_images[n : 2 * n]
        real_images, fake_images = real_images[:n], fake_images[:n]
        if metric.equal_sizes:
            count = min(len(real_images), len(fake_images))
            real_images, fake_images = real_images[:count], fake_images[:count]
        if min(len(real_images), len(fake_images)) < 2:
            raise UserError(
                f"{metric.name} needs at least 2 images of either kind: {len(real_images)} real, {len(fake_images)} generated."
            )
        self.images = real_images, fake_images, spare
        self.metric = metric.fitted(Data(_Unlabelled(real_images), _Unlabelled([])), device)

    @property
    def n_images(self) -> int:
        """Images that will be encoded."""
        return sum(map(len, self.images))

    def encode(self, advance: Callable[[int], None]) -> tuple[Encoded, Encoded]:
        """The real and the generated images with their features."""
        real, fake, _ = self.images
        return encode(real, self.metric.features, True, advance), encode(fake, self.metric.features, False, advance)

    def floor(self, real: Encoded, advance: Callable[[int], None]) -> Floor:
        """The metric between real images and other real ones, at the same counts if there are enough, else between halves."""
        spare = self.images[2]
        if len(spare) == len(real):
            others, n = encode(spare, self.metric.features, True, advance), len(real)
        else:
            advance(len(spare))
            n = len(real) // 2
            real, others = real.part(slice(0, n)), real.part(slice(n, 2 * n))
        try:
            return Floor({name: value.value for name, value in self.metric.measure(real, others).items()}, n)
        except UserError:
            return Floor({}, n)  # half of the images are too few for this metric

    def provenance(self) -> dict[str, Any]:
        """All that decides the numbers beside the generated images, as plain data."""
        real, fake, _ = self.images
        return {
            "metric": self.metric.name,
            "settings": self.metric.settings(),
            "features": self.metric.features.provenance,
            "n_real": len(real),
            "n_fake": len(fake),
            "split": "folder",
            "ema": False,
            "reference": hashlib.sha256("".join(map(content_hash, real)).encode()).hexdigest()[:12],
            "seed": self.seed,
        }


def decoded(folder: Path, seed: int) -> list[Tensor]:
    """The images of a folder, uint8 ``[3, H, W]`` at their own sizes, in an order drawn with ``seed``."""
    pictures = native_images(folder)

    def image(index: int) -> Tensor:
        try:
            return torch.from_numpy(np.asarray(pictures.array(index, native)))
        except CorruptImage as error:
            raise UserError(f"Cannot decode {error.name}: replace or remove it.") from error

    with ThreadPoolExecutor(processors()) as pool:
        return list(pool.map(image, torch.randperm(len(pictures), generator=generator("folder", seed)).tolist()))


def encode(images: list[Tensor], features: Features, remember: bool, advance: Callable[[int], None]) -> Encoded:
    """The images with their features; ``remember``: on the disk too, which takes images of one size.

    Where the sizes differ, ``x`` of the result is empty: only their features can be compared.
    """
    if remember and len({image.shape for image in images}) == 1:
        advance(len(images))
        return encoded(features, torch.stack(images))
    parts = []
    for _, group in groupby(images, lambda image: image.shape):
        same = list(group)
        for start in range(0, len(same), CHUNK):
            parts.append(features.encode(torch.stack(same[start : start + CHUNK])))
            advance(len(parts[-1]))
    if len({part.features.shape[1] for part in parts}) > 1:
        raise UserError(
            f"features={features.name} needs images of one size, and these differ.\nChoose features that resize them."
        )
    if len({part.x.shape[1:] for part in parts}) > 1:
        parts = [Encoded(torch.empty(len(part), 0), part.features, part.logits) for part in parts]
    return joined(parts)
