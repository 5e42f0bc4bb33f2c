"""What gan-sample does once its config is composed: pictures, files and tables of one checkpoint's samples."""

from pathlib import Path

import numpy as np
from omegaconf import DictConfig
from torch import Tensor

from gan_cli import drawing
from gan_cli.errors import UserError
from gan_cli.games.sampling import sampling_of
from gan_cli.inference.load import LoadedRun, load
from gan_cli.runs.console import Terminal, say

WALK = 8
"""Samples of one walk in an interpolation."""


def sample_command(cfg: DictConfig) -> Path:
    """Writes a grid, single samples, an interpolation or a traversal from one checkpoint, and returns what was written.

    Sequences come as a table too, in the data's own units: beside their picture, or alone.
    """
    run = load(
        cfg.run,
        cfg.checkpoint,
        cfg.ema,
        cfg.device,
        inverse=cfg.inverse,
        root=cfg.root,
        **(sampling := sampling_of(cfg)),
    )
    name = f"{cfg.mode}_step_{run.step:08d}_seed_{cfg.seed}"
    name += "".join(f"_{key}_{value:g}" for key, value in sampling.items())
    name += "_inverse" if cfg.inverse else ""
    out = Path(cfg.out) if cfg.out else run.folder / "samples" / (name if cfg.mode == "single" else f"{name}.png")
    n = {"grid": grid, "single": single, "interpolation": interpolation, "traversal": traversal}[cfg.mode](run, cfg, out)
    also = ""
    if len(run.shape) == 2 and cfg.mode != "single":
        also = f"{f' (the first {drawing.LINES} of them)' if n > drawing.LINES else ''} and {out.with_suffix('.csv').name}"
    say(Terminal(), f"{n} samples of step {run.step}: {out}{also}")
    return out


def grid(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """One picture of ``cfg.n`` samples, a row for each of ``cfg.classes``, beside their sources; the number of samples."""
    if cfg.classes is None:
        parts = run.picture_strips(cfg.n, cfg.seed, sources(run, cfg))
        if len(parts) == 1:
            return draw(run, parts[0], None, out)
        drawing.save_png(drawing.strips(parts), out)
        return len(parts[0])
    y = labels(run, cfg, cfg.n)
    return draw(run, run.sample(len(y), cfg.seed, y), len(y) // len(cfg.classes), out)


def single(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """``cfg.n`` samples by themselves, in a folder for each of ``cfg.classes``; their number."""
    if cfg.classes is None:
        samples = run.sample(cfg.n, cfg.seed, sources(run, cfg))
        write_each(run, samples, out)
        return len(samples)
    y = labels(run, cfg, cfg.n)
    samples = run.sample(len(y), cfg.seed, y)
    for c in y.unique().tolist():
        write_each(run, samples[y == c], out / str(c))
    return len(samples)


def interpolation(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """Walks of ``WALK`` samples, ``cfg.n`` in all, as many of each of ``cfg.classes``; the number of samples."""
    no_sources(cfg)
    columns = min(cfg.n, WALK)
    walks = -(-cfg.n // columns)
    if cfg.classes is None:
        return draw(run, run.interpolate(walks, columns, cfg.seed)[: cfg.n], columns, out, walk=True)
    y = run.labels_of(cfg.classes, walks)
    return draw(run, run.interpolate(len(y), columns, cfg.seed, y), columns, out, walk=True)


def traversal(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """What the codes do to images, one below the other; the number of samples."""
    no_sources(cfg)
    if cfg.classes is not None:
        raise UserError("classes and mode=traversal do not go together: the codes of a traversal are not the data's classes.")
    found = run.traverse(cfg.n, cfg.seed)
    drawing.save_png(drawing.panels(found), out)
    return sum(len(panel.images) for panel in found)


def sources(run: LoadedRun, cfg: DictConfig) -> Tensor | None:
    """The first ``cfg.n`` images of ``cfg.source``; None where nothing is said, so that held-out ones are translated."""
    return None if cfg.source is None else run.images(Path(cfg.source), cfg.n)


def no_sources(cfg: DictConfig) -> None:
    """UserError where ``cfg.source`` is named, but samples are laid along latents."""
    if cfg.source is not None:
        raise UserError(f"source and mode={cfg.mode} do not go together: take mode=grid or mode=single.")


def labels(run: LoadedRun, cfg: DictConfig, n: int) -> Tensor:
    """Labels of ``n`` samples of ``cfg.classes``; UserError where sources are named too."""
    if cfg.source is not None:
        raise UserError("source and classes do not go together: a sample has a source or a class.")
    return run.labels_of(cfg.classes, n)


def draw(run: LoadedRun, samples: Tensor, columns: int | None, out: Path, walk: bool = False) -> int:
    """A grid of images in so many columns, or a figure of points or sequences, with their table; the number of samples."""
    if len(run.shape) == 2:
        u = run.series.scaling.to_units(samples)
        drawing.save_png(drawing.sequences(u, run.series.names, walk=columns if walk else None), out)
        run.series.write(u, out.with_suffix(".csv"))
    else:
        drawing.save_png(drawing.grid(samples, columns) if len(run.shape) == 3 else drawing.points(samples.flatten(1)), out)
    return len(samples)


def write_each(run: LoadedRun, samples: Tensor, folder: Path) -> None:
    """Images as ``folder/00000.png`` ...; points as rows of ``folder/points.csv``, sequences of ``folder/sequences.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    if samples.ndim == 3:
        run.series.write(run.series.scaling.to_units(samples), folder / "sequences.csv")
    elif samples.ndim == 4:
        for index, image in enumerate(samples):
            drawing.save_png(drawing.picture(image), folder / f"{index:05d}.png")
    else:
        np.savetxt(folder / "points.csv", samples.flatten(1).numpy(), delimiter=",", fmt="%.9g")
