"""Figures: an empty one, its pixels, its colours, and writing a picture to disk."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from gan_cli.files import atomic_write

BLUE, ORANGE, GREY = "#1f5fa8", "#d9661f", "#8a8a8a"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size in inches, at 100 pixels per inch."""
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def render(figure: Figure) -> np.ndarray:
    """Return the pixels of a figure."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]


def save_png(picture: np.ndarray, path: Path) -> None:
    """Write the picture as PNG, atomically, and create its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as unfinished:
        Image.fromarray(picture).save(unfinished, format="PNG")
