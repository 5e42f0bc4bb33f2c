"""Pictures that runs left behind: below the steps of a curve, as they are, and as frames to be played."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.patches import ConnectionPatch
from PIL import Image

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.report.figures import style
from gan_cli.report.figures.curves import Curves, Figure
from gan_cli.report.figures.style import FAINT, WIDTH, Canvas, Drawn
from gan_cli.report.records.runs import RunRecord

FRAMES = 40
"""Of more pictures, as many are played, evenly chosen."""
METHODS = 6
"""Of more methods, the first ones are drawn."""
SIDE = 480
"""Pixels that a frame is wide."""


@dataclass(frozen=True, kw_only=True)
class Stages(Figure):
    """A curve with the samples of some of its steps below it, each tied to its step.

    As figure 3 of the WGAN paper (Arjovsky et al. 2017). ``tag``: the curve, or the first of several that was logged;
    ``median``: width of its filter; ``steps``: which pictures, or how many of them, evenly chosen. One figure for the first
    seed of each of at most ``METHODS`` methods.
    """

    tag: str | Sequence[str]
    median: int | None = None
    steps: int | Sequence[int] = 5
    log_y: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.steps, int):
            checks.count("steps", self.steps)

    def draw(self, runs: Sequence[RunRecord]) -> list[Drawn]:
        """A figure for each method."""
        tags = [self.tag] if isinstance(self.tag, str) else list(self.tag)
        found = []
        for run in first_seeds(self.about(runs))[:METHODS]:
            tag = next((tag for tag in tags if run.series(tag)), None)
            chosen = self._chosen(run.pictures())
            if tag is not None and chosen:
                found.append(self.drawn(self._one(run, tag, chosen), run.name + "." if run.method else "", run.name))
        if not found:
            raise UserError(f"nothing to draw: no run has logged {' or '.join(tags)} and pictures of its samples.")
        return found

    def _chosen(self, pictures: Mapping[int, Path]) -> dict[int, Path]:
        if isinstance(self.steps, int):
            return evenly(pictures, self.steps)
        return {step: pictures[step] for step in self.steps if step in pictures}

    def _one(self, run: RunRecord, tag: str, pictures: Mapping[int, Path]) -> bytes:
        images = {step: cropped(path, run.shape) for step, path in pictures.items()}

        def paint(figure: Canvas) -> None:
            grid = figure.add_gridspec(2, len(images), height_ratios=[2.2, 1.9])
            curve = figure.add_subplot(grid[0, :])
            Curves(tags=[tag], median=self.median, log_y=self.log_y).panel(curve, [tag], [run])
            curve.set_xlabel("step")
            y = curve.get_ylim()[0]
            for column, (step, image) in enumerate(images.items()):
                below = figure.add_subplot(grid[1, column])
                below.imshow(image, interpolation="nearest" if len(run.shape or ()) == 3 else "antialiased")
                below.set(xticks=[], yticks=[])
                below.set_title(f"step {step}", loc="center", fontsize=10)
                below.spines[:].set_visible(False)
                tie = ConnectionPatch(
                    (step, y), (0.5, 1.16), "data", "axes fraction", axesA=curve, axesB=below, color=FAINT, linewidth=1
                )
                tie.set_in_layout(False)
                figure.add_artist(tie)
                curve.axvline(step, color=FAINT, linewidth=0.8, linestyle=(0, (2, 3)))

        return style.draw((WIDTH, 3.0 + WIDTH / max(len(images), 3)), paint)


@dataclass(frozen=True, kw_only=True)
class Pictures(Figure):
    """Pictures that lie in the runs' folders, by ``glob`` (``eval/*.png``): of each run the newest ``last`` by name."""

    glob: str
    last: int = 1

    def __post_init__(self) -> None:
        checks.count("last", self.last)

    def draw(self, runs: Sequence[RunRecord]) -> list[Drawn]:
        """Every picture as it is."""
        found = [(run, path) for run in self.about(runs) for path in sorted(run.folder.glob(self.glob))[-self.last :]]
        if not found:
            raise UserError(f"nothing to draw: no run has a picture {self.glob}.")
        return [self.drawn(_png(pixels(path)), f"{run.name}: {path.name}.", f"{run.name} {path.stem}") for run, path in found]


def first_seeds(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Of each method its first run that has drawn something."""
    first: dict[str, RunRecord] = {}
    for run in runs:
        if run.pictures():
            first.setdefault(run.method, run)
    return list(first.values())


def evenly(pictures: Mapping[int, Path], n: int) -> dict[int, Path]:
    """At most ``n`` pictures, the first and the last among them."""
    steps = sorted(pictures)
    chosen = np.linspace(0, len(steps) - 1, min(n, len(steps))).round().astype(int).tolist()
    return {steps[index]: pictures[steps[index]] for index in chosen}


def cropped(path: Path, shape: tuple[int, ...] | None) -> np.ndarray:
    """A picture ``[H, W, 3]`` for little room: of a grid of images its upper left quarter, of a plot what its frame holds.

    Sequences have a frame for each feature: all of them.
    """
    picture = pixels(path)
    if shape is not None and len(shape) == 2:
        return picture
    if shape is not None and len(shape) == 3:
        return picture[: picture.shape[0] // 2, : picture.shape[1] // 2]
    dark = picture.max(axis=2) < 140
    top, bottom = _between(np.flatnonzero(dark.mean(axis=1) > 0.4), len(picture))
    left, right = _between(np.flatnonzero(dark[top:bottom].mean(axis=0) > 0.95), picture.shape[1])
    return picture[top:bottom, left:right]


def _between(lines: np.ndarray, n: int) -> tuple[int, int]:
    """The widest room between two neighbours of ``lines`` (a colour bar beside the frame has such lines too); else all."""
    if len(lines) < 2 or (widths := np.diff(lines)).max() < n // 3:
        return 0, n
    at = int(widths.argmax())
    return int(lines[at]) + 1, int(lines[at + 1])


def frames(run: RunRecord) -> dict[int, bytes]:
    """Step -> a WebP of the samples at that step, ``SIDE`` pixels wide; empty with fewer than two pictures."""
    pictures = evenly(run.pictures(), FRAMES)
    return {step: _webp(_small(pixels(path))) for step, path in pictures.items()} if len(pictures) > 1 else {}


def animation(run: RunRecord) -> bytes:
    """The same frames as an animated GIF; the last one stays longer."""
    images = [_small(pixels(path)) for path in evenly(run.pictures(), FRAMES).values()]
    file = io.BytesIO()
    durations = [250] * (len(images) - 1) + [1500]
    images[0].save(file, format="GIF", save_all=True, append_images=images[1:], duration=durations, loop=0)
    return file.getvalue()


def pixels(path: Path) -> np.ndarray:
    """The picture ``[H, W, 3]``. Raises UserError where it cannot be read."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}.") from error


def _small(picture: np.ndarray) -> Image.Image:
    image = Image.fromarray(picture)
    return image.resize((SIDE, round(SIDE * image.height / image.width)), Image.Resampling.LANCZOS)


def _png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    return file.getvalue()


def _webp(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, format="WEBP", quality=85)
    return file.getvalue()
