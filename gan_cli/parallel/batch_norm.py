"""Batch norm whose statistics are those of all processes, on every device and with derivatives of any order."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan_cli.parallel.gather import gathered
from gan_cli.parallel.share import current
from gan_cli.precision import widened


def share_statistics(game: nn.Module) -> None:
    """Let every batch norm layer of a game normalise by the batch of all processes while the loss of a turn is computed."""
    for module in game.modules():
        if type(module) in SHARED:
            module.__class__ = SHARED[type(module)]


class _Shared(_BatchNorm):
    """Batch norm over the samples that all processes have at the same time.

    Outside of turns, and in eval mode, it is torch's.
    """

    def forward(self, x: Tensor) -> Tensor:
        share = current()
        if share is None or share.ranks.count == 1 or not self.training:
            return super().forward(x)
        self._check_input_dim(x)  # type: ignore[no-untyped-call]
        others, ranks = [0, *range(2, x.ndim)], share.ranks
        wide = widened(x)
        own = torch.stack(torch.var_mean(wide, others, correction=0))
        variances, means = gathered(own, ranks).unbind(1)
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        self._track(mean.detach(), variance.detach(), x.numel() // x.shape[1] * ranks.count)
        shape = [1, -1, *[1] * (x.ndim - 2)]
        normal = (wide - mean.view(shape)) * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(x.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, n: int) -> None:
        """Move the running statistics as torch does: the variance without bias, by ``momentum`` or as a plain average."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        weight = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), weight)
        self.running_var.lerp_((variance * (n / max(n - 1, 1))).to(self.running_var.dtype), weight)


class SharedBatchNorm1d(_Shared, nn.BatchNorm1d):
    """``torch.nn.BatchNorm1d`` over all processes."""


class SharedBatchNorm2d(_Shared, nn.BatchNorm2d):
    """``torch.nn.BatchNorm2d`` over all processes."""


class SharedBatchNorm3d(_Shared, nn.BatchNorm3d):
    """``torch.nn.BatchNorm3d`` over all processes."""


SHARED: dict[type[nn.Module], type[_Shared]] = {
    nn.BatchNorm1d: SharedBatchNorm1d,
    nn.BatchNorm2d: SharedBatchNorm2d,
    nn.BatchNorm3d: SharedBatchNorm3d,
}
"""The layers of torch, and those that replace them; layers of the user's own stay what they are."""
