"""A disk cache, addressed by content, for the features of real samples.

Entries are files ``<key>.npz`` under ``default_folder()``; ``statistics/`` holds features and logits of real samples, about
5 kB per sample at 1280 dimensions. Writes are atomic: a file with its final name is complete. Entries are never deleted
automatically; the folder may be emptied at any time.
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

from gan_cli.activity import activity
from gan_cli.data.images.cache import default_folder
from gan_cli.files import atomic_write, file_lock, regular, temporary_name
from gan_cli.metrics.features.base import Encoded, Features

FORMAT = 1
"""Part of every key: increase it if features are computed or stored differently."""

WAITING = "Waiting for another process that computes the features of the same real samples."


def encode_cached(
    features: Features,
    x: Tensor,
    y: Tensor | None = None,
    compute_features: Callable[[Tensor], tuple[Tensor, Tensor | None]] | None = None,
) -> Encoded:
    """Return real samples with their features and logits, which are computed only once for the same samples.

    The key is the content of ``x`` and the features' provenance. Features without ``weights`` in their provenance, such as
    the samples themselves, are cheaper to compute than to store and are not cached.

    Args:
        features: The feature space.
        x: Real samples ``[N, *shape]``.
        y: Labels, int64 ``[N]``, or None.
        compute_features: Computes features and logits that are not cached. None: ``features`` does.
    """
    provenance = features.provenance
    if "weights" not in provenance:
        return features.encode(x, y)

    def compute() -> dict[str, Tensor]:
        with activity("features of real samples, once", len(x), counts_samples=True):
            values, logits = (compute_features or features)(x)
        return {"features": values} if logits is None else {"features": values, "logits": logits}

    def fits(tensors: Mapping[str, Tensor]) -> bool:
        known = "features" in tensors and tensors.keys() <= {"features", "logits"}
        rows = all(value.ndim == 2 and len(value) == len(x) and value.is_floating_point() for value in tensors.values())
        return known and rows

    key = content_key({"format": FORMAT, "provenance": provenance}, x)
    cached = load_or_compute(default_folder() / "statistics" / f"{key}.npz", compute, fits, WAITING)
    return Encoded(x, cached["features"], cached.get("logits"), y)


def content_key(metadata: Any, *tensors: Tensor) -> str:
    """Return the SHA-256, 64 hexadecimal digits, of plain data and of the dtypes, shapes and values of tensors."""
    kinds = [(str(tensor.dtype), list(tensor.shape)) for tensor in tensors]
    digest = hashlib.sha256(json.dumps([metadata, kinds], sort_keys=True).encode())
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_or_compute(
    path: Path, compute: Callable[[], dict[str, Tensor]], fits: Callable[[Mapping[str, Tensor]], bool], waiting: str
) -> dict[str, Tensor]:
    """Return the named tensors stored at ``path``; compute and store them if they are not there yet.

    If several processes ask at the same time, one computes and the others wait. A file that is damaged, or holds
    other tensors than it should, is replaced. If the folder is
    not writable, a warning is printed to stderr once, and the tensors are computed every time.

    Args:
        path: File of the entry, ``<key>.npz``.
        compute: Function that returns the tensors by name.
        fits: Function that returns True if stored tensors have the names and shapes of computed ones.
        waiting: Message that is printed while another process computes the same entry.
    """
    if (tensors := _read(path)) is not None and fits(tensors):
        return tensors
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            alone = stack.enter_context(file_lock(path.with_name(f".{path.name}.lock"), waiting))
        except OSError as error:
            _warn_not_writable(path.parent, error.strerror)
            return compute()
        if (tensors := _read(path)) is None or not fits(tensors):
            if path.exists():
                print(f"{path} is damaged and is computed again.", file=sys.stderr)
            tensors = compute()
            try:
                _write(path, tensors, alone)
            except OSError as error:
                _warn_not_writable(path.parent, error.strerror)
        return tensors


def _read(path: Path) -> dict[str, Tensor] | None:
    """Return the stored tensors, or None if the file is missing or damaged."""
    try:
        with open(regular(path), "rb") as file, np.load(file, allow_pickle=False) as archive:
            tensors = {name: torch.from_numpy(archive[name]) for name in archive.files}
        return tensors if torch.equal(tensors.pop("sha256"), _checksum(tensors)) else None
    except Exception:  # a flipped bit may raise any of a dozen exception types
        return None


def _checksum(tensors: Mapping[str, Tensor]) -> Tensor:
    """Return a SHA-256, uint8 ``[32]``: the archive's own checksums do not detect that a member is missing."""
    return torch.frombuffer(bytearray.fromhex(content_key(list(tensors), *tensors.values())), dtype=torch.uint8)


def _write(path: Path, tensors: Mapping[str, Tensor], alone: bool) -> None:
    if alone:  # no other process is writing, so temporary files are leftovers of killed processes
        for leftover in path.parent.glob(temporary_name(path, "*")):
            leftover.unlink(missing_ok=True)
    arrays = {name: tensor.numpy() for name, tensor in {**tensors, "sha256": _checksum(tensors)}.items()}
    with (
        atomic_write(path, durable=True) as unfinished,
        unfinished.open("wb") as file,
    ):  # savez appends a suffix to file names, but not to open files
        np.savez(file, **arrays)  # type: ignore[arg-type]


@cache
def _warn_not_writable(folder: Path, reason: str | None) -> None:
    print(
        f"Cannot write to {folder} ({reason}): features are computed again in every run. Set XDG_CACHE_HOME to another folder.",
        file=sys.stderr,
    )
