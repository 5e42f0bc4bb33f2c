"""Devices, precision and CPU threads."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial

import torch

from gan_cli.errors import UserError


def available() -> list[str]:
    """Names of the devices that are here, best first."""
    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]


def choose(name: str) -> torch.device:
    """The device called ``name`` (auto, cpu, cuda, cuda:N, mps), or a UserError that lists what is there.

    ``meta`` is allowed too: shapes without values, for checks of what cannot be run.
    """
    here = available()
    if name == "auto":
        return torch.device(here[0])
    if name in here or name == "meta" or (name == "cuda" and "cuda:0" in here):
        return torch.device(name)
    raise UserError(f"device={name} is not here. There is: {', '.join(here)} (device=auto takes the first).")


def autocast(device: torch.device, precision: str) -> Callable[[], AbstractContextManager]:
    """Makes the context for the forward passes: nothing for fp32, ``torch.autocast`` to bfloat16 for bf16."""
    if precision == "fp32":
        return nullcontext
    if precision == "bf16":
        return partial(torch.autocast, device.type, dtype=torch.bfloat16)
    raise UserError(f"precision={precision} is not known. Use precision=fp32 or precision=bf16.")


def in_full_precision(device: torch.device) -> AbstractContextManager:
    """Inside, autocast is off: distances between samples, which are differences, would lose their digits in bfloat16."""
    return torch.autocast(device.type, enabled=False) if torch.amp.is_autocast_available(device.type) else nullcontext()


_twice: ContextVar[bool] = ContextVar("twice", default=False)


@contextmanager
def differentiable_twice() -> Iterator[None]:
    """Around forward passes whose gradient is to be differentiated again, as gradient penalties and consensus do."""
    token = _twice.set(True)
    try:
        yield
    finally:
        _twice.reset(token)


def recurrent_kernels() -> AbstractContextManager:
    """Around a recurrent layer: cuDNN's kernels, which have no second derivative, or torch's own ``differentiable_twice``."""
    return torch.backends.cudnn.flags(enabled=False) if _twice.get() else nullcontext()


def threads() -> int | None:
    """CPU threads that this job may use: its share when a sweep runs jobs side by side; None for torch's own choice."""
    share = os.environ.get("GAN_CLI_THREADS", "")
    return int(share) if share.isdecimal() and int(share) else None
