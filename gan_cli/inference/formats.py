"""The files that gan-sample writes: the formats of each mode, and a check of ``out`` before anything is generated."""

from collections.abc import Sequence
from pathlib import Path

from gan_cli.drawing import PIXELS, VECTORS
from gan_cli.errors import UserError
from gan_cli.files import require_writable

ARRAYS = (".npz", ".npy")
"""Suffixes of files that hold samples as an array."""
PANELS = ("traverse", "steer")
"""Modes that draw labelled panels of images."""
FILMS = (".mp4", ".gif")
"""Suffixes of films."""
TABLE = ".csv"
"""Suffix of a table of points or sequences."""


def is_data(out: Path) -> bool:
    """Return True if a file of this name holds the samples themselves rather than a picture of them."""
    return out.suffix.lower() in (*ARRAYS, TABLE)


def formats(mode: str, shape: Sequence[int]) -> list[str]:
    """Return the suffixes of the files that ``mode`` can write of samples of this shape.

    Grids of images have no vector format: they are pixels.
    """
    are_images = len(shape) == 3
    data = [] if mode in PANELS else [*ARRAYS, *([] if are_images else [TABLE])]
    if mode == "video":
        return [*FILMS]
    if mode == "single":
        return data
    return [*PIXELS, *(VECTORS if mode in PANELS or not are_images else ()), *data]


def check_out(out: Path, mode: str, shape: Sequence[int]) -> None:
    """Check that ``out`` names something that ``mode`` can write, and that it can be written.

    Args:
        out: The file. With mode=single it is a folder, unless its suffix is that of a known format.
        mode: Mode of gan-sample.
        shape: Shape of one sample.

    Raises:
        UserError: If its suffix is unknown or of another mode, a file is in the place of a folder or the reverse, or it is
            not writable.
    """
    known, suffix = formats(mode, shape), out.suffix.lower()
    is_folder = mode == "single" and suffix not in (*PIXELS, *VECTORS, *ARRAYS, TABLE)
    if not is_folder and suffix not in known:
        other = ", or a folder" if mode == "single" else ""
        raise UserError(f"out={out}: with mode={mode} this run's samples are written as {', '.join(known)}{other}.")
    if out.exists() and out.is_dir() != is_folder:
        kind, instead = ("folder", "file") if is_folder else ("file", "folder")
        raise UserError(f"out={out} is a {instead}, and mode={mode} writes a {kind} of this name: choose another one.")
    require_writable(out if is_folder else out.parent, "Choose another place with out=...")
