"""LSUN as it is published: one LMDB of WebP or JPEG bytes for each category and part."""

import os
from collections.abc import Sequence
from pathlib import Path
from weakref import WeakValueDictionary

import lmdb
import numpy as np
from torch.utils.data import ConcatDataset
from torchvision.datasets.lsun import LSUNClass

from gan_cli.data.images.source import Pictures, Source
from gan_cli.errors import UserError

_open: WeakValueDictionary[tuple[int, int], lmdb.Environment] = WeakValueDictionary()
"""LMDB refuses to open a file twice in one process; who still holds an environment shares it."""


class Category(LSUNClass):
    """torchvision's reader of one LMDB, without its file of keys.

    torchvision pickles the keys into the working folder, under a name made of the letters in the path alone: /data/v1
    and /data/v2 would share it, and a stale one would be believed. Here the LMDB itself gives the keys, into one array.
    """

    def __init__(self, folder: Path):
        super(LSUNClass, self).__init__(folder)
        self.env = environment(folder)
        with self.env.begin(write=False) as transaction:
            self.length = transaction.stat()["entries"]
            width = max((len(key) for key in transaction.cursor().iternext(values=False)), default=1)
            keys = transaction.cursor().iternext(values=False)
            self.keys = np.fromiter(keys, dtype=f"S{width}", count=self.length)

    def name(self, index: int) -> str:
        """What a message calls image ``index``."""
        return f"key {self.keys[index].decode(errors='replace')} of {self.root}"


def environment(folder: Path) -> lmdb.Environment:
    """The LMDB in ``folder``, opened for reading, once in this process.

    Raises:
        UserError: if it is not one, or shorter than it says: reading past its end would kill the process.
    """
    file = folder / "data.mdb"
    status = file.stat()
    key = (status.st_dev, status.st_ino)
    env = _open.get(key)
    if env is None:
        try:
            env = lmdb.open(str(folder), max_readers=1, readonly=True, lock=False, readahead=False, meminit=False)
        except lmdb.Error as error:
            raise UserError(f"{file} is not a readable LMDB: {error}.") from error
        _open[key] = env
    needed = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    if status.st_size < needed:
        raise UserError(f"{file} is truncated: {status.st_size} of {needed} bytes.\nCopy or unpack it again.")
    return env


def lsun_source(root: Path, categories: Sequence[str], part: str) -> Source:
    """``<category>_<part>_lmdb`` of each category; label = category where there are several.

    Raises:
        UserError: if one of them is missing, damaged or empty.
    """
    folders = [root / f"{category}_{part}_lmdb" for category in categories]
    identity = []
    for folder in folders:
        if not (folder / "data.mdb").is_file():
            raise UserError(
                f"No LSUN images in {folder.absolute()}.\ndataset.root=DIR must hold "
                f"{folder.name}/data.mdb, unpacked from the published {folder.name}.zip."
            )
        entries = environment(folder).stat()["entries"]
        if not entries:
            raise UserError(f"{folder.absolute()} holds no images.")
        status = os.stat(folder / "data.mdb")
        identity.append((folder.name, entries, status.st_size, status.st_mtime_ns))

    def opened() -> Pictures:
        sets = [Category(folder) for folder in folders]
        labels = np.repeat(np.arange(len(sets)), [len(images) for images in sets])
        first = np.cumsum([0, *(len(images) for images in sets)])

        def name(index: int) -> str:
            return sets[labels[index]].name(index - first[labels[index]])

        several = len(sets) > 1
        return Pictures(ConcatDataset(sets), name, labels if several else None, len(sets) if several else 0)

    subject = categories[0] if len(categories) == 1 else f"{len(categories)}_categories"
    return Source(f"lsun-{subject}-{part}", identity, 3, opened)
