"""Script that makes the bundled part of Fashion-MNIST from the published IDX files of the full set.

``python tests/support/make_fashion_mnist_mini.py FOLDER`` writes ``gan_cli/data/images/fashion_mnist_mini.npy.xz``: the first
1 000 training and the first 200 test images of each class, in the order of the published files. FOLDER holds
``train-images-idx3-ubyte.gz`` and the other three (Debian's package dataset-fashion-mnist puts them into
/usr/share/datasets/fashion-mnist).
"""

import gzip
import lzma
import sys
from pathlib import Path

import numpy as np

from gan_cli.data.images.fashion_mnist_mini import FILE, HELDOUT, TRAIN

CLASSES = 10


def read_idx(path: Path) -> np.ndarray:
    """Return the uint8 array in an IDX file: two zero bytes, type 8, rank, big-endian sizes, values."""
    content = gzip.decompress(path.read_bytes())
    rank = content[3]
    shape = np.frombuffer(content, ">i4", count=rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def first_of_each_class(labels: np.ndarray, total: int) -> np.ndarray:
    """Return the indices of the first ``total / CLASSES`` samples of every class, in file order."""
    return np.sort(np.concatenate([np.flatnonzero(labels == k)[: total // CLASSES] for k in range(CLASSES)]))


def main(folder: Path) -> None:
    """Write images ``[12000, 28, 28]`` and labels ``[12000]``, training part first: two npy arrays in one xz file."""
    images, labels = [], []
    for part, total in (("train", TRAIN), ("t10k", HELDOUT)):
        y = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
        chosen = first_of_each_class(y, total)
        images.append(read_idx(folder / f"{part}-images-idx3-ubyte.gz")[chosen])
        labels.append(y[chosen])
    with lzma.open(FILE, "wb", preset=9 | lzma.PRESET_EXTREME) as file:
        np.save(file, np.concatenate(images), allow_pickle=False)
        np.save(file, np.concatenate(labels), allow_pickle=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
