"""Layers that show a discriminator how the samples of a batch differ, against mode collapse."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.parallel.share import own_rows, whole_rows
from gan_cli.precision import in_full_precision, widened

EPSILON = 1e-8
"""Added under a square root, whose slope at 0 is unbounded."""


class MinibatchLayer(nn.Module):
    """Appends ``k`` statistics of the batch to the features of each sample: ``[B, C, ...] -> [B, C + k, ...]``.

    In eval mode the logit of a sample must not depend on the other samples of its batch, so the running mean of training
    replaces the statistics, as in batch norm. Data and fakes must be passed to D in separate batches, as the games do.
    """

    running: Tensor

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k
        self.register_buffer("running", torch.zeros(k))

    @abstractmethod
    def statistic(self, x: Tensor) -> Tensor:
        """Return the statistics ``[B, k]`` of a batch ``[B, C, ...]``."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            whole = whole_rows(x, "the discriminator's minibatch layers compare all samples of a batch with each other")
            values = self.statistic(whole)
            with torch.no_grad():
                self.running.lerp_(values.mean(0).to(self.running.dtype), 0.1)
            values = own_rows(values)
        else:
            values = self.running.to(x.dtype).expand(x.shape[0], -1)
        planes = values.reshape(x.shape[0], self.k, *[1] * (x.ndim - 2)).expand(-1, -1, *x.shape[2:])
        return torch.cat([x, planes], 1)


class MinibatchStd(MinibatchLayer):
    """Standard deviation of each feature over the batch, averaged over all features: one number (Karras et al., 2018).

    It is 0 if all samples are equal.
    """

    def __init__(self) -> None:
        super().__init__(1)

    def statistic(self, x: Tensor) -> Tensor:
        variance = widened(x).var(0, unbiased=False)
        return ((variance + EPSILON).sqrt() - EPSILON**0.5).mean().expand(x.shape[0], 1)


class MinibatchDiscrimination(MinibatchLayer):
    """Closeness of each sample to the others of its batch, in ``kernels`` learnt features (Salimans et al., 2016, section 3.2).

    o_b(x_i) = sum over j != i of exp(-||M_ib - M_jb||_1), where M_i = f(x_i) T has ``kernels`` rows of ``dims`` numbers.
    (The paper's sum includes j = i, which adds 1 everywhere.)

    Args:
        inputs: Number of features f(x) of a sample.
        kernels: Number of closeness features.
        dims: Dimension in which each of them measures distances.
    """

    def __init__(self, inputs: int, kernels: int, dims: int) -> None:
        super().__init__(kernels)
        self.dims = dims
        self.T = nn.Parameter(torch.randn(inputs, kernels * dims) / inputs**0.5)

    def statistic(self, x: Tensor) -> Tensor:
        with in_full_precision(x.device):  # for differences between samples
            M = (widened(x).flatten(1) @ self.T).unflatten(1, (self.k, self.dims))
        closeness = (-(M[:, None] - M[None]).abs().sum(3)).exp()  # [B, B, kernels]
        return closeness.sum(1) - 1


def minibatch_layers(inputs: int, std: bool, kernels: int, dims: int) -> tuple[list[nn.Module], int]:
    """Make the minibatch layers of a discriminator.

    Args:
        inputs: Number of features of a sample.
        std: Add ``MinibatchStd``.
        kernels: Number of features of ``MinibatchDiscrimination``; 0 for none.
        dims: Dimension in which each of them measures distances.

    Returns:
        The layers, and the number of channels that they add.
    """
    checks.flag("minibatch_std", std)
    checks.count("minibatch_kernels", kernels, least=0)
    checks.count("minibatch_dims", dims)
    layers: list[nn.Module] = [MinibatchDiscrimination(inputs, kernels, dims)] if kernels else []
    return layers + ([MinibatchStd()] if std else []), kernels + int(std)
