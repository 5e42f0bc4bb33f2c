"""The gan-sample command: pictures, files and tables of one checkpoint's samples."""

from pathlib import Path

import numpy as np
from omegaconf import DictConfig
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS

from gan_cli import drawing
from gan_cli.data.images.source import listing
from gan_cli.device import memory_errors_named
from gan_cli.errors import UserError
from gan_cli.games.sampling import sampling_of
from gan_cli.inference.load import LoadedRun, load
from gan_cli.runs.console import Terminal, say

WALK = 8
"""Number of samples of one walk in an interpolation."""


def sample_command(cfg: DictConfig) -> Path:
    """Write a grid, single samples, an interpolation or a traversal from one checkpoint.

    Sequences are also written as a table, in the data's own units.

    Args:
        cfg: Config of gan-sample.

    Returns:
        The file or folder that was written.

    Raises:
        UserError: If there is no checkpoint, or the game cannot be sampled in this way.
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
    name += ("_inverse" if cfg.inverse else "") + ("" if cfg.ema else "_without_ema")
    if cfg.classes is not None:
        name += f"_{len(cfg.classes)}_classes" if len(cfg.classes) > 10 else f"_classes_{'_'.join(map(str, cfg.classes))}"
    out = Path(cfg.out) if cfg.out else run.folder / "samples" / (name if cfg.mode == "single" else f"{name}.png")
    with memory_errors_named(cfg.device, "Lower n"):
        n = MODES[cfg.mode](run, cfg, out)
    table = ""
    if len(run.shape) == 2 and cfg.mode != "single":
        table = f"{f' (the first {drawing.LINES} of them)' if n > drawing.LINES else ''} and {out.with_suffix('.csv').name}"
    say(Terminal(), f"{n} samples of step {run.step}: {out}{table}")
    return out


def write_grid(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """Write one picture of ``cfg.n`` samples, with a row for each of ``cfg.classes`` or with sources; return their number."""
    if cfg.classes is None:
        parts = run.picture_strips(cfg.n, cfg.seed, source_images(run, cfg))
        if len(parts) == 1:
            return write_picture(run, parts[0], None, out)
        drawing.save_png(drawing.strips(parts), out)
        return len(parts[0])
    y = class_labels(run, cfg, cfg.n)
    return write_picture(run, run.sample(len(y), cfg.seed, y), len(y) // len(cfg.classes), out)


def write_single(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """Write ``cfg.n`` samples one by one, in a folder for each of ``cfg.classes``; return their number.

    Raises:
        UserError: If the folder holds images that would stay among the new ones.
    """
    if cfg.classes is None:
        samples = run.sample(cfg.n, cfg.seed, source_images(run, cfg))
        parts = {out: samples}
    else:
        y = class_labels(run, cfg, cfg.n)
        samples = run.sample(len(y), cfg.seed, y)
        parts = {out / str(c): samples[y == c] for c in y.unique().tolist()}
    if samples.ndim == 4:
        refuse_strays(out, [image_path(folder, index) for folder, part in parts.items() for index in range(len(part))])
    for folder, part in parts.items():
        write_each(run, part, folder)
    return len(samples)


def image_path(folder: Path, index: int) -> Path:
    """Return the file of one sample in a folder of samples."""
    return folder / f"{index:05d}.png"


def refuse_strays(folder: Path, images: list[Path]) -> None:
    """Refuse a folder with images beside ``images``: whatever is measured of the folder would include them.

    Raises:
        UserError: If there are any.
    """
    found = {folder / path for path, _, _ in listing(folder, IMG_EXTENSIONS)} if folder.is_dir() else set()
    if strays := sorted(found - {*images}):
        raise UserError(
            f"{folder} holds {len(strays)} image{'s' * (len(strays) > 1)} that this command does not replace, as "
            f"{strays[0].relative_to(folder)}. Remove the folder or choose another one with out=..."
        )


def write_interpolation(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """Write walks of ``WALK`` samples, ``cfg.n`` in all, equally many of each of ``cfg.classes``; return their number."""
    refuse_sources(cfg)
    columns = min(cfg.n, WALK)
    walks = -(-cfg.n // columns)
    if cfg.classes is None:
        return write_picture(run, run.interpolate(walks, columns, cfg.seed)[: cfg.n], columns, out, walk=True)
    y = run.labels_of(cfg.classes, walks)
    return write_picture(run, run.interpolate(len(y), columns, cfg.seed, y), columns, out, walk=True)


def write_traversal(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """Write a panel of images for each latent code, one below the other; return the number of samples."""
    refuse_sources(cfg)
    if cfg.classes is not None:
        raise UserError("classes cannot be used with mode=traversal: the codes of a traversal are not the data's classes.")
    panels = run.traverse(cfg.n, cfg.seed)
    drawing.save_png(drawing.panels(panels), out)
    return sum(len(panel.images) for panel in panels)


MODES = {"grid": write_grid, "single": write_single, "interpolation": write_interpolation, "traversal": write_traversal}
"""Writer of each mode; it returns the number of samples."""


def source_images(run: LoadedRun, cfg: DictConfig) -> Tensor | None:
    """Return the first ``cfg.n`` images of ``cfg.source``, or None to translate held-out ones."""
    return None if cfg.source is None else run.images(Path(cfg.source), cfg.n)


def refuse_sources(cfg: DictConfig) -> None:
    """Refuse ``cfg.source`` in a mode that varies latents.

    Raises:
        UserError: If a source is given.
    """
    if cfg.source is not None:
        raise UserError(f"source cannot be used with mode={cfg.mode}: choose mode=grid or mode=single.")


def class_labels(run: LoadedRun, cfg: DictConfig, n: int) -> Tensor:
    """Return labels of ``n`` samples of ``cfg.classes``.

    Raises:
        UserError: If a source is given, too.
    """
    if cfg.source is not None:
        raise UserError("source and classes cannot be used together: a sample has a source or a class.")
    return run.labels_of(cfg.classes, n)


def write_picture(run: LoadedRun, samples: Tensor, columns: int | None, out: Path, walk: bool = False) -> int:
    """Write a grid of images, or a figure of points or sequences with their table; return the number of samples.

    Args:
        run: The run that was sampled.
        samples: ``[n, *shape]``.
        columns: Number of columns of the grid, or samples of a walk. None: chosen by the number of samples.
        out: The PNG file.
        walk: True if consecutive sequences form walks.
    """
    if len(run.shape) == 2:
        u = run.series.scaling.to_units(samples)
        drawing.save_png(drawing.sequences(u, run.series.names, walk=columns if walk else None), out)
        run.series.write(u, out.with_suffix(".csv"))
    else:
        drawing.save_png(drawing.grid(samples, columns) if len(run.shape) == 3 else drawing.points(samples.flatten(1)), out)
    return len(samples)


def write_each(run: LoadedRun, samples: Tensor, folder: Path) -> None:
    """Write images as ``folder/00000.png`` ..., points to ``folder/points.csv``, sequences to ``folder/sequences.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    if samples.ndim == 3:
        run.series.write(run.series.scaling.to_units(samples), folder / "sequences.csv")
    elif samples.ndim == 4:
        for index, image in enumerate(samples):
            drawing.save_png(drawing.picture(image), image_path(folder, index))
    else:
        np.savetxt(folder / "points.csv", samples.flatten(1).numpy(), delimiter=",", fmt="%.9g")
