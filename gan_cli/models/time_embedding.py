"""Embeddings of the diffusion time and of the class, on which a denoiser is conditioned."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan_cli.models.layers import embedded

MAX_PERIOD = 10000.0
"""Longest wavelength of the sinusoids divided by 2 pi, in time steps."""


def sinusoidal_features(t: Tensor, width: int) -> Tensor:
    """Return sin(w_i t) and cos(w_i t), with w_i falling geometrically from 1 to 1 / 10000 (Vaswani et al., 2017).

    Args:
        t: Times ``[B]``.
        width: Number of features.

    Returns:
        Features ``[B, width]``.
    """
    half = width // 2
    rates = torch.exp(-math.log(MAX_PERIOD) / max(1, half - 1) * torch.arange(half, device=t.device))
    angles = t[:, None].float() * rates
    return F.pad(torch.cat([angles.sin(), angles.cos()], 1), (0, width - 2 * half))


class TimeEmbedding(nn.Module):
    """(t, y) -> ``[B, outputs]``: two linear layers on the sinusoidal features of t, plus a learnt vector for each class.

    Args:
        width: Number of sinusoidal features.
        outputs: Size of the embedding.
        classes: Number of classes; 0 without labels. The label ``classes`` itself means "no label" (Ho and Salimans, 2022),
            and so does y = None.
    """

    def __init__(self, width: int, outputs: int, classes: int) -> None:
        super().__init__()
        self.width, self.classes = width, classes
        self.time = nn.Sequential(glorot_linear(width, outputs), nn.SiLU(), glorot_linear(outputs, outputs))
        self.label = nn.Embedding(classes + 1, outputs) if classes else None

    def forward(self, t: Tensor, y: Tensor | None) -> Tensor:
        time = self.time(sinusoidal_features(t, self.width))
        if self.label is None:
            return time
        return time + embedded(torch.full_like(t, self.classes) if y is None else y, self.label.weight)


def glorot_linear(inputs: int, outputs: int) -> nn.Linear:
    """Return a linear layer with weights of variance 2 / (inputs + outputs) and biases 0 (code of Ho et al., 2020)."""
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
