"""What is computed of the real samples once: on the disk, by content, for every later run.

Entries are files ``<key>.npz`` under ``default_folder()``: ``statistics/`` holds features and logits of real samples, about
5 kB a sample at 1280 dimensions. Whatever bears the name is complete. Nothing is ever deleted; the folder may be emptied at
any time.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.images.cache import default_folder
from gan_cli.files import atomic_write, file_lock, temporary_name
from gan_cli.metrics.features.base import Encoded, Features

FORMAT = 1
"""Part of every key: raise it when features are taken or written in another way."""

WAITING = "Waiting for another process that takes the features of the same real samples."


def encoded(features: Features, x: Tensor, y: Tensor | None = None) -> Encoded:
    """The real samples ``x`` ``[N, *shape]`` with their features and logits, which are taken of the same samples only once.

    The key is the content of ``x`` and the features' provenance. Features without ``weights`` in their provenance, such as
    the samples themselves, cost less than the disk and are not written there.
    """
    provenance = features.provenance
    if "weights" not in provenance:
        return features.encode(x, y)

    def compute() -> dict[str, Tensor]:
        taken, logits = features(x)
        return {"features": taken} if logits is None else {"features": taken, "logits": logits}

    key = content_key({"format": FORMAT, "provenance": provenance}, x)
    found = remembered(default_folder() / "statistics" / f"{key}.npz", compute, WAITING)
    return Encoded(x, found["features"], found.get("logits"), y)


def content_key(words: Any, *tensors: Tensor) -> str:
    """SHA-256, 64 hexadecimal digits, of plain data and of the types, shapes and values of tensors."""
    kinds = [(str(tensor.dtype), list(tensor.shape)) for tensor in tensors]
    digest = hashlib.sha256(json.dumps([words, kinds], sort_keys=True).encode())
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def remembered(path: Path, compute: Callable[[], dict[str, Tensor]], waiting: str) -> dict[str, Tensor]:
    """The named tensors in the file at ``path``; computed and written there if it does not hold them yet.

    Of several processes that ask at the same time one computes and the others wait for it, after saying ``waiting``. A
    damaged file is replaced. Where nothing can be written, a line on stderr says so once, and it is computed every time.
    """
    if (found := _read(path)) is not None:
        return found
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            alone = stack.enter_context(file_lock(path.with_name(f".{path.name}.lock"), waiting))
        except OSError as error:
            _complain(path.parent, error.strerror)
            return compute()
        if (found := _read(path)) is None:
            if path.exists():
                print(f"{path} is damaged: it is computed again.", file=sys.stderr)
            found = compute()
            try:
                _write(path, found, alone)
            except OSError as error:
                _complain(path.parent, error.strerror)
        return found


def _read(path: Path) -> dict[str, Tensor] | None:
    """None where there is no such file, or a damaged one."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            tensors = {name: torch.from_numpy(archive[name]) for name in archive.files}
        return tensors if torch.equal(tensors.pop("sha256"), _checksum(tensors)) else None
    except Exception:  # a flipped bit may come up as any of a dozen kinds
        return None


def _checksum(tensors: Mapping[str, Tensor]) -> Tensor:
    """SHA-256, uint8 ``[32]``: the archive's own checksums do not notice when one of its files is missing."""
    return torch.frombuffer(bytearray.fromhex(content_key(list(tensors), *tensors.values())), dtype=torch.uint8)


def _write(path: Path, tensors: Mapping[str, Tensor], alone: bool) -> None:
    if alone:  # then what other processes of this machine have begun here was killed
        for leftover in path.parent.glob(temporary_name(path, "*")):
            leftover.unlink(missing_ok=True)
    arrays = {name: tensor.numpy() for name, tensor in {**tensors, "sha256": _checksum(tensors)}.items()}
    with (
        atomic_write(path, durable=True) as unfinished,
        unfinished.open("wb") as file,
    ):  # savez adds a suffix to names, not to files
        np.savez(file, **arrays)  # type: ignore[arg-type]


@cache
def _complain(folder: Path, reason: str | None) -> None:
    print(
        f"Cannot write to {folder} ({reason}): what it would hold is computed every time. XDG_CACHE_HOME puts it elsewhere.",
        file=sys.stderr,
    )
