"""Metrics between two folders of images."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_cli.data.base import Data, Dataset, seeded_generator
from gan_cli.data.images.arrays import to_float
from gan_cli.data.images.decoding import processors
from gan_cli.data.images.folder import native, native_images
from gan_cli.data.images.listing import is_output
from gan_cli.data.images.source import CorruptImage
from gan_cli.data.images.transform import Transform
from gan_cli.errors import UserError
from gan_cli.evaluation.copies import warnings_of_copies
from gan_cli.evaluation.floors import Floor, measure_floor
from gan_cli.evaluation.sizes import sizes_of, warnings
from gan_cli.metrics.base import Metric
from gan_cli.metrics.features.base import Encoded, Features, concatenate
from gan_cli.metrics.features.cache import content_key, encode_cached
from gan_cli.types import Batch

Advance = Callable[[int], None]
Encoder = Callable[[Features, Tensor], Encoded]
CHUNK = 250
"""Number of images that are decoded and encoded at a time."""


class _UnlabelledImages(Dataset):
    """The first ``n`` images of a folder as a data set without labels, for metrics that look at it before they measure."""

    def __init__(self, images: "ShuffledImages", n: int):
        self.images, self.shape, self.n, self.classes = images, tuple(images.image(0).shape), n, 0

    def __len__(self) -> int:
        return self.n

    def batch(self, indices: Tensor) -> Batch:
        """Return images of one size, for metrics that look at one before they measure."""
        return Batch(to_float(np.stack([self.images.image(index).numpy() for index in indices.tolist()])))


def _left_out(inner: Path, outer: Path) -> bool:
    """Return whether the images of ``inner`` lie in outputs of gan-cli, which are not read as images of ``outer``."""
    between = [inner, *inner.parents]
    return any(map(is_output, between[: between.index(outer)]))


def _refuse_nested(real: Path, fake: Path) -> None:
    for inner, outer in ((fake, real), (real, fake)):
        if inner.is_dir() and outer.resolve() in inner.resolve().parents and not _left_out(inner.resolve(), outer.resolve()):
            raise UserError(
                f"{inner} lies in {outer}, all of whose images are read: move one of the two folders out of the other."
            )


class FolderComparison:
    """A metric between the images of two folders.

    Args:
        metric: The metric.
        real: Folder of the real images.
        fake: Folder of the generated images.
        n: Number of images of either folder. None: all.
        n_fake: Number of generated images. None: as ``n`` says.
        seed: Decides which images are drawn.
        device: Device of the features.
        size: Side to which real images are brought, as a data set does it. None: they are measured as they are.
        fit: ``crop`` or ``pad``, see ``Transform``. None: ``crop``.

    Attributes:
        warnings: Differences of size and colour between both folders, and, once measured, images that both of them hold.

    Raises:
        UserError: If a folder does not exist or holds no image, one lies in the other, an image cannot be decoded, the metric
            measures nothing or needs more than images, or ``fit`` is given without ``size``.
    """

    def __init__(
        self,
        metric: Metric,
        real: Path,
        fake: Path,
        n: int | None,
        seed: int,
        device: torch.device,
        size: int | None = None,
        fit: str | None = None,
        n_fake: int | None = None,
    ):
        if metric.n_samples == 0:
            raise UserError("metric=none measures nothing: name another one, as in gan-eval real=DIR fake=DIR metric=frechet.")
        _refuse_nested(real, fake)
        if size is None and fit is not None:
            raise UserError(f"fit={fit} needs size=PIXELS, the side that the real images are brought to.")
        transform = None if size is None else Transform(size, 3, fit or "crop")
        self.seed, self.metric, self.preprocessing = seed, metric, {"size": size, "fit": transform and transform.fit}
        self.real, self.fake = ShuffledImages(real, seed, transform or native), ShuffledImages(fake, seed)
        self.warnings = warnings(sizes_of(self.real.paths, transform), sizes_of(self.fake.paths), fake)
        wanted = (self.real, n), (self.fake, n if n_fake is None else n_fake)
        n_real, n_fake = (len(side) if most is None else min(most, len(side)) for side, most in wanted)
        if metric.equal_sizes:
            n_real = n_fake = min(n_real, n_fake)
        if need := metric.shortage(min(n_real, n_fake)):
            raise UserError(
                f"{metric.name} {need.replace('samples', 'images of either kind')}: {n_real} real, {n_fake} generated."
            )
        self.n_real, self.n_fake = n_real, n_fake
        # the floor compares real images with other real ones: further ones, or else a part of these, whichever is more
        unused = len(self.real) - n_real
        self.n_extra = min(n_fake, unused) if unused >= max(2, min(n_fake, n_real // 2)) else 0
        data = Data(_UnlabelledImages(self.real, n_real), _UnlabelledImages(self.real, 0))
        self.metric = replace(metric, n_samples=min(n_real, n_fake)).fitted(data, device)

    @property
    def n_images(self) -> int:
        """Number of images to encode."""
        return self.n_real + self.n_extra + self.n_fake

    def measure(self, advance: Advance) -> tuple[Encoded, Encoded, Floor]:
        """Encode all images and measure the floor.

        The floor uses as many images as the metric if there are enough real ones, else fewer: ``floor_against`` is their
        number.

        Args:
            advance: Called with the number of images that have just been encoded.

        Returns:
            The real images, the generated images, and the floor.
        """
        every, real_keys = self.encode(self.real, self.n_real + self.n_extra, encode_cached, advance)
        fake, fake_keys = self.encode(self.fake, self.n_fake, lambda features, x: features.encode(x), advance)
        self.reference = content_key(sorted(real_keys))[:12]  # does not depend on the order
        self.warnings += warnings_of_copies(real_keys, fake_keys)
        real = every.subset(slice(0, self.n_real))
        self.floor_against = self.n_extra or min(self.n_fake, self.n_real // 2)
        kept = self.n_real if self.n_extra else self.n_real - self.floor_against
        if self.metric.equal_sizes:
            kept = self.floor_against = min(kept, self.floor_against)
        others = every.subset(slice(len(every) - self.floor_against, None))
        # the remaining images may be too few for this metric
        return real, fake, measure_floor(self.metric, every.subset(slice(0, kept)), others, partial=True)

    def encode(self, images: "ShuffledImages", n: int, how: Encoder, advance: Advance) -> tuple[Encoded, list[str]]:
        """Decode and encode the first ``n`` images in chunks.

        Only the features are kept if the images differ in size, or if the metric does not need the images themselves.

        Returns:
            The encoded images, and a hash of each, in no particular order.

        Raises:
            UserError: If the features need images of one size and these differ.
        """
        features, parts, keys = self.metric.features, [], []
        for chunk in images.chunks(n):
            for _, group in groupby(chunk, lambda image: image.shape):
                x = torch.stack(list(group))
                parts.append(how(features, x) if self.metric.needs_samples else how(features, x).without_samples())
                keys += [content_key("image", image) for image in x]
            advance(len(chunk))
        if len({part.features.shape[1] for part in parts}) > 1:
            raise UserError(
                f"features={features.name} needs images of one size, and these differ.\nChoose features that resize them."
            )
        alike = len({part.x.shape[1:] for part in parts}) == 1
        return concatenate(parts if alike else [part.without_samples() for part in parts]), keys

    def provenance(self) -> dict[str, Any]:
        """Return everything that the numbers depend on besides the generated images, as plain data."""
        return {
            "metric": self.metric.name,
            "settings": self.metric.settings(),
            "features": self.metric.features.provenance,
            "n_real": self.n_real,
            "n_fake": self.n_fake,
            "split": "folder",
            "ema": None,
            "reference": self.reference,
            "seed": self.seed,
            "preprocessing": self.preprocessing,
        }


class ShuffledImages:
    """The images of a folder in a random order decided by ``seed``, decoded on access.

    Args:
        folder: The folder.
        seed: Seed of the order.
        transform: Applied to each image; its result is uint8 ``[3, H, W]``.
    """

    def __init__(self, folder: Path, seed: int, transform: Callable[[Image.Image], np.ndarray] = native) -> None:
        self.pictures, self.transform = native_images(folder), transform
        self.order = torch.randperm(len(self.pictures), generator=seeded_generator("folder", seed)).tolist()

    def __len__(self) -> int:
        return len(self.order)

    @property
    def paths(self) -> list[Path]:
        """Files of the images, sorted by name."""
        return [Path(self.pictures.name(index)) for index in range(len(self.pictures))]

    def image(self, index: int) -> Tensor:
        """Return an image as uint8 ``[3, H, W]``.

        Raises:
            UserError: If it cannot be decoded.
        """
        try:
            return torch.from_numpy(np.asarray(self.pictures.array(self.order[index], self.transform)))
        except CorruptImage as error:
            raise UserError(f"Cannot decode {error.name}: replace or remove it.") from error

    def chunks(self, n: int) -> Iterator[list[Tensor]]:
        """Yield the first ``n`` images, ``CHUNK`` at a time."""
        with ThreadPoolExecutor(processors()) as pool:
            for start in range(0, n, CHUNK):
                yield list(pool.map(self.image, range(start, min(start + CHUNK, n))))
