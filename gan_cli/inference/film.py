"""Films: a run's training and closed walks through its latents, as MP4 and GIF."""

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from gan_cli import checks, drawing
from gan_cli.errors import UserError
from gan_cli.files import atomic_write
from gan_cli.games.sampling import decode
from gan_cli.inference import walks
from gan_cli.inference.load import LoadedRun, load
from gan_cli.inference.request import Request
from gan_cli.randomness import fork_rng
from gan_cli.runs import checkpoint

STOPS = 4
"""Number of latents that a walk leads through, unless they are given by seeds."""
HELD = 1.5
"""Seconds for which the last picture of a training is shown longer."""
CAPTION = 22
"""Height of a caption in pixels."""
SHORTEST = 0.02
"""Seconds of a picture that programs show GIFs with, at least."""


class Film(NamedTuple):
    """Pictures that are drawn as they are asked for.

    Attributes:
        pictures: uint8 ``[H, W, 3]`` each.
        seconds: How long each of them is shown.
        samples: Number of samples in all pictures.
    """

    pictures: Iterator[np.ndarray]
    seconds: Sequence[float]
    samples: int


def write_video(run: LoadedRun, request: Request, out: Path) -> int:
    """Write the film that is asked for; return the number of samples in it.

    Raises:
        UserError: If there is nothing to film, or the package for MP4 is missing.
    """
    mp4 = out.suffix.lower() == ".mp4"
    if mp4:
        checks.package("av", "video", "an .mp4 file")
    film = FILMS[request.cfg.film](run, request)
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(out) as unfinished:
        write = write_mp4 if mp4 else write_gif
        write(film, unfinished, request.cfg.fps)
    return film.samples


def of_training(run: LoadedRun, request: Request) -> Film:
    """Return the pictures of samples that the training has left, with their steps."""
    files = sorted((run.folder / "samples").glob("step_*.png"))
    if len(files) < 2:
        raise UserError(
            f"{run.folder} holds {len(files)} pictures of its training, as sample_every={run.config.sample_every} left them.\n"
            "film=checkpoints draws new ones."
        )
    pictures = (captioned(_read(file), f"step {int(file.stem.removeprefix('step_'))}") for file in files)
    return Film(pictures, _held(len(files), request.cfg.seconds), len(files))


def of_checkpoints(run: LoadedRun, request: Request) -> Film:
    """Return pictures of the same latents at each checkpoint."""
    cfg, steps = request.cfg, checkpoint.steps_in(run.folder)
    if len(steps) < 2:
        raise UserError(f"film=checkpoints needs at least two checkpoints, and {run.folder} holds {len(steps)}.")

    def pictures() -> Iterator[np.ndarray]:
        for step in steps:
            one = load(run.folder, step, cfg.ema, cfg.device, inverse=cfg.inverse, root=cfg.root, labels=cfg.labels)
            yield captioned(picture(one, one.picture_strips(request.n, cfg.seed, seeds=request.seeds)), f"step {step}")

    return Film(pictures(), _held(len(steps), cfg.seconds), request.n * len(steps))


def of_walk(run: LoadedRun, request: Request) -> Film:
    """Return pictures of walks that end where they begin, side by side, or of one through given seeds."""
    if len(run.shape) != 3:
        raise UserError("film=walk needs images, and this run's samples are not images. Choose film=checkpoints.")
    run.need_latents("film=walk")
    cfg, seeds = request.cfg, request.seeds
    frames = max(2, round(cfg.seconds * cfg.fps))
    n = request.n if seeds is None else 1
    stops = run.latents(STOPS * n if seeds is None else len(seeds), cfg.seed, seeds).unflatten(0, (-1, n))
    if len(stops) < 2:
        raise UserError("seeds: a walk leads from seed to seed, so name at least two.")
    way = walks.way(run.game, request.paths[0])
    if way is None:
        raise UserError("path=pixels: a film walks through latents: choose slerp or lerp.")
    y = run.conditions(n, cfg.seed)
    lengths = [frames * (i + 1) // len(stops) - frames * i // len(stops) for i in range(len(stops))]

    def pictures() -> Iterator[np.ndarray]:
        for (start, end), steps in zip(pairwise([*stops, stops[0]]), lengths, strict=True):
            path = walks.between(way, start, end, steps + 1).unflatten(0, (n, steps + 1))
            for latents in path[:, :steps].transpose(0, 1):
                with fork_rng(cfg.seed, run.game.device):
                    yield picture(run, [decode(run.game, latents, y)])

    return Film(pictures(), [1 / cfg.fps] * frames, n * frames)


FILMS = {"training": of_training, "checkpoints": of_checkpoints, "walk": of_walk}
"""Films by the values of ``film``."""


def picture(run: LoadedRun, strips: Sequence[torch.Tensor]) -> np.ndarray:
    """Return a picture of samples of any kind."""
    if len(run.shape) == 3:
        return drawing.strips(strips)
    if len(run.shape) == 2:
        return drawing.sequences(run.series.scaling.to_units(strips[0]), run.series.names)
    return drawing.points(strips[0].flatten(1))


def captioned(pixels: np.ndarray, words: str) -> np.ndarray:
    """Return a picture with a line of text above it."""
    height, width = pixels.shape[:2]
    page = Image.new("RGB", (width, height + CAPTION), "white")
    page.paste(Image.fromarray(pixels), (0, CAPTION))
    ImageDraw.Draw(page).text((4, 3), words, fill="black", font=ImageFont.load_default(14))
    return np.asarray(page)


def write_gif(film: Film, path: Path, fps: int) -> None:
    """Write a GIF that begins again when it ends."""
    pictures = (Image.fromarray(one) for one in same_size(film.pictures))
    durations = [round(1000 * max(SHORTEST, seconds)) for seconds in film.seconds]
    first = next(pictures)
    first.save(path, format="GIF", save_all=True, append_images=pictures, duration=durations, loop=0)


def write_mp4(film: Film, path: Path, fps: int) -> None:
    """Write an MP4 file, H.264 where the package has its encoder."""
    import av

    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264" if "libx264" in av.codecs_available else "mpeg4", rate=fps)
        stream.pix_fmt = "yuv420p"
        for index, (pixels, seconds) in enumerate(zip(same_size(film.pictures), film.seconds, strict=True)):
            if not index:
                stream.height, stream.width = pixels.shape[:2]
            for _ in range(max(1, round(seconds * fps))):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))


def same_size(pictures: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield pictures of the first one's size, made even as encoders need it, on white and cut where they are larger."""
    first = next(pictures)
    height, width = (side + side % 2 for side in first.shape[:2])
    for pixels in chain([first], pictures):
        page = np.full((height, width, 3), 255, np.uint8)
        part = pixels[:height, :width]
        page[: part.shape[0], : part.shape[1]] = part
        yield page


def _read(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def _held(n: int, seconds: float) -> list[float]:
    """Return equal times of ``n`` pictures, of which the last one is shown longer."""
    each = seconds / n
    return [*[each] * (n - 1), each + HELD]
