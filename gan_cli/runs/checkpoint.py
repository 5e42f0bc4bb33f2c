"""Checkpoints: atomic, checksummed and exact."""

import hashlib
import io
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import torch
from torch import Tensor

from gan_cli import files
from gan_cli.config.form import FormError, require, require_bounded
from gan_cli.config.stored import plain_config
from gan_cli.errors import EarlierVersionError, UserError, warn, why_unloadable
from gan_cli.runs.folder import steps_in as steps_in

FORMAT = 4
"""Version of the checkpoint format; checkpoints of earlier versions are refused."""
BLOCK = 1 << 20
"""Bytes that are hashed at a time."""
ADVICE = " Use an earlier one."
"""The end of the message about a checkpoint that cannot be read."""


class SeriesState(TypedDict):
    """Names, scaling and protocol of sequences."""

    names: list[str]
    low: list[float]
    high: list[float]
    protocol: str | None


class DataState(TypedDict):
    """The description of the data set in a checkpoint."""

    shape: list[int]
    classes: int
    class_names: NotRequired[list[str]]
    class_counts: NotRequired[list[int] | None]
    source: list[int] | None
    series: SeriesState | None
    signature: Tensor


class BatchesState(TypedDict):
    """The position in the training batches, and the state of a data set that has one."""

    position: int
    samples: int
    dataset: NotRequired[Any]


class State(TypedDict):
    """The content of a checkpoint."""

    format: int
    step: int
    config: dict[str, Any]
    data: DataState
    game: dict[str, Any]
    ema: dict[str, Any]
    objective: dict[str, Any]
    solver: dict[str, Any]
    parts: dict[str, Any]
    batches: BatchesState
    random: dict[str, Any]


def path_of(folder: Path, step: int) -> Path:
    """Return the path of the checkpoint of ``step``; names sort by step."""
    return folder / "checkpoints" / f"step_{step:08d}.pt"


def save(folder: Path, step: int, state: Mapping[str, Any], keep: int | None = None, spared: Collection[int] = ()) -> Path:
    """Write ``state`` as the checkpoint of ``step``.

    Args:
        folder: Folder of the run.
        step: Number of rounds played.
        state: Tensors and plain data.
        keep: Number of newest checkpoints to keep; at least two are kept. None: all.
        spared: Steps of checkpoints that are kept beside them.

    Returns:
        The path of the checkpoint.
    """
    buffer = io.BytesIO()
    # serialise in memory first: on a full disk torch.save destroys the file it overwrites and hides the cause
    torch.save({"format": FORMAT, "step": step, **state}, buffer)
    path = path_of(folder, step)
    files.write_bytes(path, _sealed(buffer.getvalue()))
    if keep is not None:
        # checkpoints of later steps are damaged ones, otherwise the run would have continued from them
        until_now = [other for other in steps_in(folder) if other <= step]
        for old in set(until_now[: -max(keep, 2)]) - set(spared):  # one damaged file must not end a run
            path_of(folder, old).unlink(missing_ok=True)
    return path


def _sealed(archive: bytes) -> bytes:
    """Return a zip archive with the SHA-256 hash of all bytes before it as its comment.

    torch.load detects a truncated file but not a flipped bit. The checksums of the archive cover its members, but not its
    directory, where one bit makes torch read a member as zeros.
    """
    return archive[:-2] + _seal(hashlib.sha256(archive[:-2]))  # the last two bytes are the length of the comment


def _seal(digest: "hashlib._Hash") -> bytes:
    comment = digest.hexdigest().encode()
    return len(comment).to_bytes(2, "little") + comment


def _is_intact(path: Path) -> bool:
    """Return whether a sealed checkpoint is as it was written."""
    digest = hashlib.sha256()
    left = path.stat().st_size - len(_seal(digest))
    with path.open("rb") as file:
        while left > 0 and (block := file.read(min(left, BLOCK))):
            digest.update(block)
            left -= len(block)
        return file.read() == _seal(digest)


def load(path: Path) -> dict[str, Any]:
    """Load a checkpoint to the CPU.

    Only tensors and plain data are read (``weights_only``), so that a foreign checkpoint cannot run code.

    Raises:
        EarlierVersionError: If an earlier version wrote it.
        UserError: If the file is missing, damaged, or not a checkpoint of this program.
    """
    if not path.is_file():
        raise UserError(f"no checkpoint {path}.")
    try:
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise UserError(f"{path} is not a checkpoint of this program: it is compressed, and could expand to any size.")
            is_sealed, damaged = bool(archive.comment), archive.testzip()
        if damaged or (is_sealed and not _is_intact(path)):
            raise UserError(f"checkpoint {path} is damaged (checksum of {damaged or 'the file'}).{ADVICE}")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"checkpoint {path} cannot be read: {why_unloadable(error)}.{ADVICE}") from error
    written = state.get("format") if isinstance(state, dict) else None
    if isinstance(written, int) and written < FORMAT:
        raise EarlierVersionError(path)
    if not isinstance(state, dict) or written != FORMAT:
        raise UserError(f"{path} is not a checkpoint of this program (format {FORMAT}).")
    if not is_sealed:
        raise UserError(f"checkpoint {path} is damaged, or was not written by this program: it has no checksum.{ADVICE}")
    try:
        require_bounded({**state, "config": None})
        require(state, State)
        _require_sizes(state)
    except FormError as error:
        raise UserError(f"{path} is not a checkpoint of this program: {error}.") from error
    return {**state, "config": plain_config(state["config"], path)}


def _require_sizes(state: Mapping[str, Any]) -> None:
    """Check that a checkpoint describes data that can exist.

    Raises:
        FormError: If it does not.
    """
    shape, source, series = (state["data"][name] for name in ("shape", "source", "series"))
    for name, sides in (("shape", shape), ("source", [1] if source is None else source)):
        if not 1 <= len(sides) <= 3 or min(sides) < 1:
            raise FormError(f"data.{name} is {sides}")
    if state["step"] < 0 or state["data"]["classes"] < 0:
        raise FormError("step or data.classes is negative")
    if series is not None and {len(series[name]) for name in ("names", "low", "high")} != {shape[-1]}:
        raise FormError("data.series does not fit data.shape")


def newest(folder: Path, tell: Callable[[str], None] = warn) -> dict[str, Any] | None:
    """Load the newest readable checkpoint of a run.

    Args:
        folder: Folder of the run.
        tell: Called with a message for each newer checkpoint that is not readable.

    Returns:
        The state, or None if there is no checkpoint.

    Raises:
        EarlierVersionError: If an earlier version made the run.
        UserError: If no checkpoint is readable.
    """
    problems: list[str] = []
    for step in reversed(steps_in(folder)):
        try:
            state = load(path_of(folder, step))
        except EarlierVersionError:
            raise EarlierVersionError(folder) from None
        except UserError as error:
            problems.append(str(error).removesuffix(ADVICE))
            continue
        for problem in problems:
            tell(f"{problem} The checkpoint of step {step} is used.")
        return state
    if problems:
        raise UserError(f"{folder} holds no readable checkpoint.\n{problems[0]}")
    return None


@contextmanager
def fitting(folder: Path) -> Iterator[None]:
    """Turn errors of loading a state that has another form than the run's parts into a UserError."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise UserError(
            f"a checkpoint of {folder} does not fit its players: {lines[min(1, len(lines) - 1)]}\n"
            "The config or the code has changed since it was written."
        ) from error


def fingerprint(module: torch.nn.Module) -> str:
    """Return the SHA-256 hash of all parameters and buffers: equal if and only if two players are equal to the bit."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
