"""The gan-sample command: pictures, files and tables of one checkpoint's samples."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from gan_cli import drawing
from gan_cli.activity import activity
from gan_cli.config.names import folder_name
from gan_cli.data.classes import LISTED, LONGEST, file_names, name_of
from gan_cli.device import memory_errors_named
from gan_cli.errors import UserError, shortened_list
from gan_cli.games.sampling import sampling_of
from gan_cli.inference import walks
from gan_cli.inference.files import write_data, write_single
from gan_cli.inference.film import write_video
from gan_cli.inference.formats import check_out, is_data
from gan_cli.inference.load import LoadedRun, load
from gan_cli.inference.pictures import write_grid, write_interpolation, write_steered, write_traversal
from gan_cli.inference.request import Request
from gan_cli.runs.console import Terminal, displayed, say

CLASSES = {"grid": "rows", "single": "folders", "interpolation": "walks of", "traverse": "rows"}
"""Word of the output for the parts of a picture or folder that belong to one class, by mode."""
MODES = {
    "grid": write_grid,
    "single": write_single,
    "interpolation": write_interpolation,
    "traverse": write_traversal,
    "steer": write_steered,
    "video": write_video,
}
"""Writer of each mode; it returns the number of samples."""


def sample_command(cfg: DictConfig) -> Path:
    """Write a grid, single samples, walks between latents or traversals from one checkpoint.

    A picture of sequences is accompanied by a table of them, in the data's own units. A file of an array or a table takes the
    place of the picture.

    Args:
        cfg: Config of gan-sample.

    Returns:
        The file or folder that was written.

    Raises:
        UserError: If there is no checkpoint, or the game cannot be sampled in this way.
    """
    request = Request.of(cfg)
    run = load(
        cfg.run,
        cfg.checkpoint,
        cfg.ema,
        cfg.device,
        inverse=cfg.inverse,
        root=cfg.root,
        labels=cfg.labels,
        **sampling_of(cfg),
    )
    name = default_name(run, request)
    suffix = {"single": "", "video": ".mp4"}.get(cfg.mode, ".png")
    out = Path(cfg.out) if cfg.out else run.folder / "samples" / f"{name}{suffix}"
    check_out(out, cfg.mode, run.shape)
    if request.fit == "whole" and is_data(out):
        raise UserError(f"out={out}: with fit=whole samples have sizes of their own, and are written to a folder.")
    write = write_data if is_data(out) else MODES[cfg.mode]
    with memory_errors_named(cfg.device, "Lower n"), displayed(Console(stderr=True)), activity("writing samples"):
        n = write(run, request, out)
    table = ""
    if len(run.shape) == 2 and cfg.mode not in ("single", "video") and not is_data(out):
        table = f"{f' (the first {drawing.LINES} of them)' if n > drawing.LINES else ''} and {out.with_suffix('.csv').name}"
    labels = classes_in_words(run, request) if cfg.mode not in ("traverse", "steer", "video") else ""
    drawn = f"a film (step {run.step})" if cfg.mode == "video" else f"{n} samples of step {run.step}"
    say(Terminal(), f"{drawn}{labels}: {out}{table}")
    return out


def default_name(run: LoadedRun, request: Request) -> str:
    """Return the name of the file or folder without a suffix: the mode, the step, the seed, and whatever is not the default."""
    cfg = request.cfg
    name = f"{cfg.mode}_step_{run.step:08d}_"
    name += f"seed_{cfg.seed}" if cfg.seeds is None else f"seeds_{joined(cfg.seeds)}"
    name += "".join(f"_{key}_{value:g}" for key, value in sampling_of(cfg).items())
    name += ("_inverse" if cfg.inverse else "") + ("" if cfg.ema else "_without_ema")
    name += "" if cfg.labels == "data" else f"_{cfg.labels}_labels"
    name += f"_{cfg.film}" if cfg.mode == "video" else ""
    name += "" if cfg.target is None else f"_{folder_name(cfg.target)}"
    name += named_classes(run, request)
    name += "" if cfg.path is None else f"_{joined(cfg.path)}"
    name += "" if cfg.axes is None else f"_axes_{joined(cfg.axes)}"
    name += "" if cfg.columns is None else f"_columns_{cfg.columns}"
    name += "" if request.source is None else f"_from_{folder_name(request.source.resolve().name)}"
    return name + ("" if request.fit == "crop" else f"_{request.fit}")


def joined(words: Sequence[str]) -> str:
    """Return words as a part of a file's name; a hash of them if they are too long."""
    whole = "_".join(words)
    return whole if len(whole) <= LONGEST else f"{len(words)}_{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def named_classes(run: LoadedRun, request: Request) -> str:
    """Return the classes as a part of a file's name: the names of up to ten, or else a hash of their labels."""
    if request.classes is None:
        return ""
    labels = run.labels_of(request.classes, 1).tolist()
    files = file_names(run.class_names, run.classes)
    names = "_".join(files[label] for label in labels)
    if len(labels) > 10 or len(names) > LONGEST:
        names = f"{len(labels)}_{hashlib.sha256(repr(labels).encode()).hexdigest()[:8]}"
    return f"_classes_{names}"


def classes_in_words(run: LoadedRun, request: Request) -> str:
    """Return the law of the labels, or the classes in the order of the rows or folders, with a comma before it."""
    if request.classes is None:
        return run.labels.in_words()
    names = [name_of(label, run.class_names) for label in run.labels_of(request.classes, 1).tolist()]
    word = "walks through" if walks.CLASSES in request.paths else CLASSES[request.cfg.mode]
    return f", {word} {shortened_list(names, LISTED)}"
