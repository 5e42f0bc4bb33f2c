"""Divergences of two normal laws agree with closed forms and with adaptive quadrature, at every scale."""

import math
from itertools import pairwise

import pytest
import torch
from scipy import stats
from scipy.integrate import quad

from gan_cli.games.analytic.normal_laws import Law, js, mean_over, quadrature, wasserstein

PAIRS = {
    "equal": ((0, 1), (0, 1)),
    "shifted": ((2, 0.5), (0, 1)),
    "narrow": ((0, 0.001), (0.001, 0.001)),
    "wide": ((0, 1000), (500, 2000)),
    "far apart": ((-1000, 1), (1000, 1)),
    "narrow in wide": ((0.3, 0.001), (0, 1)),
    "narrow beside 0": ((1e6, 1e-3), (1e6 + 1e-3, 2e-3)),
    "nearly a point": ((0, 1e-9), (0, 1)),
}


def reference_js(p, q):
    """Half of the integrals of p log(2p / (p + q)) and q log(2q / (p + q)), each over pieces around both means."""
    ends = sorted({mean + k * std for mean, std in (p, q) for k in range(-9, 10)})

    def half(a, b):
        def integrand(x):
            log_a, log_b = stats.norm.logpdf(x, *a), stats.norm.logpdf(x, *b)
            return math.exp(log_a) * (math.log(2) - float(torch.nn.functional.softplus(torch.tensor(log_b - log_a)).double()))

        return sum(quad(integrand, low, high)[0] for low, high in pairwise(ends))

    return (half(p, q) + half(q, p)) / 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "pair",
    [
        name if name in ("shifted", "narrow in wide", "nearly a point") else pytest.param(name, marks=pytest.mark.long)
        for name in PAIRS
        if name != "narrow beside 0"
    ],
)
def test_js_agrees_with_adaptive_quadrature(pair):
    p, q = PAIRS[pair]
    assert js(Law(*p), Law(*q)) == pytest.approx(reference_js(p, q), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_w1_is_the_distance_of_the_quantiles(pair):
    (m, s), (n, t) = pair
    u = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    expected = float((m - n + (s - t) * torch.special.ndtri(u)).abs().mean())
    assert wasserstein(Law(m, s), Law(n, t)) == pytest.approx(expected, rel=1e-4)


def test_js_of_laws_that_do_not_overlap_is_log_2():
    assert js(Law(-1000, 1), Law(1000, 1)) == math.log(2)
    assert js(Law(0, 1e-300), Law(1, 1)) == pytest.approx(math.log(2))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_js_does_not_depend_on_the_unit(scale):
    assert js(Law(scale, scale), Law(0, 3 * scale)) == pytest.approx(js(Law(1, 1), Law(0, 3)))


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_means_over_both_laws(pair):
    p, q = Law(*pair[0]), Law(*pair[1])
    points = quadrature(p, q)
    for law in (p, q):
        assert mean_over(law, torch.ones_like(points.x), points) == pytest.approx(1)
        assert mean_over(law, (points.x - law.mean).square(), points) == pytest.approx(law.std**2, rel=1e-4)
