"""Pictures as files: the formats, and writing a picture to disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from gan_cli.files import atomic_write

if TYPE_CHECKING:  # matplotlib takes a second to import, and most pictures are pixels
    from matplotlib.figure import Figure

_JPEG = {"format": "JPEG", "quality": 95, "subsampling": 0}
PIXELS: Mapping[str, Mapping[str, Any]] = {
    ".png": {"format": "PNG"},
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": {"format": "WEBP", "lossless": True},
}
"""Suffixes of files of pixels, and how Pillow writes each of them."""
VECTORS: Mapping[str, Mapping[str, Any]] = {
    ".pdf": {"format": "pdf", "metadata": {"CreationDate": None}},
    ".svg": {"format": "svg", "metadata": {"Date": None}},
}
"""Suffixes of files of lines and text, and how matplotlib writes each of them; without a date, so that equal figures give
equal files."""


def save_png(picture: np.ndarray, path: Path) -> None:
    """Write the picture as PNG, atomically, and create its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as unfinished:
        Image.fromarray(picture).save(unfinished, format="PNG")


def save_picture(picture: "np.ndarray | Figure", path: Path) -> None:
    """Write a picture in the format that the suffix of ``path`` names, atomically, and create its folder.

    Args:
        picture: Pixels ``[H, W]`` or ``[H, W, 3]``, or a figure.
        path: The file. Its suffix is one of ``PIXELS``; for a figure also one of ``VECTORS``.
    """
    suffix = path.suffix.lower()
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as unfinished:
        if isinstance(picture, np.ndarray):
            Image.fromarray(picture).save(unfinished, **PIXELS[suffix])
            return
        from gan_cli.drawing.figures import drawn_as, render

        if suffix in VECTORS:
            unfinished.write_bytes(drawn_as(picture, suffix))
        else:
            Image.fromarray(render(picture)).save(unfinished, **PIXELS[suffix])
