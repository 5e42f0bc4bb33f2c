"""The random streams: all of them at once, so that none is forgotten."""

import hashlib
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed_all(seed: int) -> None:
    """Starts every default stream (torch on all devices, Python, NumPy) from ``seed``."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_state(device: torch.device) -> dict[str, Any]:
    """Every default random stream as tensors and plain data: torch on CPU and device, Python, NumPy."""
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "python": random.getstate(),
        "numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss],
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: Mapping[str, Any], device: torch.device) -> None:
    """The inverse of ``random_state``; the stream of a kind of device that the run was not on stays as seeded."""
    torch.set_rng_state(state["torch"])
    random.setstate(state["python"])
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"])


@contextmanager
def fork_rng(seed: int | str, device: torch.device) -> Iterator[None]:
    """Inside, the default streams start from ``seed``; afterwards they are where they were.

    The seed, a number or words, is hashed: a run's own seed here would replay the draws that initialised its players.
    """
    state = random_state(device)
    seed_all(int.from_bytes(hashlib.sha256(f"forked/{seed}".encode()).digest()[:4], "big"))
    try:
        yield
    finally:
        set_random_state(state, device)
