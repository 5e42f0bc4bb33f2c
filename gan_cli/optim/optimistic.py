"""Optimistic: optimistic steps of any optimizer."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class Optimistic(Optimizer):
    """w <- w + 2 u_t - u_{t-1}, where u_t is the step that ``inner`` would take (Daskalakis et al., 2018).

    The first step is a plain one, u_0 = u_1: with SGD the iterates are then the half steps of extragradient with past
    gradients. u_t is the whole step, including weight decay and momentum, at the learning rate of its time. As the corrections
    u_t - u_{t-1} telescope, nothing is counted twice. With Adam this is Optimistic Adam.

    ``param_groups`` are those of the inner optimizer, so that learning rates take effect. Remembers u_{t-1}, one tensor per
    parameter.

    Args:
        inner: The optimizer whose steps are made optimistic; it must not be used elsewhere.
    """

    def __init__(self, inner: Optimizer) -> None:
        super().__init__(inner.param_groups, inner.defaults)
        self.inner = inner
        self.param_groups = inner.param_groups
        self.last: list[Tensor] = []

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        parameters = [parameter for group in self.param_groups for parameter in group["params"]]
        before = [parameter.clone() for parameter in parameters]
        loss = self.inner.step(closure)
        moves = torch._foreach_sub(parameters, before)
        if self.last:
            torch._foreach_add_(parameters, torch._foreach_sub(moves, self.last))
        self.last = list(moves)
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the inner optimizer's state, and u_{t-1} in the order of the parameters (empty before the first step)."""
        return {"inner": self.inner.state_dict(), "last": self.last}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned, on the device of the parameters."""
        self.inner.load_state_dict(state_dict["inner"])
        self.param_groups = self.inner.param_groups  # loading has replaced them
        parameters = [parameter for group in self.param_groups for parameter in group["params"]]
        self.last = [u.to(p.device) for u, p in zip(state_dict["last"], parameters, strict=False)]

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "inner": self.inner, "last": self.last}
