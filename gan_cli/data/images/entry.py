"""An entry of the image cache on the disk: pixels with a checksum and a hash per image, labels, and metadata.

Checksums are CRC-32; hashes tell which images are equal. The checksums of labels, hashes and checksums are in ``meta.json``,
which holds a SHA-256 of itself.
"""

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypedDict, cast

import numpy as np

from gan_cli.config.form import FormError, require
from gan_cli.data.content import Content, digest
from gan_cli.data.images.arrays import ImageArray, content_of
from gan_cli.data.images.originals import Counts
from gan_cli.data.images.source import ImageCollection
from gan_cli.errors import UserError
from gan_cli.files import read_bytes, read_json

IMAGES, LABELS, CHECKSUMS, HASHES, META = "images.u8", "labels.i64", "checksums.u32", "hashes.u64", "meta.json"
SEAL = "sha256"
"""Key of ``meta.json`` that holds the hash of all other keys."""


class _Meta(TypedDict):
    """The content of ``meta.json``, without its own hash."""

    shape: tuple[int, int, int, int]
    classes: int
    names: list[str]
    skipped: list[str]
    not_chosen: int
    pixels: tuple[int, int]
    originals: Counts
    checksums: int
    hashes: int
    labels: int | None


class Damaged(Exception):
    """An entry is not what was written; the message says what is wrong."""


class ImageFile:
    """A file of images that keeps the checksum and the hash of each.

    Args:
        file: The file, open for writing.

    Attributes:
        checksums: CRC-32 of every image written.
        hashes: Hash of every image written, see :func:`gan_cli.data.content.digest`.
        low: Smallest pixel written.
        high: Largest pixel written.
    """

    def __init__(self, file: BinaryIO):
        self.file, self.checksums, self.hashes = file, list[int](), list[bytes]()
        self.low, self.high = 255, 0

    def write(self, image: np.ndarray) -> None:
        """Append one image, uint8."""
        content = image.tobytes()
        self.file.write(content)
        self.checksums.append(zlib.crc32(content))
        self.hashes.append(digest(content))
        self.low, self.high = min(self.low, int(image.min())), max(self.high, int(image.max()))


@dataclass(frozen=True)
class Entry:
    """An opened entry, whose metadata and labels are right; its images are checked when they are read.

    Attributes:
        images: uint8 ``[N, C, H, W]``, memory-mapped.
        checksums: CRC-32 of each image, ``[N]``.
        hashes: Hash of each image, uint64 ``[N]``.
        labels: int64 ``[N]``, or None.
        classes: Number of labels; 0 without labels.
        names: Names of the classes; empty if they have none.
        skipped: Names of the images that could not be decoded.
        not_chosen: Number of images beyond the largest number that was asked for.
        pixels: Smallest and largest pixel.
        originals: Counts of the images before their transform.
    """

    images: np.ndarray
    checksums: np.ndarray
    hashes: np.ndarray
    labels: np.ndarray | None
    classes: int
    names: tuple[str, ...]
    skipped: tuple[str, ...]
    not_chosen: int
    pixels: tuple[int, int]
    originals: Counts

    def verify(self) -> None:
        """Check all images.

        Raises:
            Damaged: If one of them is not what was written.
        """
        for index, image in enumerate(self.images):
            if zlib.crc32(image) != self.checksums[index]:
                raise Damaged(f"the checksum of image {index} does not match")


def write_meta(
    folder: Path,
    shape: Sequence[int],
    file: ImageFile,
    pictures: ImageCollection,
    kept: Sequence[int],
    skipped: Sequence[str],
    originals: Counts,
) -> None:
    """Write everything but the images of an entry to ``folder``.

    Args:
        folder: Folder of the entry.
        shape: Shape of all images.
        file: The file that the images were written to.
        pictures: Images before their transform.
        kept: Indices of those that were written.
        skipped: Names of those that could not be decoded.
        originals: Counts of those that were written.
    """
    labels = None if pictures.labels is None else pictures.labels[kept]
    sums, hashes = np.array(file.checksums, "<u4").tobytes(), b"".join(file.hashes)
    (folder / CHECKSUMS).write_bytes(sums)
    (folder / HASHES).write_bytes(hashes)
    content = None if labels is None else labels.astype("<i8").tobytes()
    if content is not None:
        (folder / LABELS).write_bytes(content)
    not_chosen = len(pictures) - len(kept) - len(skipped)
    meta: dict[str, Any] = {"shape": list(shape), "classes": pictures.classes, "names": list(pictures.class_names)}
    meta |= {"skipped": list(skipped), "not_chosen": not_chosen}
    meta |= {"pixels": [file.low, file.high], "originals": originals}
    meta |= {"checksums": zlib.crc32(sums), "hashes": zlib.crc32(hashes)}
    meta |= {"labels": None if content is None else zlib.crc32(content)}
    (folder / META).write_text(json.dumps({**meta, SEAL: _seal(meta)}), encoding="utf-8")


def read_entry(folder: Path, shape: tuple[int, ...]) -> Entry:
    """Open an entry and map its images.

    Args:
        folder: Folder of the entry.
        shape: Shape of one image.

    Raises:
        Damaged: If a file is missing, has another size or another checksum than was written, or does not fit ``shape``.
    """
    try:
        meta = _checked_meta(read_json(folder / META), shape)
        n = meta["shape"][0]
        checksums = np.frombuffer(_content(folder / CHECKSUMS, 4 * n, meta["checksums"]), "<u4")
        hashes = np.frombuffer(_content(folder / HASHES, 8 * n, meta["hashes"]), "<u8")
        labels = None
        if meta["labels"] is not None:
            labels = np.frombuffer(_content(folder / LABELS, 8 * n, meta["labels"]), "<i8").astype(np.int64)
            if labels.min() < 0 or labels.max() >= meta["classes"]:
                raise Damaged(f"{LABELS} holds labels that are no classes")
        if (folder / IMAGES).stat().st_size != np.prod(meta["shape"]):
            raise Damaged(f"the size of {IMAGES} does not match {META}")
        images = np.memmap(folder / IMAGES, np.uint8, "r", shape=tuple(meta["shape"]))
    except OSError as error:
        raise Damaged(f"{Path(str(error.filename)).name}: {error.strerror}") from error
    except UserError as error:
        raise Damaged(str(error)) from error
    low, high = meta["pixels"]
    return Entry(
        images,
        checksums,
        hashes,
        labels,
        meta["classes"],
        tuple(meta["names"]),
        tuple(meta["skipped"]),
        meta["not_chosen"],
        (low, high),
        meta["originals"],
    )


def _content(path: Path, size: int, checksum: int) -> bytes:
    if path.stat().st_size != size or zlib.crc32(content := read_bytes(path, size)) != checksum:
        raise Damaged(f"the checksum of {path.name} does not match")
    return content


def _checked_meta(meta: Any, shape: tuple[int, ...]) -> "_Meta":
    if not isinstance(meta, dict) or meta.pop(SEAL, None) != _seal(meta):
        raise Damaged(f"the checksum of {META} does not match")
    try:
        require(meta, _Meta)
    except FormError as error:
        raise Damaged(f"{META}: {error}") from error
    n, *rest = meta["shape"]
    if n < 1 or tuple(rest) != shape or meta["classes"] < 0 or (meta["names"] and len(meta["names"]) != meta["classes"]):
        raise Damaged(f"{META} does not describe these images")
    return cast("_Meta", meta)


def _seal(meta: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(meta, sort_keys=True).encode()).hexdigest()


class CachedImages(ImageArray):
    """The images of an entry. Each is compared with its checksum when it is read for the first time.

    Args:
        entry: The entry.
        decoded_again: Function that decodes the images again, if they are damaged on the disk, and returns the new entry.
        origins: Facts about the images before their transform; None if nothing is known.
    """

    def __init__(self, entry: Entry, decoded_again: Callable[[], Entry], origins: Mapping[str, Any] | None = None):
        super().__init__(entry.images, entry.labels, entry.classes, entry.names, origins)
        self.checksums, self.hashes, self.limits = entry.checksums, entry.hashes, entry.pixels
        self.decoded_again = decoded_again
        self.unread = np.ones(len(entry.images), bool)

    def content(self) -> Content:
        """Return hashes and range as they were when the images were decoded."""
        return content_of(self.hashes, *self.limits, self.labels)

    def pixels(self, indices: np.ndarray) -> np.ndarray:
        for _ in range(2):
            pixels = super().pixels(indices)
            new = np.flatnonzero(self.unread[indices])
            if all(zlib.crc32(pixels[position]) == self.checksums[indices[position]] for position in new):
                self.unread[indices[new]] = False
                return pixels
            self._decode_again()
        raise UserError("Images that were just decoded read differently: the memory or the disk of this machine is faulty.")

    def _decode_again(self) -> None:
        entry = self.decoded_again()
        if len(entry.images) != len(self):
            raise UserError("The decoded images were damaged, and other images than before can be decoded now.\nStart again.")
        self.images, self.labels, self.checksums = entry.images, entry.labels, entry.checksums
        self.unread[:] = True
