"""The chain of noise, by its closed forms."""

import math

import pytest
import torch

from gan_cli.errors import UserError
from gan_cli.games.noise_schedule import Cosine, Linear
from gan_cli.randomness import fork_rng

PAPER = Linear(1000, 1e-4, 0.02)
COSINE = Cosine(1000, 0.008, 0.999)
SHORT = Linear(10, 0.05, 0.4)
CPU = torch.device("cpu")


def density(x, mean, variance):
    return torch.exp(-((x - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)


def scalar(x):
    return torch.tensor([[float(x)]], dtype=torch.float64)


def law_of_back(noise, x_t, x_0, t, s, eta=1.0, variance=0.0):
    """Mean and variance of x_s, from many draws."""
    n = 200_000
    with fork_rng(0, CPU):
        x = noise.back(scalar(x_t).expand(n, 1), scalar(x_0), t, s, eta, variance)
    return x.mean().item(), x.var().item()


def test_the_papers_chain_ends_in_noise():
    assert PAPER.steps == 1000
    assert PAPER.abar[-1] == pytest.approx(4.036e-5, rel=1e-4)
    assert 1 - PAPER.abar[1] == pytest.approx(1e-4)
    assert 1 - PAPER.abar[1000] / PAPER.abar[999] == pytest.approx(0.02)


def test_the_cosine_is_one_up_to_the_last_step():
    def f(t):
        return math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2

    assert COSINE.abar[0] == 1
    for t in (1, 10, 500, 900, 999):
        assert COSINE.abar[t] == pytest.approx(f(t) / f(0), rel=1e-9)
    assert COSINE.abar[1000] == pytest.approx(0.001 * COSINE.abar[999], rel=1e-9), "beta is clipped at 0.999"


@pytest.mark.parametrize("noise", [PAPER, COSINE, SHORT])
def test_signal_and_noise(noise):
    assert all(a > b > 0 for a, b in zip(noise.abar, noise.abar[1:], strict=False))
    torch.testing.assert_close(noise.scale**2 + noise.spread**2, torch.ones(noise.steps + 1))
    assert not noise.state_dict(), "what follows from the config is in no checkpoint"


def test_noisy_and_back_to_clean():
    torch.manual_seed(0)
    x_0, eps = torch.randn(2, 4, 1, 3, 3)
    for t in (1, 500, 900):
        x_t = PAPER.noisy(x_0, torch.full((4,), t), eps)
        torch.testing.assert_close(PAPER.clean(x_t, t, eps), x_0, rtol=1e-3, atol=1e-3)
    mixed = PAPER.noisy(x_0, torch.tensor([1, 1000, 1, 1000]), eps)
    torch.testing.assert_close(mixed[::2], x_0[::2], rtol=0, atol=0.05)
    torch.testing.assert_close(mixed[1::2], eps[1::2], rtol=0, atol=0.05)


@pytest.mark.parametrize(("t", "s"), [(7, 6), (2, 1), (8, 3)])
def test_a_step_back_is_bayes_rule(t, s):
    """q(x_s | x_t, x_0) = q(x_t | x_s) q(x_s | x_0) / q(x_t | x_0), its moments by summation over a fine grid."""
    x_0, x_t, abar = 0.7, -0.4, SHORT.abar
    x = torch.linspace(-8, 8, 20_001, dtype=torch.float64)
    ratio = abar[t] / abar[s]
    posterior = density(x_t, math.sqrt(ratio) * x, 1 - ratio) * density(x, math.sqrt(abar[s]) * x_0, 1 - abar[s])
    posterior /= posterior.sum()
    mean = float((posterior * x).sum())
    variance = float((posterior * (x - mean) ** 2).sum())
    drawn = law_of_back(SHORT, x_t, x_0, t, s)
    assert drawn[0] == pytest.approx(mean, abs=5 * math.sqrt(variance / 200_000))
    assert drawn[1] == pytest.approx(variance, rel=0.02)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("t", "s"), [(7, 6), (9, 2)])
def test_a_step_back_keeps_the_marginals(eta, t, s):
    """If x_t ~ q(x_t | x_0), then x_s ~ q(x_s | x_0), for every eta (Song et al., 2021, lemma 1)."""
    abar, x_0, n = SHORT.abar, 0.7, 200_000
    with fork_rng(1, CPU):
        x_t = math.sqrt(abar[t]) * x_0 + math.sqrt(1 - abar[t]) * torch.randn(n, 1)
        x_s = SHORT.back(x_t, torch.tensor(x_0), t, s, eta)
    assert x_s.mean().item() == pytest.approx(math.sqrt(abar[s]) * x_0, abs=0.01)
    assert x_s.var().item() == pytest.approx(1 - abar[s], rel=0.02)


def test_ddim_at_eta_one_has_the_ancestral_variance():
    t, s, abar = 6, 5, SHORT.abar
    beta = 1 - abar[t] / abar[s]
    lower = beta * (1 - abar[s]) / (1 - abar[t])
    for eta, variance, expected in (
        (1.0, 0.0, lower),
        (1.0, 1.0, beta),
        (1.0, 0.5, math.sqrt(beta * lower)),
        (0.5, 0.0, 0.25 * lower),
    ):
        assert law_of_back(SHORT, 0.2, -0.3, t, s, eta, variance)[1] == pytest.approx(expected, rel=0.02)


def test_the_upper_variance_has_the_same_mean():
    means = [law_of_back(SHORT, 0.2, -0.3, 6, 5, 1.0, variance)[0] for variance in (0.0, 1.0)]
    assert means[0] == pytest.approx(means[1], abs=0.01)


@pytest.mark.parametrize(("s", "eta"), [(0, 1.0), (3, 0.0)])
def test_where_there_is_nothing_to_draw(s, eta):
    x_t, x_0 = torch.randn(2, 5, 2)
    torch.manual_seed(0)
    x = SHORT.back(x_t, x_0, 4, s, eta, 1.0)
    assert torch.equal(x, SHORT.back(x_t, x_0, 4, s, eta, 1.0))
    torch.manual_seed(0)
    before = torch.get_rng_state()
    SHORT.back(x_t, x_0, 4, s, eta, 1.0)
    assert torch.equal(before, torch.get_rng_state())
    if s == 0:
        torch.testing.assert_close(x, x_0)


def test_times():
    assert PAPER.times(1000) == list(range(1000, 0, -1))
    assert PAPER.times(20) == list(range(951, 0, -50))
    assert PAPER.times(1) == [1]
    assert SHORT.times(3) == [7, 4, 1]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Linear(0, 1e-4, 0.02), r"steps=0"),
        (lambda: Linear(10, 0.0, 0.02), r"first=0\.0: it must be a number above 0"),
        (lambda: Linear(10, 1e-4, 1.0), r"last=1\.0: a variance must be below 1"),
        (lambda: Cosine(10, -0.1, 0.9), r"offset=-0\.1"),
        (lambda: Cosine(10, 0.008, 1.0), r"most=1\.0"),
    ],
)
def test_what_is_no_schedule(make, says):
    with pytest.raises(UserError, match=says):
        make()
