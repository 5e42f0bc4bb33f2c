"""Exact integrals over two normal laws on the line, whatever their widths and the distance between them."""

import math
from typing import NamedTuple

import torch
from numpy.polynomial.legendre import leggauss
from torch import Tensor
from torch.nn.functional import softplus

REACH = 10
"""Standard deviations around a mean that are integrated over; 1.5e-23 of the law lies outside."""
POINTS = 20
"""Gauss-Legendre points in each interval between neighbouring breakpoints."""


class Law(NamedTuple):
    """N(mean, std^2), std > 0."""

    mean: float
    std: float

    def log_density(self, x: Tensor) -> Tensor:
        """Return the log-density at ``x``; -1e9, which is a density of 0, wherever it is below that."""
        z = (x - self.mean) / self.std
        return (-z.square() / 2 - math.log(self.std * math.sqrt(2 * math.pi))).clamp(min=-1e9)


class Quadrature(NamedTuple):
    """Points of the line in rising order and the weights of an integral over them, float64 ``[n]`` each."""

    x: Tensor
    weights: Tensor


def quadrature(p: Law, q: Law) -> Quadrature:
    """Return points that resolve both laws: Gauss-Legendre points between all breakpoints mean + k std, k = -10 ... 10.

    Args:
        p: A law.
        q: Another one.
    """
    breakpoints = sorted({law.mean + k * law.std for law in (p, q) for k in range(-REACH, REACH + 1)})
    ends = torch.tensor(breakpoints, dtype=torch.float64)
    places, weights = (torch.from_numpy(values) for values in leggauss(POINTS))
    middle, half = (ends[1:] + ends[:-1]) / 2, ends.diff() / 2
    return Quadrature((middle[:, None] + half[:, None] * places).flatten(), (half[:, None] * weights).flatten())


def mean_over(law: Law, values: Tensor, points: Quadrature) -> float:
    """Return E f(X) for X of this law and f given by its ``values`` at the points, ``[n]``."""
    return float((points.weights * law.log_density(points.x).exp() * values).sum())


def js(p: Law, q: Law) -> float:
    """Return JS(p, q) = log 2 - (E_p log(1 + q/p) + E_q log(1 + p/q)) / 2 in nats, in [0, log 2]."""
    points = quadrature(p, q)
    ratio = p.log_density(points.x) - q.log_density(points.x)
    overlap = mean_over(p, softplus(-ratio), points) + mean_over(q, softplus(ratio), points)
    return min(max(math.log(2) - overlap / 2, 0.0), math.log(2))


def wasserstein(p: Law, q: Law) -> float:
    """Return W_1(p, q) = E |m + s z|, z ~ N(0, 1), with m and s the differences of the means and standard deviations."""
    m, s = abs(p.mean - q.mean), abs(p.std - q.std)
    if s == 0:
        return m
    ratio = m / s
    return s * math.sqrt(2 / math.pi) * math.exp(-ratio * ratio / 2) + m * math.erf(ratio / math.sqrt(2))
