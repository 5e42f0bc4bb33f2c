"""Random streams: seed, save, restore and fork all of them at once."""

import hashlib
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed_all(seed: int) -> None:
    """Seed the default generators of torch (on all devices), Python and NumPy."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_state(device: torch.device) -> dict[str, Any]:
    """Return the state of the default generators of torch (CPU and ``device``), Python and NumPy, as tensors and plain data."""
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
    """Restore the state returned by ``random_state``; generators of devices that it does not include keep their state."""
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
    """Seed the default generators inside the context, and restore their state afterwards.

    The seed is hashed: the run's own seed would otherwise repeat the draws that initialised the players.

    Args:
        seed: A number or a name.
        device: Device whose generator is included.
    """
    state = random_state(device)
    seed_all(int.from_bytes(hashlib.sha256(f"forked/{seed}".encode()).digest()[:4], "big"))
    try:
        yield
    finally:
        set_random_state(state, device)


def same_state(a: Any, b: Any) -> bool:
    """Return True if two results of ``random_state`` are the same state."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, Mapping):
        return all(same_state(value, b[name]) for name, value in a.items())
    return all(map(same_state, a, b)) if isinstance(a, list) else bool(a == b)
