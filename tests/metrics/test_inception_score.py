import math

import pytest
import torch
from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, KEY_METRIC_ISC_STD, isc_features_to_metric
from torchmetrics.image.inception import InceptionScore as TheirScore

from gan_cli.data.base import Data, Dataset
from gan_cli.errors import UserError
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded, Features
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.images.inception_score import InceptionScore, inception_score
from gan_cli.types import Batch

pytestmark = pytest.mark.slow


def logits(n, classes, seed=0, scale=2.0):
    return scale * torch.randn(n, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def certain(labels, classes):
    return 1e4 * torch.nn.functional.one_hot(labels, classes).double()


@pytest.mark.parametrize("splits", [1, 2, 10])
def test_clear_and_balanced_classes_reach_the_number_of_classes(splits):
    score = inception_score(certain(torch.arange(200) % 5, 5), splits)
    assert score.value == pytest.approx(5, rel=1e-12)
    assert score.value <= 5
    assert score.error is None if splits == 1 else score.error < 1e-12


def test_a_single_class_and_undecided_samples_score_one():
    for x in (certain(torch.zeros(50, dtype=torch.int64), 7), torch.zeros(50, 7), logits(1, 7).expand(50, 7)):
        assert inception_score(x).value == pytest.approx(1, rel=1e-12)
        assert inception_score(x).value >= 1


def test_by_hand():
    # Two classes, certain of p and 1 − p: KL to the even marginal is log 2 − H(p).
    p = 0.8
    x = torch.tensor([[math.log(p), math.log(1 - p)], [math.log(1 - p), math.log(p)]]).repeat(20, 1)
    entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
    assert inception_score(x, 4).value == pytest.approx(2 * math.exp(-entropy), rel=1e-6)


def test_it_is_within_its_bounds():
    for seed in range(20):
        for scale in (1e-9, 1.0, 30.0, 1e6):
            assert 1 <= inception_score(logits(40, 3, seed, scale), 2).value <= 3


def test_an_offset_of_the_logits_does_not_matter_and_nothing_overflows():
    x = logits(60, 6)
    expected = inception_score(x, 3)
    assert inception_score(x + 1e3, 3).value == pytest.approx(expected.value, rel=1e-9)
    assert math.isfinite(inception_score(x.float() * 1e30, 3).value)
    assert inception_score(x, 3) == expected


@pytest.mark.parametrize(("n", "splits"), [(100, 10), (103, 10), (57, 4), (40, 1)])
def test_agrees_with_torch_fidelity_on_the_same_order(n, splits):
    x = logits(n, 12)
    theirs = isc_features_to_metric(x, splits, shuffle=False)
    ours = inception_score(x, splits)
    assert ours.value == pytest.approx(theirs[KEY_METRIC_ISC_MEAN], rel=1e-12)
    if splits > 1:  # torch-fidelity uses the standard deviation with 1/splits
        assert ours.error == pytest.approx(theirs[KEY_METRIC_ISC_STD] / (splits - 1) ** 0.5, rel=1e-10)


@pytest.mark.filterwarnings("ignore:Metric `InceptionScore` will save all extracted features")
def test_agrees_with_torchmetrics_on_the_same_order():
    x, metric = logits(120, 12), TheirScore(feature=torch.nn.Identity(), splits=10)
    metric.features = [x]
    metric._update_count = 1
    with torch.random.fork_rng():
        torch.manual_seed(0)
        mean, deviation = metric.compute()
        torch.manual_seed(0)
        ours = inception_score(x[torch.randperm(120)], 10)
    assert ours.value == pytest.approx(mean.item(), rel=1e-12)
    assert ours.error == pytest.approx(deviation.item() / 10**0.5, rel=1e-10)


@pytest.mark.parametrize(
    ("x", "splits", "message"),
    [
        (torch.zeros(19, 3), 10, "at least 20 samples for 10 splits and got 19"),
        (torch.zeros(20), 10, r"\[N, K\] and are \[20\]"),
        (torch.full((20, 3), math.nan), 10, "NaN or Inf"),
        (torch.zeros(20, 3), 0, "splits=0"),
    ],
)
def test_bad_input_is_named(x, splits, message):
    with pytest.raises(UserError, match=message):
        inception_score(x, splits)


class Classifying(Features):
    name = "classifying"

    def __call__(self, x):
        return x.flatten(1), x.flatten(1) * 2


class Points(Dataset):
    shape, classes = (3,), 0

    def __len__(self):
        return 4

    def batch(self, indices):
        return Batch(torch.zeros(len(indices), 3))


def test_the_metric_measures_the_generated_samples():
    metric = InceptionScore(Classifying(), splits=2)
    real, fake = metric.features.encode(logits(9, 3, 1)), metric.features.encode(logits(30, 3, 2))
    score = inception_score(fake.x * 2, 2)
    assert metric.name == "is_classifying"
    assert metric.measure(real, fake) == {"is_classifying": Value(score.value, score.error, True)}
    assert metric.higher_is_better
    assert metric.fitted(Data(Points(), Points()), torch.device("cpu")) == metric


def test_features_without_logits_are_refused_at_the_start():
    metric, x = InceptionScore(Identity()), torch.zeros(30, 3)
    with pytest.raises(
        UserError, match=r"(?s)but features=identity has none.*features=inception, efficientnet_lite0 or classifier"
    ):
        metric.fitted(Data(Points(), Points()), torch.device("cpu"))
    with pytest.raises(UserError, match="but features=identity has none"):
        metric.measure(Encoded(x, x), Encoded(x, x))


@pytest.mark.parametrize("splits", [0, 2.5])
def test_impossible_splits_are_refused(splits):
    with pytest.raises(UserError, match=f"splits={splits}"):
        InceptionScore(Identity(), splits=splits)
