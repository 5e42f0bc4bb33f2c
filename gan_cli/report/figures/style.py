"""How every figure of a report looks."""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

COLOURS = ("#1f5fa8", "#d9661f", "#2b8a57", "#a8327d", "#8a6d1a", "#4b4f9e", "#0f8b9d", "#b3372f", "#6b7280", "#3d3d3d")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
INK, FAINT = "#22262e", "#9aa1ac"
WIDTH = 8.0
"""Inches; a page shows them at 110 points or so each."""
DPI = 150
STYLE: Any = {
    "font.size": 10.5,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#e6e8ec",
    "grid.linewidth": 0.8,
    "xtick.color": "#5b6270",
    "ytick.color": "#5b6270",
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
}

NAMES = {
    "estimate": "estimate on training batches",
    "heldout": "estimate on held-out batches",
    "metric/w1": "exact W₁ of samples",
    "metric/js": "Jensen-Shannon distance of samples",
    "time/samples_per_second": "samples per second",
}


@dataclass(frozen=True)
class Drawn:
    """One figure, ready for the page. ``slug``: its file's name without suffix; ``png``: the file; ``alt``: what it shows."""

    slug: str
    title: str
    caption: str
    png: bytes
    alt: str


@contextmanager
def styled() -> Iterator[None]:
    """Inside, figures look like ours; elsewhere in the process nothing changes."""
    with matplotlib.rc_context(STYLE):
        yield


def draw(size: tuple[float, float], paint: Callable[[Canvas], None]) -> bytes:
    """The PNG of a canvas of ``size`` inches, painted by ``paint``."""
    with styled():
        canvas = Canvas(figsize=size, dpi=DPI, layout="constrained")
        FigureCanvasAgg(canvas)
        paint(canvas)
        file = io.BytesIO()
        canvas.savefig(file, format="png")
        return file.getvalue()


def log_axis(ax: Any, which: str) -> None:
    """A logarithmic axis with plain numbers at 1, 2 and 5 of every decade, or at powers of ten where there are many."""
    getattr(ax, f"set_{which}scale")("log")
    axis = getattr(ax, f"{which}axis")
    low, high = sorted(abs(end) for end in axis.get_view_interval())
    decades = np.log10(high / low) if low > 0 else 9.0
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)))
    if decades < 6:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def scale(ax: Any, log_x: bool, log_y: bool) -> None:
    """Makes the axes logarithmic that are to be."""
    for axis, is_log in (("x", log_x), ("y", log_y)):
        if is_log:
            log_axis(ax, axis)


def slug(text: str) -> str:
    """A name for a file."""
    return re.sub(r"[^a-z0-9.]+", "_", text.lower()).strip("_.")[:80] or "figure"


def name(tag: str) -> str:
    """A tag in words where there are some, else as it was logged."""
    kind, _, short = tag.partition("/")
    return NAMES.get(tag, f"{short}: {NAMES[kind]}" if kind in NAMES else tag)


def colours(keys: Sequence[str]) -> dict[str, str]:
    """A colour for each key, from the start again where there are many."""
    return {key: COLOURS[i % len(COLOURS)] for i, key in enumerate(dict.fromkeys(keys))}
