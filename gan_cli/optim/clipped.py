"""Gradient steps of bounded length."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_


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

    def step(self, closure: Callable[[], float] | None = None) -> Any:  # type: ignore[override]
        clip_grad_norm_([parameter for group in self.param_groups for parameter in group["params"]], self.max_norm)
        return super().step(closure)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "max_norm": self.max_norm}
