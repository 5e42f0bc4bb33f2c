"""adam_clipped, sgd_clipped: optimizers with gradient clipping."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer


class ClippedSGD(torch.optim.SGD):
    """SGD whose gradient, over all parameters of the optimizer, is scaled down to the norm ``max_norm`` if it is longer.

    Used for recurrent networks, whose gradients may explode (Pascanu et al., 2013). Weight decay is added after clipping.

    Args:
        params: Parameters or parameter groups.
        lr: Learning rate.
        max_norm: Largest norm, above 0.
        momentum: Momentum factor.
        weight_decay: L2 penalty.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float, max_norm: float, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, lr=lr, momentum=momentum, weight_decay=weight_decay)
        clip_before_steps(self, max_norm)


class ClippedAdam(torch.optim.Adam):
    """Adam with the same gradient clipping, as in the published code of Ho et al., 2020."""

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
    """Make ``optimizer`` clip the norm of all its gradients together to ``max_norm`` before each step.

    Raises:
        ValueError: If ``max_norm`` is not above 0.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm={max_norm}: it must be a number above 0.")

    def clip(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        clip_grad_norm_([parameter for group in optimizer.param_groups for parameter in group["params"]], max_norm)

    optimizer.register_step_pre_hook(clip)  # in an overridden step, torch would run other hooks twice
