"""Writers of samples that receive them in parts, so that their number is bounded by the disk and not by memory."""

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from torch import Tensor

from gan_cli import drawing
from gan_cli.data.scaling import Series
from gan_cli.files import atomic_write

Write = Callable[[Tensor], None]
"""Adds samples ``[N, *shape]``."""


@contextmanager
def image_files(paths: Iterable[Path]) -> Iterator[Write]:
    """Write images to these files, one after the other, grey ones with one channel."""
    left = iter(paths)

    def write(images: Tensor) -> None:
        for image in images:
            drawing.save_picture(drawing.pixels(image), next(left))

    yield write


@contextmanager
def table(path: Path, series: Series, shape: Sequence[int]) -> Iterator[Write]:
    """Write points as a CSV table with a row each, or sequences in the data's own units with a row for each time step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if len(shape) == 2:
        with series.table(path) as add:
            yield lambda sequences: add(series.scaling.to_units(sequences))
    else:
        with atomic_write(path) as unfinished, open(unfinished, "w", encoding="utf-8") as file:
            yield lambda points: np.savetxt(file, points.flatten(1).numpy(), delimiter=",", fmt="%.9g")


@contextmanager
def array(path: Path, n: int, series: Series, further: Mapping[str, np.ndarray]) -> Iterator[Write]:
    """Write samples as an array: an .npy file, or an .npz file in which it is called ``arr_0``.

    Images are uint8 ``[n, H, W, C]``, points float32 ``[n, d]``, and sequences float64 ``[n, T, F]`` in the data's own units.

    Args:
        path: The file.
        n: Number of samples that will be added.
        series: Scaling of sequences.
        further: Further arrays by name, which an .npz file holds too, as their labels ``arr_1``, int64 ``[n]``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as unfinished, open(unfinished, "wb") as file:
        if path.suffix.lower() == ".npy":
            yield _array_entry(file, n, series)
            return
        with zipfile.ZipFile(file, "w") as archive:
            # an entry made from its name alone would have the time of writing, and equal samples would not give equal files
            with archive.open(zipfile.ZipInfo("arr_0.npy"), "w", force_zip64=True) as entry:
                yield _array_entry(entry, n, series)
            for name, values in further.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as entry:
                    np.lib.format.write_array(entry, values)


def _array_entry(file: IO[bytes], n: int, series: Series) -> Write:
    """Return the function that adds samples to an array of ``n`` in NumPy's format; the first of them decide its shape."""
    is_first = iter([True])

    def write(samples: Tensor) -> None:
        part = np.ascontiguousarray(_as_array(samples, series))
        if next(is_first, False):
            form = {"descr": part.dtype.str, "fortran_order": False, "shape": (n, *part.shape[1:])}
            np.lib.format.write_array_header_1_0(file, form)
        file.write(part.tobytes())

    return write


def _as_array(samples: Tensor, series: Series) -> np.ndarray:
    if samples.ndim == 4:
        return drawing.to_uint8(samples).permute(0, 2, 3, 1).numpy()
    return (series.scaling.to_units(samples) if samples.ndim == 3 else samples.flatten(1)).numpy()
