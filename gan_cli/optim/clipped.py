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
        if not max_norm > 0:
            raise ValueError(f"max_norm={max_norm}: it must be a number above 0.")
        self.max_norm = max_norm
        self.register_step_pre_hook(clip)  # torch would call the hooks of others twice around a step of our own


def clip(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
    """Brings the gradients' common norm down to ``max_norm``, before a step."""
    assert isinstance(optimizer, ClippedSGD)
    clip_grad_norm_([parameter for group in optimizer.param_groups for parameter in group["params"]], optimizer.max_norm)
