"""Diffusion with denoisers of which everything is known, and with those that come with the package."""

import math
from itertools import repeat

import pytest
import torch
from support import configs
from support.players import alternating
from torch import nn

from gan_cli.diagnostics.game import GameDiagnostics
from gan_cli.errors import UserError
from gan_cli.games.ddpm import DDPM
from gan_cli.games.noise_schedule import Cosine, Linear
from gan_cli.games.sampling import eval_mode
from gan_cli.models.base import Denoiser
from gan_cli.models.mlp import MLPDenoiser
from gan_cli.randomness import fork_rng
from gan_cli.types import Batch

CPU = torch.device("cpu")
PAPER = Linear(1000, 1e-4, 0.02)


class Gaussian(Denoiser):
    """The best denoiser of data from N(mean, std^2): eps* = E[eps | x_t]."""

    classes = 0

    def __init__(self, noise, mean, std, shape=(1,)):
        super().__init__()
        self.chain, self.std, self.shape = noise, std, shape
        self.mean = nn.Parameter(torch.tensor(mean))

    def forward(self, x, t, y=None):
        a, b = self.chain.scale[t], self.chain.spread[t]
        a, b = (c.reshape(-1, *[1] * (x.ndim - 1)) for c in (a, b))
        return b * (x - a * self.mean) / (a**2 * self.std**2 + b**2)


class Says(Denoiser):
    """Says its label, 0 for none."""

    shape, classes = (2,), 3

    def __init__(self):
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))
        self.asked = []

    def forward(self, x, t, y=None):
        self.asked.append((t, y))
        said = torch.zeros(len(x)) if y is None else y + 1.0
        return self.one * said[:, None].expand_as(x)


def ddpm(denoiser, noise=PAPER, sampling_steps=10, eta=0.0, variance=0.0, clip=True, label_dropout=0.1, guidance=0.0):
    return DDPM(denoiser, noise, sampling_steps, eta, variance, clip, label_dropout, guidance)


def drawn(game, n=4000):
    with fork_rng(0, CPU), eval_mode(game):
        return game.sample(game.latents(n))


@pytest.mark.parametrize(
    ("mean", "std"), [(0.5, 0.3), *(pytest.param(*law, marks=pytest.mark.long) for law in ((0.0, 1.0), (-1.0, 2.0)))]
)
@pytest.mark.parametrize(
    "sampler",
    [
        {"sampling_steps": 1000, "eta": 1.0, "variance": 0.0},
        {"sampling_steps": 1000, "eta": 1.0, "variance": 1.0},
        {"sampling_steps": 1000, "eta": 0.0},
        {"sampling_steps": 100, "eta": 0.0},
        {"sampling_steps": 250, "eta": 0.5},
    ],
    ids=["ancestral, posterior variance", "ancestral, beta", "DDIM", "DDIM in 100", "half-way in 250"],
)
@pytest.mark.slow
def test_the_best_denoiser_of_a_gaussian_brings_it_back(sampler, mean, std):
    x = drawn(ddpm(Gaussian(PAPER, mean, std), **sampler))
    n = len(x)
    assert x.mean().item() == pytest.approx(mean, abs=4 * std / math.sqrt(n) + 0.01)
    assert x.std().item() == pytest.approx(std, rel=4 / math.sqrt(2 * n) + 0.03)


def test_under_the_cosine_schedule_too():
    noise = Cosine(1000, 0.008, 0.999)
    x = drawn(ddpm(Gaussian(noise, 0.5, 0.3), noise, 100, eta=1.0))
    assert (x.mean().item(), x.std().item()) == pytest.approx((0.5, 0.3), rel=0.08)


def test_the_best_denoiser_has_the_least_loss():
    """Of data from N(m, s^2) it is the share of the noise that cannot be told: mean of a^2 s^2 / (a^2 s^2 + b^2) over t."""
    std = 0.3
    a2, b2 = PAPER.scale[1:] ** 2, PAPER.spread[1:] ** 2
    least = (a2 * std**2 / (a2 * std**2 + b2)).mean().item()
    game = ddpm(Gaussian(PAPER, 0.5, std))
    torch.manual_seed(0)
    loss, stats = game.loss(Batch(0.5 + std * torch.randn(100_000, 1)))
    assert stats == {}
    assert loss.item() == pytest.approx(least, rel=0.03)
    worse, _ = ddpm(Gaussian(PAPER, 0.5, 0.6)).loss(Batch(0.5 + std * torch.randn(100_000, 1)))
    assert worse > 1.1 * loss


def test_the_loss_of_saying_nothing_is_one():
    game = ddpm(Says())
    torch.manual_seed(0)
    loss, _ = game.loss(Batch(torch.randn(20_000, 2)))
    assert loss.item() == pytest.approx(1, abs=0.03)


def test_held_out_loss_by_quarters_of_the_time():
    std = 0.3
    game = ddpm(Gaussian(PAPER, 0.5, std))
    torch.manual_seed(0)
    found = game.estimate(Batch(0.5 + std * torch.randn(40_000, 1)))
    a2, b2 = PAPER.scale[1:] ** 2, PAPER.spread[1:] ** 2
    exact = (a2 * std**2 / (a2 * std**2 + b2)).reshape(4, 250).mean(1).tolist()
    assert list(found) == ["loss_t1", "loss_t2", "loss_t3", "loss_t4"]
    assert [value.item() for value in found.values()] == pytest.approx(exact, rel=0.1)
    assert list(game.estimate(Batch(torch.zeros(2, 1)))) == ["loss_t1", "loss_t2"]


def test_times_reach_from_the_first_to_the_last():
    denoiser = Says()
    ddpm(denoiser, Linear(5, 0.1, 0.2), 5).loss(Batch(torch.randn(1000, 2)))
    assert denoiser.asked[-1][0].unique().tolist() == [1, 2, 3, 4, 5]
    ddpm(denoiser, Linear(8, 0.1, 0.2), 5).estimate(Batch(torch.randn(1000, 2)))
    times, _ = denoiser.asked[-1]
    assert [sorted(set(times[i::4].tolist())) for i in range(4)] == [[1, 2], [3, 4], [5, 6], [7, 8]]


def test_the_last_time_is_not_passed_by_rounding(monkeypatch):
    """3 + the largest number below 1 is 4 in single precision."""
    monkeypatch.setattr(torch, "rand", lambda shape, **options: torch.full(shape, 1 - 2.0**-24))
    denoiser = Says()
    ddpm(denoiser, Linear(8, 0.1, 0.2), 5).estimate(Batch(torch.zeros(8, 2)))
    assert denoiser.asked[-1][0].max() == 8


class TestGuidance:
    x, y = torch.zeros(4, 2), torch.tensor([0, 1, 2, 2])

    @pytest.mark.parametrize("w", [0.0, 1.0, -1.0, 2.5])
    def test_weights(self, w):
        """(1 + w) conditional - w unconditional, of a denoiser that says 1 + y, and 0 without a label."""
        found = ddpm(Says(), guidance=w).guided(self.x, 3, self.y)
        torch.testing.assert_close(found, ((1 + w) * (self.y + 1.0))[:, None].expand(4, 2))

    @pytest.mark.parametrize(("w", "y", "times"), [(0.0, y, 1), (1.0, None, 1), (1.0, y, 2)])
    def test_the_denoiser_is_asked_no_more_than_needed(self, w, y, times):
        denoiser = Says()
        ddpm(denoiser, guidance=w, sampling_steps=1).sample(self.x, y)
        assert len(denoiser.asked) == times

    @pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
    def test_a_share_of_the_labels_is_hidden(self, p):
        denoiser = Says()
        y = torch.arange(3).repeat(5000)
        torch.manual_seed(0)
        ddpm(denoiser, label_dropout=p).loss(Batch(torch.zeros(len(y), 2), y))
        _, shown = denoiser.asked[-1]
        assert (shown == 3).float().mean().item() == pytest.approx(p, abs=0.02)
        assert torch.equal(shown[shown != 3], y[shown != 3])

    def test_held_out_labels_are_all_shown(self):
        denoiser = Says()
        ddpm(denoiser, label_dropout=1.0).estimate(Batch(self.x, self.y))
        assert torch.equal(denoiser.asked[-1][1], self.y)

    def test_labels_without_a_use_move_no_stream(self):
        game = ddpm(MLPDenoiser((2,), 3, 8, 2, conditional=False), label_dropout=0.5)
        losses = []
        for y in (self.y, None):
            torch.manual_seed(0)
            losses.append(game.loss(Batch(self.x, y))[0].item())
        assert losses[0] == losses[1]
        assert game.hidden(self.y) is None

    def test_guidance_needs_classes(self):
        with pytest.raises(UserError, match=r"looks at no classes\. Train one with model\.denoiser\.conditional=true"):
            ddpm(Gaussian(PAPER, 0.0, 1.0), guidance=1.0)

    def test_guidance_needs_a_denoiser_that_has_learnt_without_labels(self):
        """If no label was ever hidden, the vector of "no label" has not been trained."""
        with pytest.raises(UserError, match=r"guidance=1\.0: .* without labels too\.\n.*game\.label_dropout=0\.1"):
            ddpm(Says(), label_dropout=0.0, guidance=1.0)
        ddpm(Says(), label_dropout=0.0).set_sampling("guidance", 0.0)

    def test_set_after_training(self):
        game = ddpm(Says())
        game.set_sampling("guidance", 2.5)
        torch.testing.assert_close(game.guided(self.x, 3, self.y), ddpm(Says(), guidance=2.5).guided(self.x, 3, self.y))


@pytest.mark.parametrize(
    ("shape", "clip", "bounded"), [((1, 8, 8), True, True), ((1, 8, 8), False, False), ((1,), True, False)]
)
def test_images_are_kept_in_their_range(shape, clip, bounded):
    x = drawn(ddpm(Gaussian(PAPER, 0.0, 2.0, shape), clip=clip), 50)
    assert (x.abs().max().item() <= 1) == bounded


def test_ddim_draws_nothing_and_ancestral_sampling_does():
    for eta, same in ((0.0, True), (1.0, False)):
        game = ddpm(Gaussian(PAPER, 0.5, 0.3), eta=eta)
        z = game.latents(5)
        assert torch.equal(game.sample(z), game.sample(z)) == same


def test_what_the_other_parts_see():
    game = ddpm(MLPDenoiser((2,), 0, 16, 3, conditional=False), sampling_steps=3)
    assert list(game.turns()) == ["denoiser"]
    assert game.critic() is None
    stats = alternating(game).round(["denoiser"], repeat(Batch(torch.randn(8, 2))))
    assert {"loss/denoiser", "grad_norm/denoiser"} <= set(stats)
    assert set(game.state_dict()) == {f"denoiser.{name}" for name, _ in game.denoiser.named_parameters()}


@pytest.mark.slow
def test_it_learns_two_points_by_name_and_both_without():
    torch.manual_seed(0)
    denoiser = MLPDenoiser((1,), 2, 32, 3, conditional=True)
    game = ddpm(denoiser, Linear(100, 1e-3, 0.15), 20, label_dropout=0.2)
    solver = alternating(game, torch.optim.Adam, 5e-3)
    y = torch.arange(2).repeat(64)
    data = Batch(2.0 * y[:, None] - 1, y)
    for _ in range(400):
        solver.round(["denoiser"], repeat(data))
    asked = torch.arange(2).repeat(250)
    right = {}
    for w in (-1.0, 0.0, 1.0):
        game.guidance = w
        with fork_rng(0, CPU), eval_mode(game):
            found = game.sample(game.latents(500), asked)[:, 0]
        right[w] = ((found - (2 * asked - 1)).abs() < 0.3).float().mean().item()
    assert right[-1.0] == pytest.approx(0.45, abs=0.15), "weight -1 forgets the label"
    assert right[0.0] > 0.9
    assert right[1.0] > 0.9


def test_in_bfloat16():
    cfg = configs.config("game=ddpm dataset=ring model/denoiser=mlp", "precision=bf16")
    parts, stats = configs.play(cfg, 2)
    assert stats["loss/denoiser"].dtype == torch.float32
    assert drawn(parts.game, 2).dtype == torch.float32


def test_diagnostics_of_one_player_alone():
    parts, _ = configs.play(configs.config("game=ddpm dataset=ring model/denoiser=mlp"))
    found = GameDiagnostics(batch_size=4, eigenvalues=0).diagnose(parts.game, parts.data, 0)
    assert set(found.values) == {"game/grad_norm/denoiser"}
    assert set(found.details["skipped"]) == {"critic_slope", "weights_at_bound", "spectra", "duality_gap"}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"sampling_steps": 0}, "sampling_steps=0"),
        ({"sampling_steps": 1001}, r"sampling_steps=1001: there are only 1000 steps \(game\.noise\.steps\)"),
        ({"eta": 1.5}, r"eta=1\.5: it must be a number from 0 to 1"),
        ({"variance": -0.1}, r"variance=-0\.1: it must be a number from 0 to 1"),
        ({"label_dropout": True}, "label_dropout=True"),
        ({"clip": "no"}, "clip='no'"),
        ({"guidance": -2.0}, r"guidance=-2\.0: it must be a number, at least -1"),
    ],
)
def test_what_is_out_of_range(fields, says):
    with pytest.raises(UserError, match=rf"{says}"):
        ddpm(Says(), **fields)
