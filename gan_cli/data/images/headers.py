"""Headers of image files: their pixel formats, their frames, and the range of pixels with more than 8 bits."""

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from gan_cli import files
from gan_cli.config.form import FormError, require
from gan_cli.data.base import evenly_spaced
from gan_cli.data.images.decoding import processors
from gan_cli.data.images.listing import Listing
from gan_cli.errors import UserError

FORMAT = 1
"""Version of the stored form, a part of every key."""
STORED = 1_000
"""Number of images from which on their headers are stored in the cache."""
LOOKED_AT = 64
"""Number of images of a kind that are decoded to see the range of their pixels."""
SIXTEEN, INTEGER, FLOAT, COLOUR = "16-bit", "32-bit", "floating-point", "16-bit colour"
"""Kinds of pixels with more than 8 bits. Of 16-bit colour, Pillow keeps the upper 8 bits alone."""
HALF = {SIXTEEN: 2**15, COLOUR: 2**7}
"""Maximum below which pixels do not use the whole range of their kind; the range of the other kinds is never known."""


@dataclass(frozen=True)
class PixelRange:
    """Range of the pixels of one kind.

    Attributes:
        images: Number of images of this kind.
        looked_at: Number of those that were decoded.
        low: Smallest pixel of these.
        high: Largest pixel of these.
    """

    images: int
    looked_at: int
    low: float
    high: float


@dataclass(frozen=True)
class Headers:
    """Facts from the headers of a set of images.

    Attributes:
        modes: Number of images of each pixel format, by PIL's name (RGB, L, I;16, ...); unreadable images are not counted.
        frames: Number of frames beyond the first one of each file, which are not read.
        ranges: Range of the pixels of each kind with more than 8 bits.
    """

    modes: Mapping[str, int]
    frames: int
    ranges: Mapping[str, PixelRange]

    def refuse_unknown_range(self, folder: Path, advice: str) -> None:
        """Refuse pixels for which black and white are not known: they would turn black, or black and white.

        Args:
            folder: Folder of the images, for the message.
            advice: What to do about it; ``{range}`` stands for a range that fits.

        Raises:
            UserError: If there are floating-point or 32-bit pixels, or 16-bit ones in the lower half of their range.
        """
        for kind, seen in self.ranges.items():
            if seen.high >= HALF.get(kind, np.inf):
                continue
            some = "" if seen.looked_at == seen.images else f", {seen.looked_at} of them looked at"
            what = f"{kind} pixels from {seen.low:g} to {seen.high:g} in {folder.absolute()} ({seen.images} files{some})"
            if kind == COLOUR:
                raise UserError(
                    f"{what}: of the upper 8 bits, which alone are read, only the lower half is used.\nConvert them to 8 bits."
                )
            raise UserError(f"{what}: which of them are black and white is not known.\n{advice.format(range=_guess(seen))}")


class _Header(NamedTuple):
    mode: str
    frames: int
    kind: str | None


def read_headers(paths: Sequence[Path], listed: Listing, cache: Path | None) -> Headers:
    """Read the headers of all images, or take them from the cache if they were stored there.

    Args:
        paths: The images.
        listed: The same files with sizes and times; together they are the key in the cache.
        cache: Folder of the cache; None reads them in any case.
    """
    if cache is None or len(paths) < STORED:
        return _read(paths)
    key = hashlib.sha256(json.dumps([FORMAT, listed]).encode()).hexdigest()[:20]
    file = cache / f"headers-{key}.json"
    with suppress(OSError, UserError, FormError):
        return _from_json(files.read_json(file))
    headers = _read(paths)
    with suppress(OSError):  # they are read again the next time
        cache.mkdir(parents=True, exist_ok=True)
        files.write_json(file, asdict(headers))
    return headers


def _from_json(stored: Any) -> Headers:
    require(stored, Headers)
    return Headers(**{**stored, "ranges": {kind: PixelRange(**seen) for kind, seen in stored["ranges"].items()}})


def _read(paths: Sequence[Path]) -> Headers:
    if len(paths) >= STORED:
        print(f"Reading the headers of {len(paths)} images.", file=sys.stderr)
    with ThreadPoolExecutor(4 * processors()) as pool:  # they wait for the disk most of the time
        found = list(pool.map(_header, paths))
    headers = [header for header in found if header is not None]
    kinds = sorted({header.kind for header in headers if header.kind})
    having = {kind: [path for path, one in zip(paths, found, strict=True) if one and one.kind == kind] for kind in kinds}
    ranges = {kind: _observed(some) for kind, some in having.items()}
    return Headers(
        modes=dict(Counter(header.mode for header in headers).most_common()),
        frames=sum(header.frames for header in headers),
        ranges={kind: seen for kind, seen in ranges.items() if seen},
    )


def _header(path: Path) -> _Header | None:
    try:
        with Image.open(path) as image:
            frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # a camera's MPO repeats its first frame
            return _Header(image.mode, frames - 1, _kind(image))
    except Exception:
        return None  # the decoder reports corrupt images


def _kind(image: Image.Image) -> str | None:
    """Return the kind of an opened image's pixels if they have more than 8 bits and Pillow has not scaled them to 16."""
    if image.mode == "F":
        return FLOAT
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return SIXTEEN
    if image.mode == "I":
        return None if image.format == "PPM" else INTEGER
    deep = image.format in ("PNG", "TIFF") and any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    return COLOUR if deep else None


def _observed(paths: Sequence[Path]) -> PixelRange | None:
    """Return the range of the finite pixels of some of these images; None if none can be decoded."""
    ranges = []
    for index in evenly_spaced(len(paths), LOOKED_AT).tolist():
        with suppress(Exception), Image.open(paths[index]) as image:
            pixels = np.asarray(image)
            pixels = pixels[np.isfinite(pixels)]
            ranges.append((float(pixels.min()), float(pixels.max())))
    if not ranges:
        return None
    low, high = zip(*ranges, strict=True)
    return PixelRange(len(paths), len(ranges), min(low), max(high))


def _guess(seen: PixelRange) -> str:
    """Return a usual range that holds the pixels: from 0 to 1, 255 or one below a power of two, or else the observed one."""
    usual = next((most for most in (1, 2**8 - 1, *(2**bits - 1 for bits in range(9, 33))) if seen.high <= most), seen.high)
    low, high = (0, usual) if seen.low >= 0 else (seen.low, seen.high)
    return f"[{low:.9g},{high:.9g}]"
