"""Sequences with class labels, for conditional players."""

import math

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data, seeded_generator
from gan_cli.data.points.toy import Points
from gan_cli.data.scaling import Scaling, Series
from gan_cli.data.sequences.processes import PROTOCOL


def waves(n: int = 10_000, n_heldout: int = 2000, seed: int = 0, window: int = 24, features: int = 2, classes: int = 3) -> Data:
    """Return x_k(t) = a sin(2π (c + 1) t / T + θ_k), t = 0 … T − 1, with the label c and thus c + 1 periods per sequence.

    θ_k ~ U(0, 2π) for each feature, a ~ U(0.5, 1) for each sequence, c uniform on 0 … classes − 1. Samples are (x + 1)/2.

    Args:
        n: Number of training sequences.
        n_heldout: Number of held-out sequences.
        seed: Seed of the samples.
        window: Number of time steps T, at least 2 * ``classes`` + 1, so that a period has more than two steps.
        features: Number of features.
        classes: Number of classes, at least 2.

    Raises:
        UserError: If an argument is out of its range.
    """
    checks.counts(n=n, n_heldout=n_heldout, features=features)
    checks.count("classes", classes, least=2)
    checks.count("window", window, least=2 * classes + 1)

    def draw(n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        c = torch.randint(classes, (n,), generator=g)
        theta = 2 * math.pi * torch.rand(n, 1, features, generator=g, dtype=torch.float64)
        a = 0.5 + 0.5 * torch.rand(n, 1, 1, generator=g, dtype=torch.float64)
        angle = 2 * math.pi / window * (c + 1)[:, None] * torch.arange(window)
        return a * (angle[..., None] + theta).sin(), c

    scaling = Scaling((-1.0,) * features, (1.0,) * features)
    samples = (draw(count, seeded_generator(seed, part)) for part, count in (("train", n), ("heldout", n_heldout)))
    series = Series(tuple(f"wave {k + 1}" for k in range(features)), scaling, PROTOCOL)
    return Data(*(Points(scaling.from_units(x), c, classes) for x, c in samples), series=series)
