"""Gradient steps of bounded length."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer


class ClippedSGD(torch.optim.SGD):
    """SGD on gradients whose norm over all of the player's parameters is brought down to ``max_norm`` where it is above.

    What recurrent networks take against exploding gradients (Pascanu et al., 2013). Weight decay comes on top, as torch has it.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float, max_norm: float, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, lr=lr, momentum=momentum, weight_decay=weight_decay)
        clip_before_steps(self, max_norm)


class ClippedAdam(torch.optim.Adam):
    """Adam on gradients brought down in the same way, as diffusion models take it (Ho et al., 2020, published code)."""

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float,
        max_norm: float,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, weight_decay=weight_decay)
        clip_before_steps(self, max_norm)


def clip_before_steps(optimizer: Optimizer, max_norm: float) -> None:
    """From now on brings the common norm of the gradients of ``optimizer`` down to ``max_norm`` before each of its steps.

    Raises:
        ValueError: if ``max_norm`` is not above 0.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm={max_norm}: it must be a number above 0.")

    def clip(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        clip_grad_norm_([parameter for group in optimizer.param_groups for parameter in group["params"]], max_norm)

    optimizer.register_step_pre_hook(clip)  # torch would call the hooks of others twice around a step of our own
