"""Figures: an empty one, its pixels, its colours, and writing a picture to disk."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from gan_cli.errors import printable
from gan_cli.files import atomic_write

BLUE, ORANGE, GREY = "#1f5fa8", "#d9661f", "#8a8a8a"

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


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size in inches, at 100 pixels per inch."""
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def literal(text: str) -> str:
    """Return ``text`` such that matplotlib shows it as it is: in one line, and without formulas between dollar signs."""
    return printable(text).replace("$", r"\$")


def render(figure: Figure) -> np.ndarray:
    """Return the pixels of a figure."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]


def save_png(picture: np.ndarray, path: Path) -> None:
    """Write the picture as PNG, atomically, and create its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as unfinished:
        Image.fromarray(picture).save(unfinished, format="PNG")


def save_picture(picture: np.ndarray | Figure, path: Path) -> None:
    """Write a picture in the format that the suffix of ``path`` names, atomically, and create its folder.

    Args:
        picture: Pixels ``[H, W]`` or ``[H, W, 3]``, or a figure.
        path: The file. Its suffix is one of ``PIXELS``; for a figure also one of ``VECTORS``.
    """
    suffix = path.suffix.lower()
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as unfinished:
        if isinstance(picture, Figure) and suffix in VECTORS:
            unfinished.write_bytes(drawn_as(picture, suffix))
        else:
            pixels = render(picture) if isinstance(picture, Figure) else picture
            Image.fromarray(pixels).save(unfinished, **PIXELS[suffix])


def drawn_as(figure: Figure, suffix: str) -> bytes:
    """Return the content of a file of lines and text; ``suffix`` is one of ``VECTORS``. Equal figures give equal files."""
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "gan-cli"}):
        figure.savefig(file, **VECTORS[suffix])
    return file.getvalue()
