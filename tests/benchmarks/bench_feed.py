"""Images per second from the mapped cache beside torchvision with a DataLoader of two workers, and memory by number of images.

    make bench-feed

Random JPEG images are written below a temporary folder. Both feeds make batches of 64 images of 64 × 64 pixels in [-1, 1], one
after the other in blocks, on one thread; torchvision decodes in two further processes, which live on between its epochs. Memory
is measured in new processes that read batches from a cache of so many images.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.pages import table, write

from gan_cli.data.base import Dataset
from gan_cli.data.images.cache import ImageCache
from gan_cli.data.images.reading import ImageReader
from gan_cli.data.images.source import ImageCollection, Source
from gan_cli.data.images.transform import Transform
from gan_cli.data.stream import Stream

BATCH, SIZE = 64, 64
WIDTH, HEIGHT = 178, 218
"""Size of the files, that of CelebA's images."""
SMALL = 16
"""Side of the images whose memory is measured."""


def write_images(folder: Path, count: int) -> None:
    """Write smooth random images as JPEG files."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for index in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(folder / f"{index:06d}.jpg", quality=90)


def ours(root: Path, cache: Path) -> Dataset:
    """Return the images below ``root`` from the mapped cache."""
    reader = ImageReader(cache_dir=str(cache), heldout=0)
    return reader.data(reader.folder(root), None, SIZE, 3, "crop").train


def theirs(root: Path) -> Iterator[torch.Tensor]:
    """Yield batches of the images below ``root`` without end, as torchvision's references read them."""
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    steps = [transforms.Resize(SIZE), transforms.CenterCrop(SIZE), transforms.ToTensor(), transforms.Normalize(0.5, 0.5)]
    images = datasets.ImageFolder(str(root), transforms.Compose(steps))
    loader = DataLoader(images, BATCH, shuffle=True, drop_last=True, num_workers=2, persistent_workers=True)
    while True:
        for x, _ in loader:
            yield x


def seconds_of(take: Callable[[], object], batches: int) -> float:
    """Return the seconds that a batch takes."""
    start = time.perf_counter()
    for _ in range(batches):
        take()
    return (time.perf_counter() - start) / batches


def speed_row(count: int, blocks: int) -> list[str]:
    """Return the images per second of both feeds, and the median ratio of neighbouring blocks."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "images"
        write_images(root / "all", count)
        stream, other = Stream(ours(root, Path(temporary) / "cache"), BATCH, seed=0), theirs(root)
        epoch = count // BATCH
        seconds_of(lambda: next(stream), epoch + 1), seconds_of(lambda: next(other), epoch)  # checksums; workers start
        pairs = [(seconds_of(lambda: next(stream), 20 * epoch), seconds_of(lambda: next(other), epoch)) for _ in range(blocks)]
    fast, slow = (BATCH / statistics.median(times) for times in zip(*pairs, strict=True))
    return [f"{fast:.0f}", f"{slow:.0f}", f"{statistics.median(b / a for a, b in pairs):.0f}"]


class Shades:
    """``count`` plain grey images."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Image.Image, None]:
        return Image.new("L", (SMALL, SMALL), index % 256), None


def anonymous_memory(count: int, folder: Path) -> float:
    """Return the anonymous memory in MB that a stream over a cache of ``count`` images adds to this process."""

    def resident() -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024

    source = Source(f"shades_{count}", [count], 1, lambda: ImageCollection(Shades(count), str))
    cache = ImageCache(source, Transform(SMALL, 1), folder)
    if cache.found() is None:
        cache.images()
        os.execv(sys.executable, [sys.executable, *sys.argv])  # a new process, which has decoded nothing
    before = resident()
    stream = Stream(cache.images(), BATCH, seed=0)
    for _ in range(200):
        next(stream)
    return resident() - before


def memory_rows(counts: list[int]) -> list[list[str]]:
    """Return the number of images and the memory of each."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--folder", folder, "--count"]
        said = {count: subprocess.run([*command, str(count)], capture_output=True, text=True, check=True) for count in counts}
    return [[str(count), f"{float(ended.stdout.split()[-1]):.0f}"] for count, ended in said.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the feed, and measure its memory.")
    parser.add_argument("--images", type=int, default=2048, help="number of JPEG images")
    parser.add_argument("--blocks", type=int, default=7, help="blocks of each feed")
    parser.add_argument("--counts", default="10000,100000,1000000", help="numbers of images whose memory is measured")
    parser.add_argument("--print", action="store_true", help="print the tables, and leave docs/performance.md as it is")
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.count is not None:
        print(anonymous_memory(chosen.count, chosen.folder))
        return
    speed = table(["images per second", "torchvision", "ratio"], [speed_row(chosen.images, chosen.blocks)])
    memory = table(["images", "anonymous memory, MB"], memory_rows([int(count) for count in chosen.counts.split(",")]))
    print(text := f"{speed}\n{memory}")
    if not chosen.print:
        write("bench-feed", text)


if __name__ == "__main__":
    main()
