"""Images before they are decoded: what identifies them, and how one of them is read."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gan_cli.errors import UserError

Listing = list[tuple[str, int, int]]
"""(path relative to the folder, with slashes; bytes; modification time in ns) of each file, sorted by path."""


class CorruptImage(UserError):
    """One image that could not be decoded; ``name`` says which."""

    def __init__(self, name: str, reason: object):
        super().__init__(
            f"Cannot decode {name}: {reason}.\nReplace or remove it; dataset.skip_corrupt=true leaves out all such images."
        )
        self.name = name


@dataclass(frozen=True)
class Pictures:
    """An opened set. ``items[i]`` is (PIL image, anything), decoded on access, from any thread.

    ``labels``: int64 ``[len(items)]`` or None. ``name(i)``: what a message calls image i.
    """

    items: Any
    name: Callable[[int], str]
    labels: np.ndarray | None = None
    classes: int = 0

    def __len__(self) -> int:
        return len(self.items)

    def array(self, index: int, transform: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
        """What ``transform`` makes of image ``index``: uint8 ``[C, H, W]``.

        Raises:
            CorruptImage: if it cannot be decoded, whatever the decoder made of it.
        """
        try:
            return transform(self.items[index][0])
        except Exception as error:
            raise CorruptImage(self.name(index), str(error) or type(error).__name__) from error


@dataclass(frozen=True)
class Source:
    """One part of a published set, not opened yet.

    ``name``: what folders and messages call it. ``identity``: what changes when the content does, as plain JSON data.
    ``channels``: 1 or 3, what the images themselves have. ``open``: reads what is needed to get at the images; dear for
    some sets, so done only when something must be decoded.
    """

    name: str
    identity: Sequence[Any]
    channels: int
    open: Callable[[], Pictures]


def listing(folder: Path, suffixes: tuple[str, ...] = ("",)) -> Listing:
    """Every file below ``folder`` whose lower-case name ends in one of ``suffixes``, without hidden files and folders.

    A link that leads nowhere is listed with size −1, so that it is reported as an image that cannot be read. Links to
    folders are followed; each folder is entered once.

    Raises:
        UserError: if a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise UserError(f"Cannot read {error.filename}: {error.strerror}.") from error

    files, seen = [], set()
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        status = os.stat(parent)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if not name.startswith(".") and name.lower().endswith(suffixes):
                path = os.path.join(parent, name)
                try:
                    status = os.stat(path)
                    size, modified = status.st_size, status.st_mtime_ns
                except FileNotFoundError:
                    size, modified = -1, 0
                files.append((Path(path).relative_to(folder).as_posix(), size, modified))
    return sorted(files)
