"""Style shared by all figures of a report, and rendering to PNG."""

import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from PIL import Image

from gan_cli.drawing.figures import drawn_as
from gan_cli.drawing.figures import render as drawn
from gan_cli.report.figures.dark import with_pictures

COLOURS = ("#1f5fa8", "#d9661f", "#2b8a57", "#a8327d", "#8a6d1a", "#4b4f9e", "#0f8b9d", "#b3372f", "#6b7280", "#3d3d3d")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
INK, FAINT = "#22262e", "#9aa1ac"
WIDTH = 8.0
"""Width of a figure in inches; a page shows about 110 points per inch."""
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
    "text.parse_math": False,  # names from configs stand as they are, dollar signs included
}

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NAMES = {
    "estimate": "estimate on training batches",
    "heldout": "estimate on held-out batches",
    "metric/w1": "exact W₁ of samples",
    "metric/js": "Jensen-Shannon distance of samples",
    "time/samples_per_second": "samples per second",
    "time/waiting_share": "share of the time that rounds wait for data",
}
"""Readable labels of tags, or of the part before the slash."""


@dataclass(frozen=True)
class Drawing:
    """An image as a PNG file, with what draws it again for paper.

    Attributes:
        png: The PNG file.
        size: Width and height in inches.
        paint: Draws the image into a figure. None: it is a picture of pixels.
    """

    png: bytes
    size: tuple[float, float] = (WIDTH, WIDTH)
    paint: Callable[[MplFigure], None] | None = None

    def file(self, suffix: str) -> bytes:
        """Return the image as ``.pdf`` or ``.svg``, with lines and text as such."""
        with style_context(), matplotlib.rc_context({"pdf.fonttype": 42, "svg.fonttype": "none"}):
            canvas = MplFigure(figsize=self.size, dpi=DPI, layout="constrained")
            FigureCanvasAgg(canvas)
            (self.paint or self._show)(canvas)
            return drawn_as(canvas, suffix)

    def _show(self, figure: MplFigure) -> None:
        picture = np.asarray(Image.open(io.BytesIO(self.png)).convert("RGB"))
        ax = figure.add_axes((0, 0, 1, 1))
        ax.imshow(picture, interpolation="none", aspect="auto")
        ax.set_axis_off()


@dataclass(frozen=True)
class RenderedFigure:
    """One figure, ready for the page.

    Attributes:
        slug: Name of its file without suffix.
        title: Text above the figure.
        caption: Text below the figure.
        drawing: The image.
        alt: Alternative text.
        data: The numbers that are drawn, as rows of one table; empty if the figure shows pictures.
    """

    slug: str
    title: str
    caption: str
    drawing: Drawing
    alt: str
    data: Sequence[Mapping[str, Any]] = ()

    @property
    def png(self) -> bytes:
        """The image as a PNG file."""
        return self.drawing.png


@contextmanager
def style_context() -> Iterator[None]:
    """Apply the report's matplotlib style inside the context only."""
    with matplotlib.rc_context(STYLE):
        yield


def picture(png: bytes) -> Drawing:
    """Return a picture of pixels as an image of the report."""
    with Image.open(io.BytesIO(png)) as image:
        return Drawing(png, (WIDTH, WIDTH * image.height / image.width))


def render(size: tuple[float, float], paint: Callable[[MplFigure], None]) -> Drawing:
    """Return a figure of ``size`` inches, drawn by ``paint``."""
    with style_context():
        canvas = MplFigure(figsize=size, dpi=DPI, layout="constrained")
        FigureCanvasAgg(canvas)
        paint(canvas)
        file = io.BytesIO()
        pixels = drawn(canvas)  # savefig lays out and draws twice
        Image.fromarray(pixels).save(file, format="PNG", pnginfo=with_pictures(canvas))
        return Drawing(file.getvalue(), size, paint)


def log_axis(ax: Any, which: str) -> None:
    """Make an axis logarithmic, labelled at 1, 2 and 5 of every decade, or at powers of ten if it spans many decades.

    Args:
        ax: The axes.
        which: ``x`` or ``y``.
    """
    getattr(ax, f"set_{which}scale")("log")
    axis = getattr(ax, f"{which}axis")
    low, high = sorted(abs(end) for end in axis.get_view_interval())
    decades = np.log10(high / low) if low > 0 else 9.0
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if decades < 6 else power_of_ten(value)))
    axis.set_minor_formatter(NullFormatter())


def power_of_ten(value: float) -> str:
    """Return a power of ten as ``10⁻³``, without mathtext; empty for a value that is none."""
    exponent = round(np.log10(value)) if value > 0 else 0
    return f"10{str(exponent).translate(SUPERSCRIPTS)}" if np.isclose(value, 10.0**exponent, rtol=1e-6, atol=0) else ""


def set_scales(ax: Any, log_x: bool, log_y: bool) -> None:
    """Make the x and the y axis logarithmic where requested."""
    for axis, is_log in (("x", log_x), ("y", log_y)):
        if is_log:
            log_axis(ax, axis)


def slug(text: str) -> str:
    """Return ``text`` as a file name without suffix."""
    return re.sub(r"[^a-z0-9.]+", "_", text.lower()).strip("_.")[:80] or "figure"


def unique(slug: str, taken: Collection[str], suffix: str) -> str:
    """Return the file name ``slug`` + ``suffix``, with a number if it is ``taken``."""
    names = (f"{slug}{'' if n == 1 else f'_{n}'}{suffix}" for n in count(1))
    return next(name for name in names if name not in taken)


def label(tag: str) -> str:
    """Return the readable label of a tag, or the tag itself if it has none."""
    kind, _, short = tag.partition("/")
    return legend_entry(NAMES.get(tag, f"{short}: {NAMES[kind]}" if kind in NAMES else tag))


def legend_entry(text: str) -> str:
    """Return ``text`` for a legend, which leaves out entries that begin with an underscore."""
    return f" {text}" if text.startswith("_") else text


def colours(keys: Sequence[str]) -> dict[str, str]:
    """Return a colour for each key; colours repeat if there are more keys."""
    return {key: COLOURS[i % len(COLOURS)] for i, key in enumerate(dict.fromkeys(keys))}
