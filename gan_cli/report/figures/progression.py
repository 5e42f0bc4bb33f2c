"""The progression of samples over training: below a curve, as single pictures, and as animations."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as MplFigure
from PIL import Image

from gan_cli import checks
from gan_cli.errors import UserError, first_line
from gan_cli.report.figures import style
from gan_cli.report.figures.curves import Curves, Figure
from gan_cli.report.figures.style import FAINT, WIDTH, Drawing, RenderedFigure
from gan_cli.report.records.runs import RunRecord
from gan_cli.report.records.selection import equal_seeds

LARGEST = 50_000_000
"""Number of pixels beyond which a picture is not shown."""
NARROWEST = 100
"""Ratio of its sides beyond which a picture is not shown."""
MAX_FRAMES = 40
"""Maximum number of frames of an animation; they are spaced evenly over training."""
FRAME_WIDTH = 480
"""Width of an animation frame in pixels."""


@dataclass(frozen=True, kw_only=True)
class Progression(Figure):
    """A curve with samples below it and dashed lines at their steps, after figure 3 of the WGAN paper (Arjovsky et al., 2017).

    There is one figure for each method, all with the smallest seed that every method has.

    Args:
        tag: The curve; of several tags the first one that was logged.
        median: Width of the median filter in points, odd. None: chosen by the length of the curve.
        steps: Number of pictures, evenly spaced, or the steps to show.
        log_y: Logarithmic y axis.
    """

    tag: str | Sequence[str]
    median: int | None = None
    steps: int | Sequence[int] = 5
    log_y: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.steps, int):
            checks.count("steps", self.steps)

    def draw(self, runs: Sequence[RunRecord]) -> list[RenderedFigure]:
        tags = [self.tag] if isinstance(self.tag, str) else list(self.tag)
        figures = []
        selection = equal_seeds([run for run in self.select(runs) if run.pictures()])
        for run in selection.runs:
            tag = next((tag for tag in tags if run.series(tag)), None)
            pictures = self._choose(run.pictures())
            if tag is not None and pictures:
                text = " ".join(
                    filter(None, [f"{run.name}." if run.method else "", selection.note if selection.seed is None else ""])
                )
                numbers = zip(*(part.tolist() for part in run.series(tag).finite()), strict=True)
                data = [{"tag": tag, "step": step, "value": value, "picture": step in pictures} for step, value in numbers]
                figures.append(self.rendered(self._render(run, tag, pictures), text, run.name, data))
        if not figures:
            raise UserError(f"nothing to draw: no run has logged {' or '.join(tags)} and pictures of its samples.")
        return figures

    def _choose(self, pictures: Mapping[int, Path]) -> dict[int, Path]:
        if isinstance(self.steps, int):
            return evenly_spaced(pictures, self.steps)
        return {step: pictures[step] for step in self.steps if step in pictures}

    def _render(self, run: RunRecord, tag: str, pictures: Mapping[int, Path]) -> Drawing:
        images = {step: read_cropped(path, run.shape) for step, path in pictures.items()}

        def paint(figure: MplFigure) -> None:
            grid = figure.add_gridspec(2, len(images), height_ratios=[2.2, 1.9])
            curve = figure.add_subplot(grid[0, :])
            Curves(tags=[tag], median=self.median, log_y=self.log_y).panel(curve, [tag], [run])
            curve.set_xlabel("step")
            for column, (step, image) in enumerate(images.items()):
                panel = figure.add_subplot(grid[1, column])
                panel.imshow(image, interpolation="nearest" if len(run.shape or ()) == 3 else "antialiased")
                panel.set(xticks=[], yticks=[])
                panel.set_title(f"step {step}", loc="center", fontsize=10)
                panel.spines[:].set_visible(False)
                curve.axvline(step, color=FAINT, linewidth=0.8, linestyle=(0, (2, 3)))

        return style.render((WIDTH, 3.0 + WIDTH / max(len(images), 3)), paint)


@dataclass(frozen=True, kw_only=True)
class Pictures(Figure):
    """Pictures in the runs' folders, shown as they are.

    Args:
        glob: Pattern relative to the run's folder, as ``eval/*.png``.
        last: Number of pictures of each run; the last ones by name are shown.
    """

    glob: str
    last: int = 1

    def __post_init__(self) -> None:
        checks.inside("glob", self.glob)
        checks.count("last", self.last)

    def draw(self, runs: Sequence[RunRecord]) -> list[RenderedFigure]:
        files = [(run, path) for run in self.select(runs) for path in sorted(run.folder.glob(self.glob))[-self.last :]]
        if not files:
            raise UserError(f"nothing to draw: no run has a picture {self.glob}.")
        return [
            self.rendered(style.picture(_png(read_image(path))), f"{run.name}: {path.name}.", f"{run.name} {path.stem}")
            for run, path in files
        ]


def evenly_spaced(pictures: Mapping[int, Path], n: int) -> dict[int, Path]:
    """Return at most ``n`` pictures by step, spaced evenly and including the first and the last."""
    steps = sorted(pictures)
    chosen = np.linspace(0, len(steps) - 1, min(n, len(steps))).round().astype(int).tolist()
    return {steps[index]: pictures[steps[index]] for index in chosen}


def read_cropped(path: Path, shape: tuple[int, ...] | None) -> np.ndarray:
    """Read a picture ``[H, W, 3]``, cropped for display at a small size.

    A grid of images is cropped to its upper left quarter, a plot of points to the inside of its frame. Pictures of sequences
    are returned whole, because they have a frame for each feature.

    Args:
        path: The image file.
        shape: Shape of one sample. None: unknown, treated as points.
    """
    picture = read_image(path)
    if shape is not None and len(shape) == 2:
        return picture
    if shape is not None and len(shape) == 3:
        return picture[: picture.shape[0] // 2, : picture.shape[1] // 2]
    dark = (picture.max(axis=2) < 140) & (np.ptp(picture, axis=2) < 25)  # the critic's contours are dark, too, but not grey
    top, bottom = _frame_interior(np.flatnonzero(dark.mean(axis=1) > 0.4), len(picture))
    left, right = _frame_interior(np.flatnonzero(dark[top:bottom].mean(axis=0) > 0.95), picture.shape[1])
    return picture[top:bottom, left:right]


def _frame_interior(lines: np.ndarray, n: int) -> tuple[int, int]:
    """Return the widest gap between neighbouring ``lines`` in [0, n); [0, n) itself if there is no frame.

    A colour bar next to the frame has such lines, too.
    """
    if len(lines) < 2 or (widths := np.diff(lines)).max() < n // 3:
        return 0, n
    widest = int(widths.argmax())
    return int(lines[widest]) + 1, int(lines[widest + 1])


def animation_frames(run: RunRecord) -> dict[int, bytes]:
    """Return a WebP of the samples by step, ``FRAME_WIDTH`` pixels wide; empty with fewer than two pictures."""
    pictures = evenly_spaced(run.pictures(), MAX_FRAMES)
    return {step: _webp(_resize(read_image(path))) for step, path in pictures.items()} if len(pictures) > 1 else {}


def animated_gif(run: RunRecord) -> bytes:
    """Return the same frames as an animated GIF; the last frame is shown longer."""
    images = [_resize(read_image(path)) for path in evenly_spaced(run.pictures(), MAX_FRAMES).values()]
    file = io.BytesIO()
    durations = [250] * (len(images) - 1) + [1500]
    images[0].save(file, format="GIF", save_all=True, append_images=images[1:], duration=durations, loop=0)
    return file.getvalue()


def read_image(path: Path) -> np.ndarray:
    """Read a picture as ``[H, W, 3]``.

    Raises:
        UserError: If the file cannot be read.
    """
    try:
        with Image.open(path) as image:
            if image.width * image.height > LARGEST or max(image.size) > NARROWEST * min(image.size):
                raise UserError(f"{path} cannot be shown: it has {image.width} × {image.height} pixels.")
            return np.asarray(image.convert("RGB"))
    except UserError:
        raise
    except Exception as error:  # a damaged image may raise anything
        raise UserError(f"{path} cannot be read: {first_line(error)}.") from error


def _resize(picture: np.ndarray) -> Image.Image:
    image = Image.fromarray(picture)
    return image.resize((FRAME_WIDTH, round(FRAME_WIDTH * image.height / image.width)), Image.Resampling.LANCZOS)


def _png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    return file.getvalue()


def _webp(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, format="WEBP", quality=85)
    return file.getvalue()
