"""Convolutions along time for sequences ``[B, T, F]``, as in WaveGAN (Donahue et al., 2019)."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.models.base import FeatureDiscriminator, Generator, sequence

MAX_MULTIPLE = 16
"""The widest layers have so many times the channels of the narrowest, at most."""


def lengths(steps: int, stride: int, depth: int) -> list[int]:
    """T, ceil(T / stride), ceil(T / stride^2), ...: steps in and behind each of ``depth`` layers."""
    found = [steps]
    for _ in range(depth):
        found.append(-(-found[-1] // stride))
    return found


def widths(width: int, depth: int) -> list[int]:
    """Channels of each of ``depth`` layers, from the one beside the data: doubling."""
    return [width * min(2**level, MAX_MULTIPLE) for level in range(depth)]


class Conv1dGenerator(Generator):
    """z ``[B, latent_dim]`` -> x in [0, 1] ``[B, T, F]``: a linear layer, then ``depth`` transposed convolutions along time.

    Each multiplies the length by ``stride``, halves the channels and ends in ReLU, the last one in a sigmoid (tanh in the
    paper, for sound in [-1, 1]). T need be no power of the stride: each layer makes one of the lengths ceil(T / stride^k) from
    the next, and what it makes beyond that is cut off at the end.
    ``width``: channels of the last hidden layer; the paper's network is 64 wide, with 5 layers, kernel 25 and stride 4.
    """

    def __init__(
        self, shape: tuple[int, ...], classes: int, latent_dim: int, width: int, depth: int, kernel: int, stride: int
    ) -> None:
        super().__init__()
        checks.counts(latent_dim=latent_dim, width=width, depth=depth, stride=stride)
        checks.count("kernel", kernel, least=stride)
        self.shape, self.latent_dim = tuple(shape), latent_dim
        steps, features = sequence(shape, "conv1d")
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
    """x ``[B, T, F]`` -> a logit ``[B]``: ``depth`` convolutions along time with leaky ReLU, and a linear layer.

    Each divides the length by ``stride``, rounding up (zeros stand on both sides), and doubles the channels. ``shuffle``: n of
    phase shuffle, which in training shifts what each layer but the last hands on by -n ... n steps, the gap being filled by
    reflection, one draw for the batch as in the published code (0: none; the paper takes 2 on sound). ``width``: channels of
    the first layer. Raises UserError where a layer has no more than ``shuffle`` steps.
    """

    def __init__(
        self, shape: tuple[int, ...], classes: int, width: int, depth: int, kernel: int, stride: int, shuffle: int
    ) -> None:
        super().__init__()
        checks.counts(width=width, depth=depth, stride=stride)
        checks.count("kernel", kernel, least=stride)
        checks.count("shuffle", shuffle, least=0)
        steps, features = sequence(shape, "conv1d")
        self.lengths, self.kernel, self.stride, self.shuffle = lengths(steps, stride, depth), kernel, stride, shuffle
        if depth > 1 and self.lengths[-2] <= shuffle:
            raise FieldError(
                *("shuffle", shuffle),
                f"the last layer but one has {self.lengths[-2]} steps, which cannot be shifted by so many.\n"
                f"Set it to {self.lengths[-2] - 1} at most, or depth lower.",
            )
        channels = [features, *widths(width, depth)]
        self.layers = nn.ModuleList(nn.Conv1d(i, o, kernel, stride) for i, o in pairwise(channels))
        self.feature_dim = channels[-1] * self.lengths[-1]
        self.head = nn.Linear(self.feature_dim, 1)

    def features(self, x: Tensor) -> Tensor:
        """The last layer, all steps in one."""
        h = x.transpose(1, 2)
        for index, (layer, length) in enumerate(zip(self.layers, self.lengths[1:], strict=True), start=1):
            missing = max(0, (length - 1) * self.stride + self.kernel - h.shape[2])
            h = leaky_relu(layer(pad(h, (missing // 2, missing - missing // 2))), 0.2)
            if self.training and self.shuffle and index < len(self.layers):
                h = shifted(h, self.shuffle)
        return h.flatten(1)

    def judge(self, features: Tensor) -> Tensor:
        """The linear layer."""
        return self.head(features).squeeze(1)


def shifted(x: Tensor, most: int) -> Tensor:
    """``x [B, C, T]`` later by one draw from -``most`` ... ``most`` < T steps, filled by reflection at its ends."""
    last = x.shape[2] - 1
    by = torch.randint(-most, most + 1, (), device=x.device)
    index = (torch.arange(last + 1, device=x.device) - by).abs()
    return x[..., last - (last - index).abs()]
