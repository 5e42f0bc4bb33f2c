"""LSUN in its published form: one LMDB of WebP or JPEG images for each category and part."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakValueDictionary

import lmdb
import numpy as np
from PIL import Image
from torch.utils.data import ConcatDataset
from torchvision.datasets.lsun import LSUNClass

from gan_cli.data.images.source import ImageCollection, Source
from gan_cli.errors import UnreadableData, UserError


class Database:
    """An LMDB that is open for reading.

    Args:
        folder: Folder that holds ``data.mdb``.

    Raises:
        UserError: If it is no LMDB, or if the file is shorter than its header says, since reading past its end would kill the
            process.
    """

    def __init__(self, folder: Path):
        self.file = folder / "data.mdb"
        with reading(folder):
            self.env = lmdb.open(str(folder), max_readers=1, readonly=True, lock=False, readahead=False, meminit=False)
            self.needed = (self.env.info()["last_pgno"] + 1) * self.env.stat()["psize"]
        self.require_whole()

    def require_whole(self) -> None:
        """Check that the file is as long as its header said when it was opened.

        Raises:
            UnreadableData: If it is shorter.
        """
        size = self.file.stat().st_size
        if size < self.needed:
            raise UnreadableData(f"{self.file} is truncated: {size} of {self.needed} bytes.", "Copy or unpack it again.")


_databases: WeakValueDictionary[tuple[int, int], Database] = WeakValueDictionary()
"""Open databases by device and inode: LMDB refuses to open a file twice in one process, so users share it."""


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Turn LMDB's exceptions about the database in ``folder`` into a UserError."""
    try:
        yield
    except lmdb.Error as error:
        raise UnreadableData(f"{folder / 'data.mdb'} is not a readable LMDB: {error}.", "Copy or unpack it again.") from error


def database(folder: Path) -> Database:
    """Return the LMDB in ``folder``, opened for reading, once per process.

    Raises:
        UserError: If it is no LMDB, or a truncated one.
    """
    status = (folder / "data.mdb").stat()
    key = (status.st_dev, status.st_ino)
    opened = _databases.get(key)
    if opened is None:
        opened = _databases[key] = Database(folder)
    opened.require_whole()
    return opened


class Category(LSUNClass):  # type: ignore[misc]  # torchvision's datasets have no types
    """torchvision's reader of one LMDB, without its cache file of keys.

    torchvision pickles the keys into the working directory, under a name made of only the letters of the path: /data/v1 and
    /data/v2 would share a file, and an outdated one would be used. This class reads the keys from the LMDB into one array.
    """

    def __init__(self, folder: Path):
        super(LSUNClass, self).__init__(folder)
        self.database = database(folder)
        self.env = self.database.env
        with reading(folder), self.env.begin(write=False) as transaction:
            self.length = transaction.stat()["entries"]
            width = max((len(key) for key in transaction.cursor().iternext(values=False)), default=1)
            keys = transaction.cursor().iternext(values=False)
            self.keys = np.fromiter(keys, dtype=f"S{width}", count=self.length)

    def __getitem__(self, index: int) -> tuple[Image.Image, None]:
        self.database.require_whole()  # takes microseconds, an image milliseconds
        return super().__getitem__(index)

    def name(self, index: int) -> str:
        """Return the name of image ``index`` in messages."""
        return f"key {self.keys[index].decode(errors='replace')} of {self.root}"


def lsun_source(root: Path, categories: Sequence[str], part: str) -> Source:
    """Return the images of ``<category>_<part>_lmdb`` of each category; the category is the label if there are several.

    Args:
        root: Folder of the LMDBs.
        categories: Names of the categories.
        part: ``train`` or ``val``.

    Raises:
        UserError: If an LMDB is missing, damaged or empty.
    """
    folders = [root / f"{category}_{part}_lmdb" for category in categories]
    identity = []
    for folder in folders:
        if not (folder / "data.mdb").is_file():
            raise UserError(
                f"No LSUN images in {folder.absolute()}.\ndataset.root=DIR must hold "
                f"{folder.name}/data.mdb, unpacked from the published {folder.name}.zip."
            )
        published = database(folder)
        with reading(folder):
            entries = published.env.stat()["entries"]
        if not entries:
            raise UserError(f"{folder.absolute()} has no images.")
        status = os.stat(folder / "data.mdb")
        identity.append((folder.name, entries, status.st_size, status.st_mtime_ns))

    def opened() -> ImageCollection:
        sets = [Category(folder) for folder in folders]
        labels = np.repeat(np.arange(len(sets)), [len(images) for images in sets])
        first = np.cumsum([0, *(len(images) for images in sets)])

        def name(index: int) -> str:
            return str(sets[labels[index]].name(index - first[labels[index]]))

        several = len(sets) > 1
        return ImageCollection(
            ConcatDataset(sets), name, labels if several else None, len(sets) if several else 0, categories if several else ()
        )

    name_of_source = categories[0] if len(categories) == 1 else f"{len(categories)}_categories"
    return Source(f"lsun-{name_of_source}-{part}", identity, 3, opened)
