"""Tiny data sets in the layouts of the published ones.

Each ``write_*(root, …)`` fills ``root``, the value for ``dataset.root``. The files are small, so their checksums are not the
published ones: ``trust_checksums(monkeypatch)`` makes torchvision accept them.
"""

import io
import os
import pickle
from functools import cache
from pathlib import Path

import lmdb
import numpy as np
from PIL import Image

ATTRIBUTES = ("Male", "Smiling", "Young")


def trust_checksums(monkeypatch) -> None:
    """Make torchvision accept any file that exists, whatever its checksum."""
    for module in ("celeba", "cifar", "mnist", "stl10"):
        target = f"torchvision.datasets.{module}.check_integrity"
        monkeypatch.setattr(target, lambda path, md5=None: os.path.isfile(path))


@cache
def photographs() -> tuple[np.ndarray, ...]:
    """Return the two photographs that scikit-learn ships, uint8 ``[427, 640, 3]``."""
    from sklearn.datasets import load_sample_images

    return tuple(load_sample_images().images)


def crops(n: int, width: int, height: int, seed: int = 0) -> list[Image.Image]:
    """Return ``n`` pieces of real photographs, ``width × height``."""
    random = np.random.default_rng(seed)
    pieces = []
    for i in range(n):
        photograph = photographs()[i % 2]
        top = random.integers(photograph.shape[0] - height + 1)
        left = random.integers(photograph.shape[1] - width + 1)
        pieces.append(Image.fromarray(photograph[top : top + height, left : left + width]))
    return pieces


def digits(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return ``n`` grey images, uint8 ``[n, 28, 28]``, and their labels, uint8 ``[n]``.

    Each image shows a bright square whose position is given by the label.
    """
    labels = np.arange(seed, seed + n, dtype=np.uint8) % 10
    images = np.zeros((n, 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4:10, 2 * label : 2 * label + 6] = 250
    return images, labels


def write_mnist(root: Path, n: int = 20, n_test: int = 10, name: str = "MNIST") -> None:
    """Write ``<name>/raw`` with four IDX files, as torchvision unpacks them."""
    folder = root / name / "raw"
    folder.mkdir(parents=True)
    for part, count, seed in (("train", n, 0), ("t10k", n_test, 5)):
        images, labels = digits(count, seed)
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">i4").tobytes()
            (folder / f"{part}-{kind}-ubyte").write_bytes(header + values.tobytes())


def write_fashion_mnist(root: Path, n: int = 20, n_test: int = 10) -> None:
    """Write ``FashionMNIST/raw`` with four IDX files."""
    write_mnist(root, n, n_test, name="FashionMNIST")


def write_cifar10(root: Path, n: int = 20, n_test: int = 10) -> None:
    """Write ``cifar-10-batches-py``: five batches that share ``n`` images, ``test_batch``, ``batches.meta``."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)

    def batch(images: list[Image.Image], first: int) -> dict:
        pixels = [np.asarray(image).transpose(2, 0, 1).ravel() for image in images]
        return {
            "data": np.array(pixels, np.uint8).reshape(-1, 3072),
            "labels": [(first + i) % 10 for i in range(len(images))],
        }

    train = crops(n, 32, 32)
    edges = [n * k // 5 for k in range(6)]
    contents = {f"data_batch_{k + 1}": batch(train[edges[k] : edges[k + 1]], edges[k]) for k in range(5)}
    contents["test_batch"] = batch(crops(n_test, 32, 32, seed=1), 0)
    contents["batches.meta"] = {"label_names": [f"class {k}" for k in range(10)]}
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))


def write_stl10(root: Path, n: int = 20, n_test: int = 10) -> None:
    """Write ``stl10_binary``: ``n`` labelled and ``2 n`` unlabelled training images, column-major, labels from 1."""
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    for part, count, seed in (("train", n, 0), ("unlabeled", 2 * n, 1), ("test", n_test, 2)):
        pixels = np.stack([np.asarray(image).transpose(2, 1, 0) for image in crops(count, 96, 96, seed)])
        (folder / f"{part}_X.bin").write_bytes(pixels.tobytes())
        if part != "unlabeled":
            (folder / f"{part}_y.bin").write_bytes((np.arange(count, dtype=np.uint8) % 10 + 1).tobytes())


def write_celeba(root: Path, n: int = 20, n_test: int = 10) -> None:
    """Write ``celeba``: aligned JPEGs 178×218, three attributes instead of forty, and the other four lists."""
    folder = root / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{i + 1:06d}.jpg" for i in range(n + n_test)]
    for name, image in zip(names, crops(len(names), 178, 218), strict=True):
        image.save(folder / "img_align_celeba" / name)

    def write(file: str, rows: list[str], header: str = "") -> None:
        lines = [f"{name} {row}" for name, row in zip(names, rows, strict=True)]
        (folder / file).write_text(header + "\n".join(lines) + "\n")

    signs = [" ".join("1" if (i >> bit) & 1 else "-1" for bit in range(3)) for i in range(len(names))]
    write("list_attr_celeba.txt", signs, f"{len(names)}\n{' '.join(ATTRIBUTES)} \n")
    write("list_eval_partition.txt", ["0" if i < n else "2" for i in range(len(names))])
    write("identity_CelebA.txt", [str(i) for i in range(len(names))])
    write("list_bbox_celeba.txt", ["0 0 178 218"] * len(names), f"{len(names)}\nimage_id x_1 y_1 width height\n")
    landmarks = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"
    write("list_landmarks_align_celeba.txt", ["1 2 3 4 5 6 7 8 9 10"] * len(names), f"{len(names)}\n{landmarks}\n")


def write_lsun(root: Path, n: int = 20, n_val: int | None = 10, category: str = "bedroom", format: str = "WEBP") -> None:
    """Write ``<category>_train_lmdb`` and, unless ``n_val`` is None, ``<category>_val_lmdb``; ``format`` is WEBP or JPEG."""
    for part, count in (("train", n), ("val", n_val)):
        if count is None:
            continue
        folder = root / f"{category}_{part}_lmdb"
        folder.mkdir(parents=True)
        with lmdb.open(str(folder), map_size=1 << 28) as env, env.begin(write=True) as transaction:
            for i, image in enumerate(crops(count, 320, 256, seed=len(part))):
                content = io.BytesIO()
                image.save(content, format, quality=80, method=0)  # the quickest of WEBP
                transaction.put(f"{category[:4]}{part[:2]}{i:034d}".encode(), content.getvalue())
        (folder / "lock.mdb").unlink()  # the published folders contain one, but readers do not need it


def write_image_folder(root: Path, n: int = 20, classes: int = 2, grey: bool = False) -> None:
    """Write ``n`` photographs of several sizes and formats into ``classes`` subfolders, or into ``root`` itself if it is 0."""
    for i in range(n):
        width, height = 40 + 7 * (i % 5), 36 + 11 * (i % 4)
        image = crops(1, width, height, seed=i)[0]
        folder = root / f"class_{i % classes}" if classes else root
        folder.mkdir(parents=True, exist_ok=True)
        (image.convert("L") if grey else image).save(folder / f"{i:03d}.{('png', 'jpg', 'webp')[i % 3]}")


def write_degraded_folder(root: Path) -> None:
    """Write a folder of colour images, from which a paired task is made."""
    write_image_folder(root)


def write_side_by_side(root: Path, n: int = 6, splits: tuple[str, ...] = ("train", "val", "test"), side: int = 24) -> None:
    """Write ``<split>/<i>.png``: A, a piece of a photograph, on the left, and B, its negative, on the right."""
    for seed, split in enumerate(splits):
        (root / split).mkdir(parents=True)
        for i, a in enumerate(crops(n, side, side, seed)):
            pair = np.concatenate([np.asarray(a), 255 - np.asarray(a)], axis=1)
            Image.fromarray(pair).save(root / split / f"{i}.png")


def write_unpaired_folder(root: Path, n: int = 6, n_target: int = 9, parts: tuple[str, ...] = ("train", "test")) -> None:
    """Write ``trainA``, ``trainB``, ``testA``, ``testB``: ``n`` pieces of photographs and ``n_target`` negatives of others."""
    for part in parts:
        for letter, count, seed in (("A", n, 0), ("B", n_target, 1)):
            folder = root / f"{part}{letter}"
            folder.mkdir(parents=True)
            for i, image in enumerate(crops(count, 24, 24, seed)):
                Image.fromarray(np.asarray(image) if letter == "A" else 255 - np.asarray(image)).save(folder / f"{i}.png")


def write_energy(root: Path, n: int = 600) -> None:
    """Write ``energydata_complete.csv`` in its published form: every value in quotes, a date before 28 columns of numbers."""
    from gan_cli.data.sequences.series import ENERGY, ENERGY_COLUMNS

    root.mkdir(parents=True)
    values = np.random.default_rng(0).normal(20, 1, (n, 28)).cumsum(0).round(3).tolist()
    lines = [",".join(f'"{name}"' for name in ("date", *ENERGY_COLUMNS))]
    lines += [",".join(f'"{value}"' for value in (f"2016-01-11 17:{k % 60:02d}:00", *row)) for k, row in enumerate(values)]
    (root / ENERGY).write_text("\n".join(lines) + "\n")


def write_csv(root: Path, n: int = 600) -> None:
    """Write ``table.csv``: a positive random walk, and a wave that takes both signs."""
    root.mkdir(parents=True)
    walk = np.exp(np.random.default_rng(0).normal(0, 0.01, n).cumsum())
    wave = np.sin(np.arange(n) / 7)
    (root / "table.csv").write_text("price,wave\n" + "".join(f"{p:.6f},{w:.6f}\n" for p, w in zip(walk, wave, strict=True)))
