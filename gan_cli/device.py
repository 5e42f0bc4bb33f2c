"""Devices and CPU threads."""

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import torch

from gan_cli.errors import UserError


def available() -> list[str]:
    """Return the names of the available devices, best first."""
    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]


def gpus() -> list[str]:
    """Return the names of the GPUs that CUDA shows to this process, as ``CUDA_VISIBLE_DEVICES`` takes them."""
    count, named = torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES")
    return [str(index) for index in range(count)] if named is None else named.split(",")[:count]


def choose(name: str) -> torch.device:
    """Return the device called ``name``.

    Args:
        name: ``auto`` (the best available one), ``cpu``, ``cuda``, ``cuda:N``, ``mps``, or ``meta`` for shapes without values.

    Raises:
        UserError: If there is no such device.
    """
    names = available()
    if name == "auto":
        return torch.device(names[0])
    if name in names or name == "meta" or (name == "cuda" and "cuda:0" in names):
        return torch.device(name)
    raise UserError(f"device={name} is not available. Use one of: {', '.join(names)}; or device=auto for the first.")


@contextmanager
def memory_errors_named(device: str, advice: str) -> Iterator[None]:
    """Turn an allocation that fails inside the context, on the GPU or on the CPU, into a UserError.

    Args:
        device: The device as it was configured.
        advice: The keys that lower the need, as ``Lower train.batch_size``.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        cpu = re.search(r"(can't allocate|not enough) memory(.*?(\d+) bytes)?", str(error))
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and not cpu:
            raise
        tried = f" for {int(cpu[3]) / 2**30:.1f} GiB more" if cpu and cpu[3] else ""
        raise UserError(f"device={device}: out of memory{tried}. {advice}.") from error


_twice: ContextVar[bool] = ContextVar("twice", default=False)


@contextmanager
def differentiable_twice() -> Iterator[None]:
    """Mark forward passes whose gradient is differentiated again, as in gradient penalties and consensus optimisation."""
    token = _twice.set(True)
    try:
        yield
    finally:
        _twice.reset(token)


def recurrent_kernels() -> AbstractContextManager[Any]:
    """Return the context of a recurrent layer, which disables cuDNN within ``differentiable_twice``.

    cuDNN's kernels have no second derivative; torch's own have.
    """
    return torch.backends.cudnn.flags(enabled=False) if _twice.get() else nullcontext()


def threads() -> int | None:
    """Return the number of CPU threads of this job: its share in a parallel sweep, or None for torch's default."""
    share = os.environ.get("GAN_CLI_THREADS", "")
    return int(share) if share.isdecimal() and int(share) else None
