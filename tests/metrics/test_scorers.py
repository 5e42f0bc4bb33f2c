import pytest
import torch

from gan_cli.data.base import Data, seeded_generator
from gan_cli.data.points.toy import Points
from gan_cli.data.sequences.processes import sines
from gan_cli.errors import UserError
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.sequences.discriminative import DiscriminativeScore, train_classifiers
from gan_cli.metrics.sequences.predictive import PredictiveScore, median_errors, prediction_task, train_predictors
from gan_cli.metrics.sequences.scorers import (
    ParallelNetworks,
    Scorer,
    ScorerBatch,
    fifth,
    loss_still_falls,
    mean_and_error,
    train_scorers,
)

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
QUICK = Scorer("gru", 2, 1, 30, 16, 0.01, 3)


def encoded(x):
    return Identity().encode(x)


def noise(*shape, word="noise"):
    return torch.rand(*shape, generator=seeded_generator(word))


def trained(scorer, gs, x, y):
    networks = ParallelNetworks(scorer, 4, 2, gs)
    batch = ScorerBatch(x, y)
    losses = train_scorers(
        networks, scorer, lambda: batch, lambda net, given: (net(given.x) - given.y).square().mean((0, 1, 3))
    )
    return networks, losses


@pytest.mark.parametrize(("cell", "layers"), [("gru", 1), ("gru", 2), ("lstm", 1)])
def test_parallel_networks_equal_single_networks(cell, layers):
    scorer = Scorer(cell, 3, layers, 10, 5, 0.05, 3)
    x, y = noise(3, 5, 6, 4), noise(6, 5, 3, 2, word="y")
    together, losses = trained(scorer, scorer.generators("a"), x, y)
    for k, g in enumerate(scorer.generators("a")):
        alone, own = trained(scorer, [g], x[k : k + 1], y[:, :, k : k + 1])
        assert torch.allclose(own[:, 0], losses[:, k], atol=1e-5)
        assert torch.allclose(alone(x[k : k + 1])[:, :, 0], together(x)[:, :, k], atol=1e-4)
    assert (losses[-1] < losses[0]).all()
    own_share = (3 if cell == "gru" else 4) * (3 * 3 * 4 * 3 + 2 * 3 * 3 * 3 * (layers - 1)) + 3 * 3 * 2
    kept = sum(int((p != 0).sum()) for name, p in together.named_parameters() if "ih_l" in name and p.ndim == 2)
    assert kept < own_share, "weights between different networks stay 0"


def test_a_single_network_equals_torchs_layer():
    scorer = Scorer("gru", 3, 1, 5, 5, 0.05, 2)
    net = ParallelNetworks(scorer, 4, 1, scorer.generators("b")[:1])
    layer = torch.nn.GRU(4, 3, batch_first=True)
    layer.load_state_dict(net.recurrent.state_dict())
    x = noise(1, 5, 6, 4)
    assert torch.allclose(net(x, last=True)[0, :, 0], net.readout(layer(x[0])[1][0]), atol=1e-6)


def test_a_falling_loss_is_distinguished_from_a_converged_one():
    level, wiggle = torch.ones(400, 1), noise(400, 4) * 0.2
    found = [loss_still_falls(share * level + wiggle, level + wiggle) for share in (1.1, 1.005, 1.0, 0.9)]
    assert found == [True, False, False, False]
    assert not loss_still_falls(1.02 * level + noise(400, 1), level + noise(400, 1, word="other")), (
        "the fall may be due to chance"
    )
    one_of_five = wiggle + 1.1 * torch.tensor([[1.0, 0, 0, 0]])
    assert loss_still_falls(one_of_five, wiggle + torch.tensor([[1.0, 0, 0, 0]])), "the mean falls by more than 1 %"
    assert [fifth(torch.arange(23.0), number).tolist() for number in (4, 5)] == [[15, 16, 17, 18], [19, 20, 21, 22]]


def test_scores_are_reproducible_without_default_random_streams():
    real, fake = noise(40, 6, 3), noise(40, 6, 3, word="fake")
    before = torch.get_rng_state()
    with torch.no_grad():
        first = [train_classifiers(real, fake, QUICK), train_predictors(real, fake, QUICK, False)]
    again = [train_classifiers(real.clone(), fake.clone(), QUICK), train_predictors(real.clone(), fake.clone(), QUICK, False)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first[0].accuracy, again[0].accuracy)
    assert torch.equal(first[1].errors, again[1].errors)
    assert (first[0].losses, first[1].losses) == (again[0].losses, again[1].losses)


def test_equal_distributions_are_indistinguishable_and_different_ones_are_not():
    real, same, other = noise(200, 6, 3), noise(200, 6, 3, word="same"), noise(200, 6, 3) ** 3
    metric = DiscriminativeScore(Identity(), iterations=80, lr=0.05, hidden=4, seeds=3)
    near, far = (metric.measure(encoded(real), encoded(x)) for x in (same, other))
    assert list(near) == ["discriminative_score", "discriminative_strong"]
    assert all(value.value < 0.15 and value.error > 0 for value in near.values())
    assert all(value.value > 0.4 for value in far.values())
    found = train_classifiers(real, other, metric.scorer(3))
    assert far[metric.name].value == pytest.approx(float((found.accuracy - 0.5).abs().mean()))
    assert near.keys() == metric.with_errors(encoded(real), encoded(same)).keys()


def test_classifiers_are_tested_on_held_out_sequences():
    """Noise can only be memorised."""
    scorer = Scorer("gru", 16, 1, 200, 32, 0.05, 3)
    found = train_classifiers(noise(40, 6, 3), noise(40, 6, 3, word="fake"), scorer)
    assert found.losses[-1] < 0.1, "the training sequences are memorised"
    assert float(found.accuracy.mean()) < 0.75


def test_a_classifier_that_has_not_converged_is_reported():
    real, fake = encoded(noise(200, 6, 3)), encoded(noise(200, 6, 3) ** 3)
    details = DiscriminativeScore(Identity(), iterations=100, lr=0.003, seeds=3).details(real, fake)
    assert details["discriminative_score"]["converged"] is False
    assert details["remarks"][0].startswith("discriminative_score has not converged: the mean loss of ")
    asleep = DiscriminativeScore(Identity(), iterations=100, lr=1e-5, seeds=3).details(real, fake)
    assert asleep["discriminative_score"]["converged"] is True, "the weights hardly change, so the loss does not fall"
    assert asleep["remarks"][-1].startswith("discriminative_score is too low: ")
    alike = DiscriminativeScore(Identity(), iterations=30, seeds=3, strong=False).details(real, real)
    assert list(alike) == ["discriminative_score", "remarks"]
    assert alike["remarks"] == []


def test_the_median_of_the_authors_sines():
    x = sines(n=10_000, n_heldout=1).train.batch(torch.arange(10_000)).x
    errors = median_errors(prediction_task(x, one_step_ahead=False).targets)
    assert float(errors.mean()) == pytest.approx(0.0935, abs=0.001)
    assert float(median_errors(noise(20_000, 3, 1)).mean()) == pytest.approx(0.25, abs=0.005)


def test_inputs_and_targets_of_the_prediction():
    x = noise(5, 4, 3)
    given, wanted = prediction_task(x, one_step_ahead=False)
    assert torch.equal(given, x[:, :3, :2])
    assert torch.equal(wanted, x[:, 1:, 2:])
    given, wanted = prediction_task(x, one_step_ahead=True)
    assert torch.equal(given, x[:, :3])
    assert torch.equal(wanted, x[:, 1:])
    with pytest.raises(UserError, match="nothing to predict"):
        prediction_task(x[:, :1], one_step_ahead=True)


@pytest.mark.parametrize("one_step_ahead", [False, pytest.param(True, marks=pytest.mark.long)])
def test_predictors_use_their_inputs(one_step_ahead):
    constant = noise(300, 1, 2)[..., :1].expand(300, 3, 2).contiguous()
    metric = PredictiveScore(Identity(), iterations=150, lr=0.05, hidden=4, seeds=2, one_step_ahead=one_step_ahead)
    values = metric.measure(encoded(constant), encoded(constant))
    assert values["predictive_score"].value < 0.1
    assert values["predictive_median"].value == pytest.approx(0.25, abs=0.02)
    assert values["predictive_median"].higher_is_better is None
    useless = metric.details(encoded(constant), encoded(torch.full_like(constant, 0.5)))
    assert useless["remarks"][-1].startswith("predictive_score is not below predictive_median")
    far = encoded(constant * 0.1)  # far from the predictions of an untrained network
    short = PredictiveScore(Identity(), iterations=50, seeds=2).details(far, far)
    assert short["converged"] is False
    assert "of 50 iterations" in short["remarks"][0]


def test_the_error_is_that_over_seeds():
    assert mean_and_error(torch.tensor([1.0, 2.0, 3.0])) == pytest.approx((2, 1 / 3**0.5))


def test_hidden_units_are_half_the_features_as_published():
    assert [DiscriminativeScore(Identity()).scorer(features).hidden for features in (1, 5, 6)] == [1, 2, 3]
    assert PredictiveScore(Identity(), hidden=7).scorer(6).hidden == 7


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"cell": "rnn"}, r"cell='rnn': it must be one of gru, lstm"),
        ({"hidden": 0}, r"hidden=0"),
        ({"iterations": 4}, r"iterations=4"),
        ({"seeds": 1}, r"seeds=1: it must be a whole number, at least 2"),
        ({"lr": 0.0}, r"lr=0\.0"),
    ],
)
def test_invalid_fields_are_refused(given, says):
    for kind in (DiscriminativeScore, PredictiveScore):
        with pytest.raises(UserError, match=says):
            kind(Identity(), **given)


def test_data_of_another_kind_is_refused():
    points = Data(Points(torch.rand(9, 2)), Points(torch.rand(9, 2)))
    with pytest.raises(UserError, match=r"compares sequences \[steps, features\]; these samples are \[2\]. Use metric=points"):
        DiscriminativeScore(Identity()).fitted(points, CPU)
    one = Data(Points(torch.rand(9, 5, 1)), Points(torch.rand(9, 5, 1)))
    with pytest.raises(UserError, match=r"Use metric\.one_step_ahead=true"):
        PredictiveScore(Identity()).fitted(one, CPU)
    PredictiveScore(Identity(), one_step_ahead=True).fitted(one, CPU)
    with pytest.raises(UserError, match="needs at least 5 sequences of each kind and got 3 and 9"):
        train_classifiers(torch.rand(3, 4, 2), torch.rand(9, 4, 2), QUICK)
