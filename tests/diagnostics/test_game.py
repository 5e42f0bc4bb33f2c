"""All diagnostics at once are complete, reproducible and without side effects."""

import json
import math
import random
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from support.players import Bilinear, images_gan, points_gan
from support.quadratic import CyclicGame, Regression, random_quadratic
from torch import nn

from gan_cli.data.base import Data, Dataset
from gan_cli.diagnostics.game import GameDiagnostics, random_batches
from gan_cli.errors import UserError
from gan_cli.games.analytic import two_parameter
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.randomness import random_state
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.regularizers.spectral_norm import SpectralNorm
from gan_cli.regularizers.weight_clipping import WeightClipping
from gan_cli.schedules.averages import Decay
from gan_cli.training.ema import EMA
from gan_cli.types import Batch


@dataclass
class Normal(Dataset):
    """Normal samples, the same for the same size."""

    shape: tuple[int, ...]
    n: int = 30
    classes: int = 0

    def __len__(self):
        return self.n

    def batch(self, indices):
        x = torch.randn(self.n, *self.shape, generator=torch.Generator().manual_seed(self.n))
        return Batch(x[indices])


def data(*shape):
    return Data(Normal(shape), Normal(shape, 20))


def diagnostics(**fields):
    small = {"batch_size": 4, "eigenvalues": 2, "tol": 0.05, "steps": 3, "batches": 2}
    return GameDiagnostics(**{**small, **fields})


def images():
    """Return a game with batch norm and spectral norm in both players."""
    return images_gan(Wasserstein(), [SpectralNorm(players=["discriminator", "generator"], remove_norm=False)], width=2, size=8)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.slow
def test_a_gan_has_all_numbers():
    report = diagnostics().diagnose(points_gan(Wasserstein(), [WeightClipping()]), data(2), 0)
    both = ("discriminator", "generator")
    assert set(report.values) == {
        *(f"game/{name}/{player}" for name in ("grad_norm", "hessian_min", "hessian_max", "gain_at_least") for player in both),
        *(f"game/critic_slope{name}" for name in ("", "_std", "_above_1")),
        *("game/weights_at_bound/discriminator", "game/jacobian_re_min", "game/jacobian_im_max", "game/duality_gap_at_least"),
        *("game/estimate/wasserstein", "game/critic_gain_at_least/wasserstein"),
    }
    assert all(math.isfinite(value.value) for value in report.values.values())
    assert report.values["game/hessian_min/generator"].higher_is_better
    assert report.details["skipped"] == {}
    assert set(report.details) == {"skipped", "hessian/discriminator", "hessian/generator", "jacobian", "remarks"}
    assert report.details["remarks"][0].startswith("duality_gap_at_least: ")
    assert len(report.details["jacobian"]["leading"]) == 2
    json.dumps(report.details)


@pytest.mark.slow
@pytest.mark.long
def test_a_quadratic_game():
    game = random_quadratic(2, 2)
    values = diagnostics(steps=600, lr=0.05).diagnose(game, data(1), 0).values
    eigenvalues = torch.linalg.eigvals(game.jacobian())
    assert values["game/hessian_min/theta"].value == pytest.approx(float(torch.linalg.eigvalsh(game.A)[0]))
    assert values["game/hessian_max/phi"].value == pytest.approx(float(torch.linalg.eigvalsh(game.C)[-1]))
    assert values["game/jacobian_re_min"].value == pytest.approx(float(eigenvalues.real.min()))
    assert values["game/duality_gap_at_least"].value == pytest.approx(game.gap(), rel=1e-3)


@pytest.mark.parametrize(
    ("game", "skips"),
    [
        (Bilinear(1.0, 2.0), {"critic_slope", "weights_at_bound", "critic_gain"}),
        (CyclicGame(1.0, 2.0, 3.0), {"critic_slope", "weights_at_bound", "critic_gain"}),
        (Regression(nn.Linear(2, 1)), {"critic_slope", "weights_at_bound", "jacobian", "duality_gap"}),
    ],
    ids=["bilinear", "three players", "alone"],
)
def test_missing_quantities_are_skipped_with_a_reason(game, skips):
    report = diagnostics().diagnose(game, data(2), 0)
    assert set(report.details["skipped"]) == skips
    assert all(report.details["skipped"].values())
    assert {f"game/grad_norm/{player}" for player in game.turns()} <= set(report.values)


@pytest.mark.parametrize(("game", "gap"), [("Saddle", 5.0), ("Bilinear", math.inf), ("DiracGAN", math.inf)])
def test_the_gap_of_few_steps_is_a_lower_bound_and_the_exact_one_stands_beside_it(game, gap):
    report = diagnostics(eigenvalues=0, steps=20).diagnose(getattr(two_parameter, game)(1.0, 2.0), data(1), 0)
    values = {name: value.value for name, value in report.values.items() if "gap" in name}
    assert values["game/duality_gap_exact"] == gap
    assert 0 < values["game/duality_gap_at_least"] < 1
    said = report.details["remarks"]
    assert "theta and phi were still gaining after 20 steps: the gap is larger, or has no bound" in said[-1]
    assert any("infinite" in line for line in said) == math.isinf(gap)


@pytest.mark.slow
def test_a_gap_that_is_reached_has_no_remark():
    report = diagnostics(eigenvalues=0, steps=600, lr=0.05).diagnose(two_parameter.Saddle(1.0, 2.0), data(1), 0)
    assert report.values["game/duality_gap_at_least"].value == pytest.approx(5, rel=1e-3)
    assert "remarks" not in report.details


def test_unrequested_quantities_are_not_computed():
    report = diagnostics(eigenvalues=0, steps=0).diagnose(points_gan(), data(2), 0)
    assert report.details["skipped"].keys() == {"weights_at_bound", "spectra", "duality_gap"}
    assert {name.split("/")[1] for name in report.values} == {
        *("grad_norm", "critic_slope", "critic_slope_std", "critic_slope_above_1")
    }


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(images, marks=pytest.mark.long),
        lambda: images_gan(regularizers=[GradientPenalty()], width=2, size=8),
    ],
)
@pytest.mark.slow
def test_the_game_is_not_changed_and_results_are_reproducible(make):
    game = make()
    game.generator.eval()
    for parameter in game.parameters():
        parameter.grad = torch.randn_like(parameter)
    next(game.discriminator.parameters()).requires_grad_(False)
    before = {name: value.clone() for name, value in game.state_dict().items()}
    gradients = [parameter.grad.clone() for parameter in game.parameters()]
    modes = [module.training for module in game.modules()]
    asked = [parameter.requires_grad for parameter in game.parameters()]
    streams = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()

    one = diagnostics().diagnose(game, data(1, 8, 8), 0)

    assert torch.equal(streams[0], torch.get_rng_state())
    assert streams[1:] == (random.getstate(), np.random.get_state()[1].tolist())
    assert random_state(torch.device("cpu"))["torch"].equal(streams[0])
    assert all(torch.equal(before[name], value) for name, value in game.state_dict().items())
    assert all(torch.equal(a, p.grad) for a, p in zip(gradients, game.parameters(), strict=True))
    assert modes == [module.training for module in game.modules()]
    assert asked == [parameter.requires_grad for parameter in game.parameters()]

    torch.manual_seed(5)
    assert one == diagnostics().diagnose(game, data(1, 8, 8), 0)
    other = diagnostics(eigenvalues=0, steps=0).diagnose(game, data(1, 8, 8), 1).values
    assert all(one.values[name] != value for name, value in other.items() if name.startswith("game/grad_norm"))


@pytest.mark.slow
def test_an_ema_copy_with_frozen_parameters():
    game = points_gan()
    average = EMA(game, Decay(0.9)).game
    assert diagnostics().diagnose(average, data(2), 0) == diagnostics().diagnose(game, data(2), 0)


@pytest.mark.slow
def test_best_responses_are_evaluated_on_held_out_samples():
    """Responses are trained on the training part and evaluated on the held-out part."""
    game, whole = points_gan(), data(2)
    elsewhere = Data(whole.train, Normal((2,), 19))
    one, other = (diagnostics().diagnose(game, d, 0).values for d in (whole, elsewhere))
    judged = {name for name in one if one[name] != other[name]}
    assert {name.split("/")[1] for name in judged} <= {
        "duality_gap_at_least",
        "gain_at_least",
        "estimate",
        "critic_gain_at_least",
    }
    assert "game/gain_at_least/discriminator" in judged


def test_random_batches_are_determined_by_their_seed():
    a, same, other = (random_batches(Normal((2,)), 5, *words) for words in ((0, "x"), (0, "x"), (0, "y")))
    first = next(a)
    assert torch.equal(first.x, next(same).x)
    assert not torch.equal(first.x, next(other).x)
    assert not torch.equal(first.x, next(a).x)


@pytest.mark.parametrize(
    "fields",
    [{"batch_size": 1}, {"eigenvalues": -1}, {"tol": 0}, {"restarts": 0}, {"steps": 1.5}, {"lr": 0.0}, {"batches": 1}],
)
def test_fields_out_of_range(fields):
    with pytest.raises(UserError, match=f"{next(iter(fields))}="):
        diagnostics(**fields)
