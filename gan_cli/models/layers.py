"""Building blocks of residual networks: blocks, conditional batch norm, self-attention and initialisations."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, interpolate, max_pool2d, relu


def through(layers: Iterable[nn.Module], x: Tensor) -> Tensor:
    """Return x after these layers, one after the other; a slice of ``nn.Sequential`` would be a new module in each call."""
    for layer in layers:
        x = layer(x)
    return x


def embedded(y: Tensor, table: Tensor) -> Tensor:
    """Return the vectors of labels, ``[B, dim]``.

    Args:
        y: Labels int64 ``[B]``, or weights float ``[B, classes]`` of mixtures of them, as on a walk between classes.
        table: The vectors of all labels ``[classes, dim]``, and of further ones that no mixture has a part of.
    """
    return y.to(table.dtype) @ table[: y.shape[1]] if y.is_floating_point() else embedding(y, table)


class ConditionalBatchNorm2d(nn.Module):
    """Batch norm whose gain and bias depend on a condition c (BigGAN; Brock et al., 2019).

    (1 + W_g c) (x - mean) / std + W_b c, for x ``[B, channels, H, W]`` and c ``[B, condition]``. At c = 0 it is batch norm
    without gain and bias.
    """

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Linear(condition, channels, bias=False)
        self.bias = nn.Linear(condition, channels, bias=False)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return (1 + self.gain(c))[:, :, None, None] * self.norm(x) + self.bias(c)[:, :, None, None]


class ClassBatchNorm2d(nn.Module):
    """Batch norm with a learned gain and bias of each class, as in BigGAN without a shared embedding (Brock et al., 2019).

    (1 + g_y) (x - mean) / std + b_y, for x ``[B, channels, H, W]`` and labels or weights of them y, see ``embedded``.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain, self.bias = nn.Embedding(classes, channels), nn.Embedding(classes, channels)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        gain, bias = (embedded(y, table.weight)[:, :, None, None] for table in (self.gain, self.bias))
        return (1 + gain) * self.norm(x) + bias


class SelfAttention(nn.Module):
    """x + gamma o(x) with o = W_o (softmax(q(x)^T k(x)) v(x)) over all positions (SAGAN; Zhang et al., 2019).

    1x1 convolutions map to an eighth of the channels for q and k and to half for v; k and v are max-pooled to half the side,
    as in BigGAN. gamma starts at 0, so that the layer starts as the identity. x is ``[B, channels, H, W]`` with even sides.
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
        beta = (q.transpose(1, 2) @ k).softmax(dim=2)  # [B, HW, HW/4]: attention of each position
        return x + self.gamma * self.out((v @ beta.transpose(1, 2)).unflatten(2, x.shape[2:]))


class UpBlock(nn.Module):
    """Residual block that doubles the side: norm, ReLU, upsampling, 3x3, norm, ReLU, 3x3; the shortcut is a 1x1 convolution.

    Args:
        inputs: Number of input channels.
        outputs: Number of output channels.
        norm: Function that makes a normalisation layer for a number of channels. The layer is called with the block's
            condition, if there is one.
    """

    def __init__(self, inputs: int, outputs: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(inputs), norm(outputs)
        self.conv1, self.conv2 = conv3x3(inputs, outputs), conv3x3(outputs, outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, *condition: Tensor) -> Tensor:
        h = self.conv1(_doubled(relu(self.norm1(x, *condition))))
        h = self.conv2(relu(self.norm2(h, *condition)))
        return h + _doubled(self.shortcut(x))  # a 1x1 convolution commutes with doubling


class DownBlock(nn.Module):
    """Residual block of a discriminator: norm, ReLU, 3x3, norm, ReLU, 3x3, average pooling; the shortcut is a 1x1 convolution.

    The shortcut is the identity if neither channels nor side change.

    Args:
        inputs: Number of input channels.
        outputs: Number of output channels.
        hidden: Number of channels between the two convolutions.
        halves: Halve the side.
        first: The input is the image, which must not pass through a ReLU.
        norm: Function that makes a normalisation layer for a number of channels.
    """

    def __init__(
        self, inputs: int, outputs: int, hidden: int, halves: bool, first: bool, norm: Callable[[int], nn.Module]
    ) -> None:
        super().__init__()
        before: list[nn.Module] = [] if first else [norm(inputs), nn.ReLU()]
        self.residual = nn.Sequential(*before, conv3x3(inputs, hidden), norm(hidden), nn.ReLU(), conv3x3(hidden, outputs))
        changes = halves or inputs != outputs
        self.shortcut: nn.Module = nn.Conv2d(inputs, outputs, 1) if changes else nn.Identity()
        self.pool: nn.Module = nn.AvgPool2d(2) if halves else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.residual(x) + self.shortcut(x))  # pooling is linear: pooling the sum pools both branches


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """Return a 3x3 convolution that keeps the side."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def no_norm(channels: int) -> nn.Module:
    """Return the identity in place of a normalisation layer."""
    return nn.Identity()


def widths(width: int, growth: int, max_multiple: int, levels: int) -> list[int]:
    """Return the channels of ``levels`` layers, from the image inwards: ``width`` * min(``growth``^level, ``max_multiple``)."""
    return [width * min(growth**level, max_multiple) for level in range(levels)]


def initialise_glorot(network: nn.Module) -> None:
    """Initialise uniformly (Glorot), with gain sqrt(2) in 3x3 convolutions of residual blocks and 1 elsewhere; biases are 0.

    The published codes of SNGAN and WGAN-GP do the same.
    """
    residual = {layer for branch in _branches(network) for layer in branch}
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding):
            nn.init.xavier_uniform_(layer.weight, math.sqrt(2) if layer in residual else 1.0)
            _zero_bias(layer)


def initialise_fixup(network: nn.Module) -> None:
    """Initialise as ``initialise_glorot``, but with residual branches that start at 0 (Fixup; Zhang et al., 2019).

    The last convolution of each branch starts at 0 and the first one is scaled by L^(-1/2), where L is the number of blocks
    (the paper's rule for branches of two layers). A network without normalisation then starts with the variance of its
    input at every depth (it would otherwise double in each block), and the first steps change its output by an amount of
    the order of the learning rate for every L.
    """
    initialise_glorot(network)
    branches = _branches(network)
    for first, last in branches:
        with torch.no_grad():
            first.weight.mul_(len(branches) ** -0.5)
        nn.init.zeros_(last.weight)


def initialise_orthogonal(network: nn.Module) -> None:
    """Initialise weights, reshaped to ``[out, rest]``, as orthogonal matrices, as BigGAN does; biases are 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding):
            if not layer.weight.is_meta:  # meta tensors hold no values to decompose
                nn.init.orthogonal_(layer.weight)
            _zero_bias(layer)


def initialise_normal(network: nn.Module) -> None:
    """Initialise weights from N(0, 0.02^2), as BigGAN does on CIFAR-10; biases are 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            _zero_bias(layer)


def _branches(network: nn.Module) -> list[list[nn.Conv2d]]:
    """Return the 3x3 convolutions of each residual block, in order."""
    blocks = (block for block in network.modules() if isinstance(block, UpBlock | DownBlock))
    layers = ([layer for layer in block.modules() if isinstance(layer, nn.Conv2d)] for block in blocks)
    return [[layer for layer in block if layer.kernel_size == (3, 3)] for block in layers]


def _zero_bias(layer: nn.Module) -> None:
    if isinstance(bias := getattr(layer, "bias", None), Tensor):
        nn.init.zeros_(bias)


def _doubled(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="nearest")
