"""conv1d, conv1d_small, wavegan: convolutions along time for sequences ``[B, T, F]``, as in WaveGAN (Donahue et al., 2019)."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.models.base import FeatureDiscriminator, Generator, sequence_size
from gan_cli.parallel import draws

MAX_MULTIPLE = 16
"""Largest number of channels, in multiples of ``width``."""


def lengths(steps: int, stride: int, depth: int) -> list[int]:
    """Return the lengths before and after each of ``depth`` layers: T, ceil(T / stride), ceil(T / stride^2), ..."""
    result = [steps]
    for _ in range(depth):
        result.append(-(-result[-1] // stride))
    return result


def widths(width: int, depth: int) -> list[int]:
    """Return the channels of ``depth`` layers, doubling from the layer next to the data."""
    return [width * min(2**level, MAX_MULTIPLE) for level in range(depth)]


class Conv1dGenerator(Generator):
    """z ``[B, latent_dim]`` -> x in [0, 1] ``[B, T, F]``: a linear layer, then ``depth`` transposed convolutions along time.

    Each layer multiplies the length by ``stride``, halves the channels and ends in ReLU, the last one in a sigmoid (tanh in
    the paper, for sound in [-1, 1]). T need not be a power of the stride: the lengths are ceil(T / stride^k), and what a layer
    produces beyond its length is cut off at the end.

    Args:
        latent_dim: Number of latents.
        width: Number of channels of the last hidden layer; 64 in the paper.
        depth: Number of convolutions; 5 in the paper.
        kernel: Length of the kernels in steps, at least ``stride``; 25 in the paper.
        stride: Factor of the lengths of consecutive layers; 4 in the paper.
    """

    def __init__(
        self, shape: tuple[int, ...], classes: int, latent_dim: int, width: int, depth: int, kernel: int, stride: int
    ) -> None:
        super().__init__()
        checks.counts(latent_dim=latent_dim, width=width, depth=depth, stride=stride)
        checks.count("kernel", kernel, least=stride)
        self.shape, self.latent_dim = tuple(shape), latent_dim
        steps, features = sequence_size(shape, "conv1d")
        self.lengths = lengths(steps, stride, depth)[::-1]
        channels = [*widths(width, depth)[::-1], features]
        self.first = nn.Linear(latent_dim, channels[0] * self.lengths[0])
        margin = (kernel - stride) // 2
        self.layers = nn.ModuleList(nn.ConvTranspose1d(i, o, kernel, stride, margin) for i, o in pairwise(channels))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        h = self.first(z).unflatten(1, (-1, self.lengths[0]))
        for layer, length in zip(self.layers, self.lengths[1:], strict=True):
            h = layer(h.relu())[..., :length]
        return h.sigmoid().transpose(1, 2)


class Conv1dDiscriminator(FeatureDiscriminator):
    """x ``[B, T, F]`` -> logits ``[B]``: ``depth`` convolutions along time with leaky ReLU, and a linear layer.

    Each layer divides the length by ``stride``, rounding up (both ends are padded with zeros), and doubles the channels.

    Args:
        width: Number of channels of the first layer.
        depth: Number of convolutions.
        kernel: Length of the kernels in steps, at least ``stride``.
        stride: Factor of the lengths of consecutive layers.
        shuffle: n of phase shuffle: in training the output of each layer but the last is shifted by -n ... n steps, with one
            draw per batch as in the published code, and the gap is filled by reflection. 0 for none; 2 in the paper, on sound.

    Raises:
        UserError: If the output of a layer that is shift_in_time has at most ``shuffle`` steps.
    """

    def __init__(
        self, shape: tuple[int, ...], classes: int, width: int, depth: int, kernel: int, stride: int, shuffle: int
    ) -> None:
        super().__init__()
        checks.counts(width=width, depth=depth, stride=stride)
        checks.count("kernel", kernel, least=stride)
        checks.count("shuffle", shuffle, least=0)
        steps, features = sequence_size(shape, "conv1d")
        self.lengths, self.kernel, self.stride, self.shuffle = lengths(steps, stride, depth), kernel, stride, shuffle
        if depth > 1 and self.lengths[-2] <= shuffle:
            raise FieldError(
                *("shuffle", shuffle),
                f"the last layer but one has {self.lengths[-2]} steps and cannot be shifted that far.\n"
                f"Set it to at most {self.lengths[-2] - 1}, or lower depth.",
            )
        channels = [features, *widths(width, depth)]
        self.layers = nn.ModuleList(nn.Conv1d(i, o, kernel, stride) for i, o in pairwise(channels))
        self.feature_dim = channels[-1] * self.lengths[-1]
        self.head = nn.Linear(self.feature_dim, 1)

    def features(self, x: Tensor) -> Tensor:
        """Return the output of the last convolution, flattened."""
        h = x.transpose(1, 2)
        for index, (layer, length) in enumerate(zip(self.layers, self.lengths[1:], strict=True), start=1):
            missing = max(0, (length - 1) * self.stride + self.kernel - h.shape[2])
            h = leaky_relu(layer(pad(h, (missing // 2, missing - missing // 2))), 0.2)
            if self.training and self.shuffle and index < len(self.layers):
                h = shift_in_time(h, self.shuffle)
        return h.flatten(1)

    def logits(self, features: Tensor) -> Tensor:
        """Apply the linear layer."""
        return self.head(features).squeeze(1)


def shift_in_time(x: Tensor, limit: int) -> Tensor:
    """Shift sequences in time by one random number of steps, filling the gap by reflection.

    Args:
        x: Sequences ``[B, C, T]``.
        limit: Largest shift in either direction, below T.

    Returns:
        Shifted sequences ``[B, C, T]``.
    """
    last = x.shape[2] - 1
    shift = draws.common(lambda: torch.randint(-limit, limit + 1, (), device=x.device))
    index = (torch.arange(last + 1, device=x.device) - shift).abs()
    return x[..., last - (last - index).abs()]
