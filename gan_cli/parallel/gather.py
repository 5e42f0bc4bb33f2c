"""Tensors of all processes in one, as differentiable functions; the objective is the sum of what all processes compute."""

from typing import Any

import torch
from torch import Tensor

from gan_cli.parallel.ranks import Ranks


def gathered(x: Tensor, ranks: Ranks) -> Tensor:
    """Return ``x`` ``[*shape]`` of every process: ``[processes, *shape]``; it can be differentiated any number of times."""
    all_of_them: Tensor = _Gather.apply(x, ranks)
    return all_of_them


class _Gather(torch.autograd.Function):
    """x -> x of every process. Its adjoint is ``_OwnSum``, because every process may look at every other's x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        return ranks.gather(x.detach())

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return _OwnSum.apply(slopes[0], ctx.ranks), None


class _OwnSum(torch.autograd.Function):
    """y ``[processes, *shape]`` -> the sum over all processes of their y, of which each keeps its own entry."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        total = y.detach().clone(memory_format=torch.contiguous_format)
        ranks.all_reduce(total)
        return total[ranks.rank].clone()

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return _Gather.apply(slopes[0], ctx.ranks), None
