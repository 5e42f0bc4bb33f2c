"""Precision of training: autocast, TF32, and scaled losses."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from gan_cli.errors import UserError
from gan_cli.types import Stats

HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Types of 16 bits that networks can compute in, by the values of ``precision``."""
PRECISIONS = ("fp32", *HALVES, "tf32")
INSTRUCTIONS = {
    torch.bfloat16: ("amx_bf16", "avx512_bf16", "bf16", "sve_bf16"),
    torch.float16: ("amx_fp16", "avx512_fp16", "fp16_arith"),
}
"""Capabilities of x86 and ARM processors that multiply in these types."""
AMPERE = (8, 0)
"""Compute capability of the first GPUs that multiply in bfloat16 and in TF32."""


def computes_in(device: torch.device, dtype: torch.dtype) -> bool:
    """Return True if ``device`` has instructions for a type of 16 bits; others emulate it, which takes longer than float32."""
    if device.type == "cuda":
        return dtype == torch.float16 or torch.cuda.get_device_capability(device) >= AMPERE
    known: Callable[[], Mapping[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)  # torch 2.9 lacks it
    return device.type == "cpu" and any(known().get(name) for name in INSTRUCTIONS[dtype])


def check(device: torch.device, precision: str) -> None:
    """Check that networks can be trained in this precision on ``device``.

    Raises:
        UserError: If they cannot.
    """
    if precision not in PRECISIONS:
        raise UserError(f"precision={precision} is not known. Use one of: {', '.join(PRECISIONS)}; or precision=auto.")
    if precision == "tf32" and not (device.type == "cuda" and torch.cuda.get_device_capability(device) >= AMPERE):
        raise UserError(f"precision=tf32 is a mode of NVIDIA GPUs since Ampere; the device is {device}. Use precision=fp32.")


def autocast(device: torch.device, precision: str) -> Callable[[], AbstractContextManager[Any]]:
    """Return a function that makes the context of forward passes: ``torch.autocast`` to 16 bits, or ``matrix_products``.

    Raises:
        UserError: If networks cannot be trained in this precision on ``device``.
    """
    check(device, precision)
    if precision in HALVES:
        return partial(torch.autocast, device.type, dtype=HALVES[precision])
    return partial(matrix_products, device, precision) if device.type == "cuda" else nullcontext


def in_full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context without autocast, for differences between samples, which lose their digits in 16 bits."""
    return torch.autocast(device.type, enabled=False) if torch.amp.is_autocast_available(device.type) else nullcontext()


def widened(x: Tensor) -> Tensor:
    """Return ``x`` in float32 if autocast left it in 16 bits, for squares, norms and means; otherwise ``x`` itself."""
    return x.float() if x.dtype in HALVES.values() else x


@contextmanager
def matrix_products(device: torch.device, precision: str) -> Iterator[None]:
    """Compute products of float32 matrices and convolutions in TF32 if ``precision`` is ``tf32``, else in float32.

    Only GPUs have TF32. The flags of torch, which by default allow it for convolutions alone, are restored afterwards.
    """
    if device.type != "cuda":
        yield
        return
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


class LossScale:
    """The factor of one turn's loss in float16, where small gradients would otherwise vanish (Micikevicius et al., 2018).

    A gradient that is not finite halves the factor, and the turn does not step; 2000 finite ones in a row double it. A
    gradient that is not finite although the factor is at most 1 is no matter of the factor: training has diverged.

    Attributes:
        skipped: True if the last gradient was too large for its factor.
    """

    def __init__(self, device: torch.device) -> None:
        self.scaler, self.skipped = GradScaler(device.type), False

    @property
    def factor(self) -> float:
        """The factor that the next loss is multiplied by."""
        return self.scaler.get_scale()

    def scaled(self, loss: Tensor) -> Tensor:
        """Return the loss times the factor."""
        return self.scaler.scale(loss)

    def unscale(self, optimizer: Optimizer) -> None:
        """Divide the gradients of the optimizer's parameters by the factor, and adapt it."""
        self.skipped = False
        if any(parameter.grad is not None for group in optimizer.param_groups for parameter in group["params"]):
            factor = self.factor
            self.scaler.unscale_(optimizer)
            self.scaler.update()
            self.skipped = factor > 1 and self.factor < factor

    def unless_skipped(self, should_step: Callable[[Tensor, Stats], bool]) -> Callable[[Tensor, Stats], bool]:
        """Return ``should_step`` of a turn, declining where the gradient was too large for its factor."""
        return lambda loss, stats: not self.skipped and should_step(loss, stats)

    def state_dict(self) -> dict[str, Any]:
        """Return the factor and the number of finite gradients since it last changed."""
        return self.scaler.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.scaler.load_state_dict(dict(state))
