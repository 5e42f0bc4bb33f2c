"""What a denoiser is told beside the noisy sample: the time, and the class where it is to know it."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOWEST = 10000.0
"""Longest wavelength of the sinusoids, in steps over 2 pi."""


def sinusoids(t: Tensor, width: int) -> Tensor:
    """sin(w_i t) and cos(w_i t) ``[B, width]`` at times ``[B]``, w_i from 1 down to 1 / 10000 (Vaswani et al., 2017)."""
    half = width // 2
    rates = torch.exp(-math.log(SLOWEST) / max(1, half - 1) * torch.arange(half, device=t.device))
    angles = t[:, None].float() * rates
    return F.pad(torch.cat([angles.sin(), angles.cos()], 1), (0, width - 2 * half))


class Embedding(nn.Module):
    """(t, y) -> ``[B, outputs]``: two linear layers on the sinusoids of t, plus a learnt vector for each class.

    ``classes``: how many there are to be told apart, 0: none. The label ``classes`` itself stands for no label (Ho and
    Salimans, 2022), and so does y = None.
    """

    def __init__(self, width: int, outputs: int, classes: int) -> None:
        super().__init__()
        self.width, self.classes = width, classes
        self.time = nn.Sequential(linear(width, outputs), nn.SiLU(), linear(outputs, outputs))
        self.label = nn.Embedding(classes + 1, outputs) if classes else None

    def forward(self, t: Tensor, y: Tensor | None) -> Tensor:
        time = self.time(sinusoids(t, self.width))
        if self.label is None:
            return time
        return time + self.label(torch.full_like(t, self.classes) if y is None else y)


def linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer whose weights begin with variance 2 / (inputs + outputs), its biases at 0 (Ho et al., 2020, code)."""
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
