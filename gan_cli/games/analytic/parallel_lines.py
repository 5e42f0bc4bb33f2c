"""Distances between two parallel lines, without any player (Arjovsky et al., 2017, example 1)."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from gan_cli import checks, drawing
from gan_cli.games.base import Game, Turn
from gan_cli.games.protocols import History
from gan_cli.metrics.points.discrete import Vector, common_support, js, kl, tv
from gan_cli.metrics.points.histogram import histograms
from gan_cli.metrics.points.wasserstein import wasserstein
from gan_cli.parallel import draws

DIVERGENCES = {"js": js, "kl": kl, "tv": tv}


class ParallelLines(Game):
    """P_0, the law of (0, z), against P_theta, that of (theta, z), z ~ U[0, 1].

    W = |theta|, and for theta != 0 JS = log 2, KL = infinite, TV = 1: only W depends on the distance of the lines. No turn is
    played. Round t measures at the t-th of ``steps`` + 1 equally spaced theta. Each distance is given in ``closed`` form and
    from samples: ``shared`` if both lines have the same z, ``independent`` if they do not, and ``floor`` between two
    independent sets of P_0. W of samples is exact. Divergences compare the points of both sets if z is shared, and histograms
    along the line if it is not, because independent samples have no point in common.

    Args:
        low: First theta.
        high: Last theta.
        steps: Number of steps from ``low`` to ``high``.
        n: Number of points of each line.
        bins: Number of cells of a histogram along the line.
    """

    thetas: Tensor

    def __init__(self, low: float, high: float, steps: int, n: int, bins: int) -> None:
        super().__init__()
        checks.number("low", low)
        checks.number("high", high, above=low)
        checks.counts(n=n, bins=bins)
        checks.count("steps", steps, least=0)
        self.n, self.bins = n, bins
        values = low + torch.arange(steps + 1, dtype=torch.float64) * (high - low) / max(steps, 1)  # linspace may miss 0
        self.register_buffer("thetas", values, persistent=False)  # a longer run has others

    def turns(self) -> Mapping[str, Turn]:
        return {}

    def latents(self, n: int) -> Tensor:
        return draws.rand(n, 1, device=self.device)

    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        """Return points on the line of the last theta."""
        return torch.cat([self.thetas[-1:].to(latents).expand(len(latents), 1), latents], 1)

    def measure(self, step: int) -> Mapping[str, float]:
        """Return ``theta``, and ``<distance>/<how>`` for w, js, kl, tv: closed, shared, independent, floor."""
        theta = float(self.thetas[min(step, len(self.thetas) - 1)])
        z, other, third = torch.rand(3, self.n, dtype=torch.float64)
        real, shared, independent, again = _line(0.0, z), _line(theta, z), _line(theta, other), _line(0.0, third)
        apart = float(theta != 0)
        closed = {"w": abs(theta), "js": apart * math.log(2), "kl": math.inf if apart else 0.0, "tv": apart}
        numbers = {"theta": theta} | {f"{name}/closed": value for name, value in closed.items()}
        for how, fake in (("shared", shared), ("independent", independent), ("floor", again)):
            numbers[f"w/{how}"] = wasserstein(real, fake)
            p, q = self._shares(real, fake, how == "shared")
            numbers |= {f"{name}/{how}": divergence(p, q) for name, divergence in DIVERGENCES.items()}
        return numbers

    def _shares(self, real: Tensor, fake: Tensor, pointwise: bool) -> tuple[Vector, Vector]:
        if pointwise:
            _, p, q = common_support(real, fake)
            return p, q
        # a window that does not depend on the sample, so that none of its tails is cut off
        corners = torch.tensor([[0.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
        return tuple(histograms(corners, points, self.bins).fake for points in (real, fake))  # type: ignore[return-value]

    def picture(self, history: History) -> np.ndarray:
        """Plot every distance over theta, as in figure 1 of the paper."""
        rows = [row for row in history() if "theta" in row]
        return drawing.distances(rows, (float(self.thetas[0]), float(self.thetas[-1])))


def _line(theta: float, z: Tensor) -> Tensor:
    return torch.stack([torch.full_like(z, theta), z], 1)
