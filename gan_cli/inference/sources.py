"""Images of the user's own that a translator translates: cropped to the size of the training, or whole."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from omegaconf import DictConfig, OmegaConf
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

from gan_cli.data.images.arrays import to_float
from gan_cli.data.images.folder import native_images
from gan_cli.data.images.transform import Transform, as_mode
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.games.sampling import Readable, generate
from gan_cli.models.translators import Translator


class Sources(Readable):
    """The first ``n`` images of a folder by name; as conditions of samples ``[n, *source]`` they are cropped and resized.

    Args:
        folder: The folder.
        n: Number of images; None for all.
        source: Shape of one source.
        config: Config of the run, whose ``dataset.range`` applies to pixels with more than 8 bits.

    Attributes:
        names: Paths relative to the folder without their suffixes. Of files that only their suffixes tell apart, the suffixes
            are kept.
        files: The files themselves.

    Raises:
        UserError: If the folder holds no image that can be decoded.
    """

    def __init__(self, folder: Path, n: int | None, source: tuple[int, ...], config: DictConfig) -> None:
        channels, side, _ = source
        given = OmegaConf.select(config, "dataset.range")
        limits = None if given is None else tuple(given)
        self.pictures = native_images(folder, known_range=limits is not None)
        self.transform = Transform(side, channels, range=limits)
        self.as_a_whole = partial(_whole, channels=channels, limits=limits)
        n = min(len(self.pictures), len(self.pictures) if n is None else n)
        super().__init__(n, lambda indices: to_float(np.stack([self.pictures.array(i, self.transform) for i in indices])))
        files = [Path(self.pictures.name(index)) for index in range(n)]
        self.files = frozenset(file.resolve() for file in files)
        paths = [PurePosixPath(file.relative_to(folder).as_posix()) for file in files]
        times = Counter(str(path.with_suffix("")).casefold() for path in paths)
        self.names = [str(p) if times[str(p.with_suffix("")).casefold()] > 1 else str(p.with_suffix("")) for p in paths]

    def whole(self, index: int) -> Tensor:
        """Return one source at its own size, ``[channels, H, W]`` in [-1, 1]."""
        return to_float(self.pictures.array(index, self.as_a_whole))


def _whole(image: Image.Image, channels: int, limits: tuple[float, float] | None) -> np.ndarray:
    ImageOps.exif_transpose(image, in_place=True)
    pixels = np.asarray(as_mode(image, "L" if channels == 1 else "RGB", limits))
    return np.array(pixels[None] if channels == 1 else pixels.transpose(2, 0, 1))  # a copy of its own, which torch may hold


def translate_whole(game: Game, sources: Sources, seed: int) -> Iterator[Tensor]:
    """Yield the translation of each source at its own size, ``[1, C, H, W]``.

    The edges are continued by reflection up to the next size that the network divides evenly, and cut off again.

    Args:
        game: A game that translates.
        sources: The sources.
        seed: Seed of the translator's noise, the same for each image.

    Raises:
        UserError: If the network translates images of one size only.
    """
    network = getattr(game, "generator", None)
    multiple = network.multiple if isinstance(network, Translator) else None
    if multiple is None:
        raise UserError("fit=whole: this run's translator takes images of one size only. Leave it out, and images are cropped.")
    for index in range(len(sources)):
        source = sources.whole(index)
        height, width = source.shape[-2:]
        yield generate(game, 1, seed, _padded(source[None], multiple))[..., :height, :width]


def _padded(images: Tensor, multiple: int) -> Tensor:
    """Return images ``[B, C, H, W]`` with sides that are multiples of ``multiple``, continued below and on the right."""
    height, width = images.shape[-2:]
    below, right = -height % multiple, -width % multiple
    reflects = below < height and right < width
    return functional.pad(images, (0, right, 0, below), mode="reflect" if reflects else "replicate")
