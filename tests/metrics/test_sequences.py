import json
import math
from dataclasses import replace

import pytest
import torch

from gan_cli.data.base import Data, seeded_generator
from gan_cli.data.points.toy import Points, ring
from gan_cli.data.sequences.processes import ar1
from gan_cli.errors import UserError
from gan_cli.evaluation.measurement import Measurement
from gan_cli.metrics.auto import Auto
from gan_cli.metrics.features.efficientnet_lite0 import EfficientNetLite0
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.sequences.projections import pca, tsne
from gan_cli.metrics.sequences.sequence_distances import SequenceDistances
from gan_cli.metrics.sequences.sequences import AllSequenceMetrics

CPU = torch.device("cpu")
DISTANCES = ["sw2", "marginal_w1", "marginal_w1_worst", "autocorrelation", "cross_correlation"]
SCORES = ["discriminative_score", "discriminative_strong", "predictive_score", "predictive_median"]


def small(**given):
    return AllSequenceMetrics(
        Identity(), n_samples=40, seeds=2, discriminative_iterations=10, predictive_iterations=10, **given
    )


def halves(n=40):
    data = ar1(n=2 * n, n_heldout=n, window=6, features=2)
    return data, *(Identity().encode(data.train.batch(torch.arange(n) + start).x) for start in (0, n))


def test_the_default_metric_of_sequences():
    data, real, _ = halves()
    auto = Auto(EfficientNetLite0(), n_samples=40, split="heldout")
    assert auto.describe(data) == "metric: sw2"
    assert auto.fitted(data, CPU) == SequenceDistances(Identity(), 40, "heldout")
    measured = Measurement(auto, data, CPU)
    assert list(measured.floor.values) == DISTANCES
    assert (measured.tag, measured.provenance(True, 0)["protocol"]) == ("metric/sw2", "independent draws")
    assert measured.provenance(True, 0)["features"] == {"extractor": "identity"}
    same = measured.metric.measure(real, real)
    assert [value.value for value in same.values()] == pytest.approx([0] * 5, abs=1e-6)


@pytest.mark.slow
def test_all_of_sequences():
    data, real, fake = halves()
    metric = small().fitted(data, CPU)
    values = metric.with_errors(real, fake)
    assert list(values) == [*SCORES, *DISTANCES]
    assert all(math.isfinite(value.value) and value.error is not None for value in values.values())
    assert (metric.name, metric.selects_checkpoint, metric.needs_samples) == ("discriminative_score", False, True)
    details = metric.details(real, fake)
    assert json.dumps([details, metric.settings()])
    assert details["discriminative_score"]["discriminative_score"].keys() == {"accuracy", "converged", "losses"}
    assert metric.settings()["predictive_score"]["iterations"] == 10
    pictures = metric.pictures(real, fake)
    assert list(pictures) == ["pca", "tsne", "windows"]
    assert all(picture.images.shape[:2] == (1, 3) and picture.columns == 1 for picture in pictures.values())


def test_one_feature_is_predicted_from_its_own_past():
    x = torch.rand(80, 5, 1, generator=seeded_generator("one"))
    metric = small().fitted(Data(Points(x), Points(x)), CPU)
    assert metric.settings()["predictive_score"]["one_step_ahead"] is True
    values = metric.measure(Identity().encode(x[:40]), Identity().encode(x[40:]))
    assert list(values) == [*SCORES, *DISTANCES[:-1]]


@pytest.mark.parametrize("kind", [SequenceDistances, AllSequenceMetrics])
def test_points_are_refused(kind):
    with pytest.raises(UserError, match=r"compares sequences \[steps, features\]; these samples are \[2\]. Use metric=points"):
        kind(Identity()).fitted(ring(n=20, n_heldout=20), CPU)


def test_principal_axes_are_those_of_the_data():
    axis = torch.zeros(4, 3)
    axis[2, 1] = 1.0
    x = torch.randn(60, 4, 3, generator=seeded_generator("pca")) * 0.01
    x += torch.linspace(-1, 1, 60)[:, None, None] * axis
    (real, fake), share = pca(x, x + 0.5 * axis)
    assert share > 0.99
    assert (fake - real).abs().mean(0).tolist() == pytest.approx([0.5, 0.0], abs=0.02)
    assert real.mean(0).tolist() == pytest.approx([0, 0], abs=1e-9)


def test_tsne_keeps_neighbours_and_uses_no_default_random_stream():
    torch_state, x = torch.get_rng_state(), torch.rand(20, 4, 3, generator=seeded_generator("tsne"))
    real, fake = tsne(x, x + 10)
    assert torch.cdist(real, fake).min() > torch.cdist(real, real).median()
    again = tsne(x, x + 10)
    assert torch.equal(real, again.real)
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_scores_that_need_more_windows_are_left_out():
    metric = replace(small(), n_samples=4)
    assert metric.left_out == {"discriminative_score": "it needs at least 5 samples, and there are 4."}
    assert [part.name for part in metric.parts()][:2] == ["predictive_score", "sw2"]
    assert small().left_out == {}
