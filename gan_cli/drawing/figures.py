"""Figures: an empty one, its colours, its pixels, and the content of its files."""

import io

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gan_cli.drawing.files import VECTORS
from gan_cli.errors import printable

BLUE, ORANGE, GREY = "#1f5fa8", "#d9661f", "#8a8a8a"


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


def drawn_as(figure: Figure, suffix: str) -> bytes:
    """Return the content of a file of lines and text; ``suffix`` is one of ``VECTORS``. Equal figures give equal files."""
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "gan-cli"}):
        figure.savefig(file, **VECTORS[suffix])
    return file.getvalue()
