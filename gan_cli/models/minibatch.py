"""Layers by which a discriminator sees how the samples of a batch differ, so that a collapsed generator gives itself away."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from gan_cli import checks

EPSILON = 1e-8
"""Under a square root, whose slope at 0 has no bound."""


class MinibatchLayer(nn.Module):
    """Appends ``k`` numbers about a sample and its batch to its features: ``[B, C, ...] -> [B, C + k, ...]``.

    In eval mode nobody is judged by company, which would depend on what else is asked: the running mean of training stands for
    the numbers, as in batch norm. D has to be given data and fakes in batches of their own, as games do.
    """

    running: Tensor

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k
        self.register_buffer("running", torch.zeros(k))

    @abstractmethod
    def statistic(self, x: Tensor) -> Tensor:
        """The numbers ``[B, k]`` of a batch ``[B, C, ...]``."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            found = self.statistic(x)
            with torch.no_grad():
                self.running.lerp_(found.mean(0).to(self.running.dtype), 0.1)
        else:
            found = self.running.to(x.dtype).expand(len(x), -1)
        spread = found.reshape(len(x), self.k, *[1] * (x.ndim - 2)).expand(-1, -1, *x.shape[2:])
        return torch.cat([x, spread], 1)


class MinibatchStd(MinibatchLayer):
    """One number: the standard deviation of each feature over the batch, averaged over all features (Karras et al., 2018).

    0 where all samples are the same.
    """

    def __init__(self) -> None:
        super().__init__(1)

    def statistic(self, x: Tensor) -> Tensor:
        variance = x.var(0, unbiased=False)
        return ((variance + EPSILON).sqrt() - EPSILON**0.5).mean().expand(len(x), 1)


class MinibatchDiscrimination(MinibatchLayer):
    """How near each sample is to the others of its batch, by ``kernels`` learnt measures (Salimans et al., 2016, section 3.2).

    o_b(x_i) = sum over j != i of exp(-||M_ib - M_jb||_1), M_i = f(x_i) T being ``kernels`` rows of ``dims`` numbers; f(x) has
    ``inputs`` numbers. (The paper's sum has j = i in it, which adds 1 to everything.)
    """

    def __init__(self, inputs: int, kernels: int, dims: int) -> None:
        super().__init__(kernels)
        self.dims = dims
        self.T = nn.Parameter(torch.randn(inputs, kernels * dims) / inputs**0.5)

    def statistic(self, x: Tensor) -> Tensor:
        M = (x.flatten(1) @ self.T).unflatten(1, (self.k, self.dims))
        near = (-(M[:, None] - M[None]).abs().sum(3)).exp()  # [B, B, kernels]
        return near.sum(1) - 1


def minibatch_layers(inputs: int, std: bool, kernels: int, dims: int) -> tuple[list[nn.Module], int]:
    """The layers that are asked for, where a sample has ``inputs`` numbers, and how many channels they add."""
    checks.flag("minibatch_std", std)
    checks.count("minibatch_kernels", kernels, least=0)
    checks.count("minibatch_dims", dims)
    layers: list[nn.Module] = [MinibatchDiscrimination(inputs, kernels, dims)] if kernels else []
    return layers + ([MinibatchStd()] if std else []), kernels + int(std)
