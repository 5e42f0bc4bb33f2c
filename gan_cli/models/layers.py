"""What residual networks are made of: blocks, conditional batch norm, self-attention, and how their weights begin."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, relu


class ConditionalBatchNorm2d(nn.Module):
    """Batch norm whose gain and bias follow a condition: (1 + W_g c) (x - mean) / std + W_b c (BigGAN; Brock et al., 2019).

    x ``[B, channels, H, W]``, c ``[B, condition]``. At c = 0 it is batch norm without gain and bias.
    """

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Linear(condition, channels, bias=False)
        self.bias = nn.Linear(condition, channels, bias=False)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return (1 + self.gain(c))[:, :, None, None] * self.norm(x) + self.bias(c)[:, :, None, None]


class SelfAttention(nn.Module):
    """x + gamma o(x), where o looks everywhere (SAGAN; Zhang et al., 2019): o = W_o (softmax(q(x)^T k(x)) v(x)).

    1x1 convolutions to an eighth of the channels for q and k, to half for v; k and v are max-pooled to half the side, as in
    BigGAN. gamma begins at 0, so that the layer begins as the identity. x ``[B, channels, H, W]`` with even sides.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow, wide = max(1, channels // 8), max(1, channels // 2)
        self.query = nn.Conv2d(channels, narrow, 1, bias=False)
        self.key = nn.Conv2d(channels, narrow, 1, bias=False)
        self.value = nn.Conv2d(channels, wide, 1, bias=False)
        self.out = nn.Conv2d(wide, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        q = self.query(x).flatten(2)  # [B, c/8, HW]
        k = max_pool2d(self.key(x), 2).flatten(2)  # [B, c/8, HW/4]
        v = max_pool2d(self.value(x), 2).flatten(2)  # [B, c/2, HW/4]
        beta = (q.transpose(1, 2) @ k).softmax(dim=2)  # [B, HW, HW/4]: where each place looks
        return x + self.gamma * self.out((v @ beta.transpose(1, 2)).unflatten(2, x.shape[2:]))


class UpBlock(nn.Module):
    """A residual block that doubles the side: norm, ReLU, nearest neighbour, 3x3, norm, ReLU, 3x3, beside a 1x1.

    ``norm``: channels -> what normalises them, given the block's condition where it has one.
    """

    def __init__(self, inputs: int, outputs: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(inputs), norm(outputs)
        self.conv1, self.conv2 = convolution(inputs, outputs), convolution(outputs, outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, *condition: Tensor) -> Tensor:
        h = self.conv1(_doubled(relu(self.norm1(x, *condition))))
        h = self.conv2(relu(self.norm2(h, *condition)))
        return h + _doubled(self.shortcut(x))  # a 1x1 convolution commutes with doubling


class DownBlock(nn.Module):
    """A residual block of a discriminator: norm, ReLU, 3x3, norm, ReLU, 3x3, mean pooling, beside a 1x1.

    ``hidden``: channels between the two convolutions; ``halves``: whether the side is halved; ``first``: the input is the
    image, which no ReLU shall cut. The shortcut is the identity where neither channels nor side change. ``norm``: channels
    -> what normalises them.
    """

    def __init__(
        self, inputs: int, outputs: int, hidden: int, halves: bool, first: bool, norm: Callable[[int], nn.Module]
    ) -> None:
        super().__init__()
        before: list[nn.Module] = [] if first else [norm(inputs), nn.ReLU()]
        self.residual = nn.Sequential(
            *before, convolution(inputs, hidden), norm(hidden), nn.ReLU(), convolution(hidden, outputs)
        )
        changes = halves or inputs != outputs
        self.shortcut: nn.Module = nn.Conv2d(inputs, outputs, 1) if changes else nn.Identity()
        self.pool: nn.Module = nn.AvgPool2d(2) if halves else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.residual(x) + self.shortcut(x))  # pooling the sum is pooling both


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """3x3 at the same side."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def no_norm(channels: int) -> nn.Module:
    """What stands where nothing is normalised."""
    return nn.Identity()


def widths(width: int, growth: int, max_multiple: int, levels: int) -> list[int]:
    """Channels of ``levels`` layers from the image inwards: ``width`` times growth^level, times ``max_multiple`` at most."""
    return [width * min(growth**level, max_multiple) for level in range(levels)]


def initialise_glorot(network: nn.Module) -> None:
    """Glorot's uniform law with gain sqrt(2) in 3x3 convolutions of residual blocks, 1 elsewhere; biases 0.

    As SNGAN's and WGAN-GP's published codes have it.
    """
    residual = {layer for branch in _branches(network) for layer in branch}
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding):
            nn.init.xavier_uniform_(layer.weight, math.sqrt(2) if layer in residual else 1.0)
            _zero_bias(layer)


def initialise_fixup(network: nn.Module) -> None:
    """As Glorot's, but every residual branch begins as 0: its last convolution does, and the first is scaled by L^(-1/2).

    L: how many blocks there are. So a network that normalises nothing begins with the variance of its input at every depth,
    which would double in each block, and the first steps change its output by the learning rate, whatever L is (Zhang et
    al., 2019, for branches of two layers).
    """
    initialise_glorot(network)
    branches = _branches(network)
    for first, last in branches:
        with torch.no_grad():
            first.weight.mul_(len(branches) ** -0.5)
        nn.init.zeros_(last.weight)


def initialise_orthogonal(network: nn.Module) -> None:
    """Orthogonal weights, reshaped to ``[out, rest]``, and biases 0, as BigGAN has it."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding):
            if not layer.weight.is_meta:  # a QR decomposition of nothing
                nn.init.orthogonal_(layer.weight)
            _zero_bias(layer)


def _branches(network: nn.Module) -> list[list[nn.Conv2d]]:
    """The 3x3 convolutions of each residual block, first to last."""
    blocks = (block for block in network.modules() if isinstance(block, UpBlock | DownBlock))
    layers = ([layer for layer in block.modules() if isinstance(layer, nn.Conv2d)] for block in blocks)
    return [[layer for layer in block if layer.kernel_size == (3, 3)] for block in layers]


def _zero_bias(layer: nn.Module) -> None:
    if isinstance(bias := getattr(layer, "bias", None), Tensor):
        nn.init.zeros_(bias)


def _doubled(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="nearest")
