"""Samples as files of their own, as arrays and as tables, written as they are generated."""

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.classes import file_names
from gan_cli.data.images.listing import IMAGE_SUFFIXES, listing
from gan_cli.errors import UserError
from gan_cli.inference import writers
from gan_cli.inference.formats import TABLE
from gan_cli.inference.load import LoadedRun
from gan_cli.inference.pictures import interpolated
from gan_cli.inference.request import Request
from gan_cli.inference.sources import translate_whole
from gan_cli.inference.writers import Write


class Drawn(NamedTuple):
    """Samples that are generated as they are asked for.

    Attributes:
        n: Their number.
        labels: Their labels ``[n]``, None if there are none.
        parts: The samples, some hundred at a time.
        stems: Names of their files without suffixes; None for 00000 and so on.
        sources: The files that they are translated from.
    """

    n: int
    labels: Tensor | None
    parts: Iterator[Tensor]
    stems: list[str] | None
    sources: frozenset[Path] = frozenset()


def draw(run: LoadedRun, request: Request) -> Drawn:
    """Return the samples that are asked for, of some classes, or translated from sources."""
    seed, seeds = request.cfg.seed, request.seeds
    if request.source is not None:
        sources = run.sources(request.source, request.n)
        parts = translate_whole(run.game, sources, seed) if request.fit == "whole" else run.chunks(None, seed, sources)
        return Drawn(len(sources), None, parts, sources.names, sources.files)
    if request.classes is not None:
        y = labels_of(run, request)
        seeds = None if seeds is None else seeds * len(request.classes)
        return Drawn(len(y), y, run.chunks(None, seed, y, seeds=seeds), stems(seeds))
    drawn = run.conditions(request.n, seed) if seeds is None else run.conditions_of(seeds)
    labels = drawn if drawn is not None and drawn.ndim == 1 and run.game.conditional else None
    given = labels if run.source is None else drawn
    return Drawn(request.n, labels, run.chunks(request.n, seed, given, seeds=seeds), stems(seeds))


def labels_of(run: LoadedRun, request: Request) -> Tensor:
    """Return the labels of samples of each of the classes, one class after the other."""
    assert request.classes is not None
    return run.labels_of(request.classes, request.n if request.seeds is None else request.n * len(request.classes))


def stems(seeds: list[int] | None) -> list[str] | None:
    """Return the names of files of single samples that have seeds of their own."""
    return None if seeds is None else [f"seed{seed:05d}" for seed in seeds]


def write_data(run: LoadedRun, request: Request, out: Path) -> int:
    """Write the samples themselves, as an array or a table; return their number."""
    if request.cfg.mode == "interpolation":
        x = interpolated(run, request).samples
        drawn = Drawn(len(x), None, iter([x]), None)
    else:
        drawn = draw(run, request)
    if out.suffix.lower() == TABLE:
        file = writers.table(out, run.series, run.shape)
    else:
        file = writers.array(out, drawn.n, run.series, further_entries(request, drawn))
    with file as write:
        for part in drawn.parts:
            write(part)
    return drawn.n


def further_entries(request: Request, drawn: Drawn) -> dict[str, np.ndarray]:
    """Return what an .npz file holds beside the samples: labels as ``arr_1``, seeds, and names of sources."""
    found: dict[str, Any] = {} if drawn.labels is None else {"arr_1": drawn.labels.numpy()}
    if request.seeds is not None and request.cfg.mode != "interpolation":
        found["seeds"] = np.tile(np.array(request.seeds, np.int64), drawn.n // len(request.seeds))
    if request.source is not None:
        found["names"] = np.array(drawn.stems)
    return found


def write_single(run: LoadedRun, request: Request, out: Path) -> int:
    """Write images one by one, or a table of points or sequences, in a folder for each of the classes that are asked for.

    Returns:
        The number of samples.

    Raises:
        UserError: If the folder holds images that would stay among the new ones.
    """
    n, labels, parts, names, sources = draw(run, request)
    keys = torch.zeros(n, dtype=torch.long) if request.classes is None or labels is None else labels
    classes = file_names(run.class_names, run.classes)
    folders = {c: out if request.classes is None else out / classes[c] for c in keys.unique().tolist()}
    of_class = Counter[int]()
    paths = []
    for index, c in enumerate(keys.tolist() if len(run.shape) == 3 else ()):
        paths.append(folders[c] / f"{f'{of_class[c]:05d}' if names is None else names[index]}.png")
        of_class[c] += 1
    if paths:
        if {path.resolve() for path in paths} & sources:
            raise UserError(f"out={out}: the translations would replace their sources. Choose another folder.")
        refuse_strays(out, paths)
    start, write = 0, dict[int, Write]()
    with ExitStack() as stack:
        for part in parts:
            if not write:  # from here on, an interruption leaves no mixture of earlier images and new ones
                for path in paths:
                    path.unlink(missing_ok=True)
                write = {c: stack.enter_context(writer(run, folders[c], paths, keys == c)) for c in folders}
            of_part = keys[start : start + len(part)]
            for c in of_part.unique().tolist():
                write[c](part[of_part == c])
            start += len(part)
    return n


def writer(run: LoadedRun, folder: Path, paths: list[Path], own: Tensor) -> AbstractContextManager[Write]:
    """Return the writer of single samples: a file for each image, or one table of all points or sequences in ``folder``.

    Args:
        run: The run.
        folder: Folder of the table.
        paths: Files of all images.
        own: Marks those that this writer writes.
    """
    if len(run.shape) == 3:
        return writers.image_files([path for path, is_own in zip(paths, own.tolist(), strict=True) if is_own])
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
