"""The gan-sample command: pictures, files and tables of one checkpoint's samples."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor

from gan_cli import drawing
from gan_cli.activity import activity
from gan_cli.config.names import folder_name
from gan_cli.data.classes import LISTED, LONGEST, file_names, name_of
from gan_cli.data.images.listing import IMAGE_SUFFIXES, listing
from gan_cli.device import memory_errors_named
from gan_cli.errors import UserError, shortened_list
from gan_cli.games.sampling import Readable, sampling_of
from gan_cli.inference import writers
from gan_cli.inference.formats import TABLE, check_out, is_data
from gan_cli.inference.load import LoadedRun, load
from gan_cli.inference.writers import Write, image_path
from gan_cli.runs.console import Terminal, displayed, say

WALK = 8
"""Number of samples of one walk in an interpolation."""
CLASSES = {"grid": "rows", "single": "folders", "interpolation": "walks of"}
"""Word of the output for the parts of a picture or folder that belong to one class, by mode."""


def sample_command(cfg: DictConfig) -> Path:
    """Write a grid, single samples, an interpolation or a traversal from one checkpoint.

    A picture of sequences is accompanied by a table of them, in the data's own units. A file of an array or a table takes the
    place of the picture.

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
        labels=cfg.labels,
        **(sampling := sampling_of(cfg)),
    )
    check_classes(cfg)
    name = f"{cfg.mode}_step_{run.step:08d}_seed_{cfg.seed}"
    name += "".join(f"_{key}_{value:g}" for key, value in sampling.items())
    name += ("_inverse" if cfg.inverse else "") + ("" if cfg.ema else "_without_ema")
    name += "" if cfg.labels == "data" else f"_{cfg.labels}_labels"
    name += named_classes(run, cfg)
    name += "" if cfg.source is None else f"_from_{folder_name(Path(cfg.source).resolve().name)}"
    out = Path(cfg.out) if cfg.out else run.folder / "samples" / (name if cfg.mode == "single" else f"{name}.png")
    check_out(out, cfg.mode, run.shape)
    write = write_data if is_data(out) else MODES[cfg.mode]
    with memory_errors_named(cfg.device, "Lower n"), displayed(Console(stderr=True)), activity("writing samples"):
        n = write(run, cfg, out)
    table = ""
    if len(run.shape) == 2 and cfg.mode != "single" and not is_data(out):
        table = f"{f' (the first {drawing.LINES} of them)' if n > drawing.LINES else ''} and {out.with_suffix('.csv').name}"
    labels = classes_in_words(run, cfg) if cfg.mode != "traversal" else ""
    say(Terminal(), f"{n} samples of step {run.step}{labels}: {out}{table}")
    return out


def named_classes(run: LoadedRun, cfg: DictConfig) -> str:
    """Return ``cfg.classes`` as a part of a file's name: the names of up to ten, or else a hash of their labels."""
    if cfg.classes is None:
        return ""
    labels = run.labels_of(cfg.classes, 1).tolist()
    files = file_names(run.class_names, run.classes)
    joined = "_".join(files[label] for label in labels)
    if len(labels) > 10 or len(joined) > LONGEST:
        joined = f"{len(labels)}_{hashlib.sha256(repr(labels).encode()).hexdigest()[:8]}"
    return f"_classes_{joined}"


def classes_in_words(run: LoadedRun, cfg: DictConfig) -> str:
    """Return the law of the labels, or the classes in the order of the rows or folders, with a comma before it."""
    if cfg.classes is None:
        return run.labels.in_words()
    names = [name_of(label, run.class_names) for label in run.labels_of(cfg.classes, 1).tolist()]
    return f", {CLASSES[cfg.mode]} {shortened_list(names, LISTED)}"


def write_grid(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """Write one picture of ``cfg.n`` samples, with a row for each of ``cfg.classes`` or with sources; return their number."""
    if cfg.classes is None:
        sources = source_images(run, cfg)
        parts = run.picture_strips(cfg.n, cfg.seed, None if sources is None else sources[:])
        if len(parts) == 1:
            return write_picture(run, parts[0], None, out)
        drawing.save_picture(as_drawn(drawing.strips(parts), *parts), out)
        return len(parts[0])
    y = run.labels_of(cfg.classes, cfg.n)
    return write_picture(run, run.sample(len(y), cfg.seed, y), len(y) // len(cfg.classes), out)


class Drawn(NamedTuple):
    """Samples that are generated as they are asked for.

    Attributes:
        n: Their number.
        labels: Their labels ``[n]``, None if there are none.
        parts: The samples, some hundred at a time.
    """

    n: int
    labels: Tensor | None
    parts: Iterator[Tensor]


def draw(run: LoadedRun, cfg: DictConfig) -> Drawn:
    """Return ``cfg.n`` samples, of ``cfg.classes`` or translated from ``cfg.source`` if one of them is given."""
    y: Tensor | Readable | None
    y = source_images(run, cfg) if cfg.classes is None else run.labels_of(cfg.classes, cfg.n)
    y = run.conditions(cfg.n, cfg.seed) if y is None else y
    labels = y if isinstance(y, Tensor) and y.ndim == 1 and run.game.conditional else None
    return Drawn(cfg.n if y is None else len(y), labels, run.chunks(cfg.n, cfg.seed, y))


def write_data(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """Write the samples themselves, as an array or a table; return their number."""
    if cfg.mode == "interpolation":
        x, _ = walks(run, cfg)
        n, labels, parts = Drawn(len(x), None, iter([x]))
    else:
        n, labels, parts = draw(run, cfg)
    is_table = out.suffix.lower() == TABLE
    file = writers.table(out, run.series, run.shape) if is_table else writers.array(out, n, run.series, labels)
    with file as write:
        for part in parts:
            write(part)
    return n


def write_single(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """Write ``cfg.n`` images one by one, or a table of points or sequences, in a folder for each of ``cfg.classes``.

    Returns:
        The number of samples.

    Raises:
        UserError: If the folder holds images that would stay among the new ones.
    """
    n, labels, parts = draw(run, cfg)
    keys = torch.zeros(n, dtype=torch.long) if cfg.classes is None or labels is None else labels
    counts = Counter(keys.tolist())
    names = file_names(run.class_names, run.classes)
    folders = {c: out if cfg.classes is None else out / names[c] for c in counts}
    are_images = len(run.shape) == 3
    replaced = [image_path(folders[c], index) for c in counts for index in range(counts[c] if are_images else 0)]
    if are_images:
        refuse_strays(out, replaced)
    start, write = 0, dict[int, Write]()
    with ExitStack() as stack:
        for part in parts:
            if not write:  # from here on, an interruption leaves no mixture of earlier images and new ones
                for path in replaced:
                    path.unlink(missing_ok=True)
                write = {c: stack.enter_context(writer(run, folder)) for c, folder in folders.items()}
            of_part = keys[start : start + len(part)]
            for c in of_part.unique().tolist():
                write[c](part[of_part == c])
            start += len(part)
    return n


def writer(run: LoadedRun, folder: Path) -> AbstractContextManager[Write]:
    """Return the writer of single samples: a file for each image, or one table of all points or sequences in ``folder``."""
    if len(run.shape) == 3:
        return writers.image_files(folder)
    return writers.table(folder / ("sequences.csv" if len(run.shape) == 2 else "points.csv"), run.series, run.shape)


def refuse_strays(folder: Path, images: list[Path]) -> None:
    """Refuse a folder with images beside ``images``: whatever is measured of the folder would include them.

    Raises:
        UserError: If there are any.
    """
    found = {folder / path for path, _, _ in listing(folder, IMAGE_SUFFIXES)} if folder.is_dir() else set()
    if strays := sorted(found - {*images}):
        raise UserError(
            f"{folder} holds {len(strays)} image{'s' * (len(strays) > 1)} that this command does not replace, as "
            f"{strays[0].relative_to(folder)}. Remove the folder or choose another one with out=..."
        )


def write_interpolation(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """Write walks of ``WALK`` samples, ``cfg.n`` in all, equally many of each of ``cfg.classes``; return their number."""
    samples, columns = walks(run, cfg)
    return write_picture(run, samples, columns, out, walk=True)


def walks(run: LoadedRun, cfg: DictConfig) -> tuple[Tensor, int]:
    """Return the samples of the walks of an interpolation, one walk after the other, and the number of samples in each."""
    refuse_sources(cfg)
    columns = min(cfg.n, WALK)
    n_walks = -(-cfg.n // columns)
    if cfg.classes is None:
        return run.interpolate(n_walks, columns, cfg.seed)[: cfg.n], columns
    y = run.labels_of(cfg.classes, n_walks)
    return run.interpolate(len(y), columns, cfg.seed, y), columns


def write_traversal(run: LoadedRun, cfg: DictConfig, out: Path) -> int:
    """Write a panel of images for each latent code, one below the other; return the number of samples."""
    refuse_sources(cfg)
    panels = run.traverse(cfg.n, cfg.seed)
    drawing.save_picture(drawing.panels_figure(panels), out)
    return sum(len(panel.images) for panel in panels)


MODES = {"grid": write_grid, "single": write_single, "interpolation": write_interpolation, "traversal": write_traversal}
"""Writer of each mode; it returns the number of samples."""


def source_images(run: LoadedRun, cfg: DictConfig) -> Readable | None:
    """Return the first ``cfg.n`` images of ``cfg.source``, or None to translate held-out ones."""
    return None if cfg.source is None else run.sources(Path(cfg.source), cfg.n)


def refuse_sources(cfg: DictConfig) -> None:
    """Refuse ``cfg.source`` in a mode that varies latents.

    Raises:
        UserError: If a source is given.
    """
    if cfg.source is not None:
        raise UserError(f"source cannot be used with mode={cfg.mode}: choose mode=grid or mode=single.")


def check_classes(cfg: DictConfig) -> None:
    """Check that ``cfg.classes`` can be used with the mode and the sources.

    Raises:
        UserError: If they cannot.
    """
    if cfg.classes is None:
        return
    if cfg.mode == "traversal":
        raise UserError("classes cannot be used with mode=traversal: the codes of a traversal are not the data's classes.")
    if cfg.source is not None:
        raise UserError("source and classes cannot be used together: a sample has a source or a class.")


def write_picture(run: LoadedRun, samples: Tensor, columns: int | None, out: Path, walk: bool = False) -> int:
    """Write a grid of images, or a figure of points or sequences with their table; return the number of samples.

    Args:
        run: The run that was sampled.
        samples: ``[n, *shape]``.
        columns: Number of columns of the grid, or samples of a walk. None: chosen by the number of samples.
        out: The file of the picture.
        walk: True if consecutive sequences form walks.
    """
    if len(run.shape) == 2:
        u = run.series.scaling.to_units(samples)
        drawing.save_picture(drawing.sequences_figure(u, run.series.names, walk=columns if walk else None), out)
        run.series.write(u, out.with_suffix(".csv"))
    elif len(run.shape) == 3:
        drawing.save_picture(as_drawn(drawing.grid(samples, columns), samples), out)
    else:
        drawing.save_picture(drawing.points_figure(samples.flatten(1)), out)
    return len(samples)


def as_drawn(picture: np.ndarray, *images: Tensor) -> np.ndarray:
    """Return a picture ``[H, W, 3]`` of these images with one channel, ``[H, W]``, unless some of them are in colour."""
    return picture if any(part.shape[1] == 3 for part in images) else picture[..., 0]
