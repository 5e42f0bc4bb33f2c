"""Checkpoints that are whole or not there, and exact."""

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from gan_cli import files
from gan_cli.errors import UserError, first_line

FORMAT = 3


def path_of(folder: Path, step: int) -> Path:
    """Where the checkpoint of ``step`` lies; names sort by step."""
    return folder / "checkpoints" / f"step_{step:08d}.pt"


def steps_in(folder: Path) -> list[int]:
    """The steps of which ``folder`` holds a checkpoint, ascending."""
    found = (re.fullmatch(r"step_(\d+)\.pt", path.name) for path in (folder / "checkpoints").glob("step_*.pt"))
    return sorted(int(match[1]) for match in found if match)


def save(folder: Path, step: int, state: Mapping[str, Any], keep: int | None = None) -> Path:
    """Writes ``state`` (tensors and plain data) as the checkpoint of ``step``; keeps the newest ``keep`` (None: all)."""
    buffer = io.BytesIO()
    # serialised in memory first: torch.save on a full disk destroys what it overwrites and hides the reason
    torch.save({"format": FORMAT, "step": step, **state}, buffer)
    path = path_of(folder, step)
    files.write_bytes(path, buffer.getvalue())
    if keep is not None:
        until_now = [other for other in steps_in(folder) if other <= step]  # a later one is damaged, or it would go on there
        for old in until_now[: -max(keep, 1)]:
            path_of(folder, old).unlink(missing_ok=True)
    return path


def load(path: Path) -> dict[str, Any]:
    """The state in ``path`` on the CPU; a UserError where the file is missing, damaged or of another program.

    Only tensors and plain data are read (``weights_only``), so a foreign checkpoint can run no code.
    """
    if not path.is_file():
        raise UserError(f"no checkpoint {path}.")
    try:
        # torch.load notices a truncated file but not a flipped bit; the archive's own checksums do
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise UserError(f"checkpoint {path} is damaged (checksum of {damaged}). Use an earlier one.")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:
        reason = first_line(error)
        raise UserError(f"checkpoint {path} cannot be read: {reason}. Use an earlier one.") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise UserError(f"{path} is not a checkpoint of this program (format {FORMAT}).")
    return state


def newest(folder: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """The newest readable checkpoint of a run (None where there is none), and a complaint about each unreadable newer one."""
    complaints: list[str] = []
    for step in reversed(steps_in(folder)):
        try:
            return load(path_of(folder, step)), complaints
        except UserError as error:
            complaints.append(str(error))
    if complaints:
        raise UserError(f"{folder} holds no readable checkpoint.\n{complaints[0]}")
    return None, complaints


@contextmanager
def fitting(folder: Path) -> Iterator[None]:
    """Turns what loading a state into players of another form raises inside into a UserError."""
    try:
        yield
    except (RuntimeError, KeyError, ValueError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise UserError(
            f"a checkpoint of {folder} does not fit its players: {lines[min(1, len(lines) - 1)]}\n"
            "The config or the code has changed since it was written."
        ) from error


def fingerprint(module: torch.nn.Module) -> str:
    """SHA-256 over all parameters and buffers: equal if and only if two players are equal to the bit."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
