"""Measures of generated samples against training samples: authenticity, data-copying and feature likelihood."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu, multivariate_normal

from gan_cli.data.base import Data, Subset, seeded_generator
from gan_cli.data.points.toy import Points as PointSet
from gan_cli.errors import UserError
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.images.authenticity import Authenticity, authentic
from gan_cli.metrics.images.data_copying import Cell, DataCopying, combine, data_copying, u_test
from gan_cli.metrics.images.feature_likelihood import (
    FeatureLikelihood,
    feature_likelihood,
    fit_variances,
    negative_log_likelihood,
)

CPU = torch.device("cpu")
KINDS = [Authenticity, DataCopying, FeatureLikelihood]


def points(n, word, d=4):
    return torch.randn(n, d, generator=seeded_generator("against training", n, d, word), dtype=torch.float64)


def fitted(kind, train, heldout, **fields):
    return kind(Identity(), **fields).fitted(Data(PointSet(train.float()), PointSet(heldout.float())), CPU)


def measured(metric, heldout, fake):
    return metric.measure(metric.features.encode(heldout), metric.features.encode(fake))


def ratio_of_errors(draw, count=60):
    """Return the root mean square of reported errors over the scatter of the values."""
    values, errors = (torch.tensor(column, dtype=torch.float64) for column in zip(*map(draw, range(count)), strict=True))
    return float(errors.square().mean().sqrt() / values.std())


class TestAuthenticity:
    def test_on_a_line(self):
        train = torch.tensor([[0.0], [1.0], [10.0]])
        fake = torch.tensor([[0.9], [-0.5], [2.5], [9.0], [30.0], [10.0]])
        # the nearest training samples 1, 0, 1, 10, 10, 10 are 1, 1, 1, 9, 9, 9 from another one
        assert authentic(fake, train).tolist() == [False, False, True, False, True, False]

    def test_equals_the_definition(self):
        train, fake = points(120, "train"), points(90, "fake")
        distances, between = cdist(fake, train), cdist(train, train)
        np.fill_diagonal(between, np.inf)
        expected = between.min(1)[distances.argmin(1)] < distances.min(1)
        assert authentic(fake, train).tolist() == expected.tolist()
        metric = fitted(Authenticity, train, points(50, "heldout"))
        value = measured(metric, points(50, "heldout"), fake)["authpct"]
        p = float(authentic(fake.float(), metric.training.features).double().mean())
        assert value == (100 * p, pytest.approx(100 * math.sqrt(p * (1 - p) / 90)), True)

    def test_copies_are_not_authentic_and_noise_is(self):
        train = points(200, "train")
        assert not authentic(train[:50], train).any()
        assert authentic(100 * points(50, "far"), train).all()
        twins = train.repeat(2, 1)
        assert not authentic(twins, twins).any(), "a training sample that has a twin is at distance 0 from another one"


class TestDataCopying:
    def test_the_statistic_is_that_of_mann_whitney(self):
        x, y = points(40, "x", 1)[:, 0], points(60, "y", 1)[:, 0].round()  # ties among some
        x[:5] = y[:5]
        u = mannwhitneyu(x, y).statistic
        z, _ = u_test(x, y)
        assert z == pytest.approx((u - 40 * 60 / 2) / math.sqrt(40 * 60 * 101 / 12))

    def test_it_has_variance_one_for_equal_distributions(self):
        z = [u_test(points(50, f"x{i}", 1)[:, 0], points(50, f"y{i}", 1)[:, 0])[0] for i in range(300)]
        assert abs(np.mean(z)) < 0.25
        assert np.std(z) == pytest.approx(1, rel=0.15)

    def test_the_error_covers_other_generated_samples(self):
        heldout = points(100, "heldout", 1)[:, 0]
        for shift in (0, 1):
            assert 0.75 < ratio_of_errors(lambda i, s=shift: u_test(points(80, f"fake{i}", 1)[:, 0] + s, heldout)) < 1.35

    def test_cells_are_weighted_by_their_held_out_samples(self):
        cells = [Cell(30, 40, -2.0, 0.7), Cell(10, 25, 4.0, 0.5), Cell(50, 20, 9.0, 0.1), Cell(0, 90, 9.0, 0.1)]
        value, error = combine(cells)
        assert value == pytest.approx(0.75 * -2 + 0.25 * 4)
        assert error == pytest.approx(math.hypot(0.75 * 0.7, 0.25 * 0.5))
        assert all(map(math.isnan, combine(cells[2:])))

    def test_cells_are_the_clusters_and_neighbours_lie_in_them(self):
        centres = torch.tensor([[0.0, 0.0], [50.0, 0.0], [0.0, 50.0]], dtype=torch.float64)
        train, heldout, fake = (
            centres.repeat_interleave(torch.tensor(counts), 0) + points(sum(counts), word, 2)
            for counts, word in (([60, 50, 40], "train"), ([40, 20, 30], "heldout"), ([30, 60, 25], "fake"))
        )
        cells = data_copying(fake, train, heldout)
        assert sorted((cell.heldout, cell.generated) for cell in cells) == [(20, 60), (30, 25), (40, 30)]
        first = next(cell for cell in cells if cell.heldout == 40)
        distances = [torch.from_numpy(cdist(z, train[:60]).min(1)) for z in (fake[:30], heldout[:40])]
        assert first.z == pytest.approx(u_test(*distances)[0])

    def test_a_projection_on_all_components_changes_nothing(self):
        train, heldout, fake = points(80, "train", 6), points(60, "heldout", 6), points(70, "fake", 6)
        flat = torch.cat([train, torch.zeros(80, 4)], 1), torch.cat([heldout, torch.zeros(60, 4)], 1)
        wide = data_copying(torch.cat([fake, torch.zeros(70, 4)], 1), *flat, cells=1, components=6)
        assert wide[0].z == pytest.approx(data_copying(fake, train, heldout, cells=1)[0].z)

    @pytest.mark.slow
    def test_copies_are_far_below_zero_and_noise_far_above(self):
        train, heldout = points(400, "train"), points(200, "heldout")
        metric = fitted(DataCopying, train, heldout)
        assert measured(metric, heldout, train[:200])["ct"].value < -5
        assert measured(metric, heldout, 5 * points(200, "noise"))["ct"].value > 5
        assert abs(measured(metric, heldout, points(200, "new"))["ct"].value) < 2.5
        cells = metric.details(metric.features.encode(heldout), metric.features.encode(heldout))["cells"]
        assert sum(cell["heldout"] for cell in cells) == 200


class TestFeatureLikelihood:
    def test_the_likelihood_is_that_of_the_mixture(self):
        x, centres, log_variances = points(20, "x", 3), points(5, "centres", 3), points(5, "s", 1)[:, 0]
        parts = [multivariate_normal(c, math.exp(s)).pdf(x) for c, s in zip(centres, log_variances.tolist(), strict=True)]
        expected = -np.log(np.mean(parts, 0)).mean() / 3
        assert negative_log_likelihood(x, centres, log_variances) == pytest.approx(expected)

    @pytest.mark.slow
    def test_one_component_gets_the_variance_of_largest_likelihood(self):
        """With one centre, far more likely than the other component, the best σ² is the mean squared distance per dimension."""
        x = points(500, "x", 8) * 0.1 + 3 * torch.eye(8)[0] + (torch.arange(500) % 2 * -6)[:, None] * torch.eye(8)[0]
        centres = torch.stack([3 * torch.eye(8)[0], -3 * torch.eye(8)[0]]).double()
        assert fit_variances(centres, x, 100).exp().tolist() == pytest.approx([0.01, 0.01], rel=0.05)

    def test_the_gradient_is_that_of_the_likelihood(self):
        """After one step of Adam every variance has moved by the learning rate, against the sign of the derivative."""
        centres, x = points(6, "centres", 3), points(40, "x", 3)
        start = ((torch.from_numpy(cdist(x, centres, "sqeuclidean")).amin(0) + 1e-3) / 3).log().requires_grad_()
        squared = torch.from_numpy(cdist(x, centres, "sqeuclidean"))
        origin = 0.81 * (x - x.mean(0)).square().sum(1, keepdim=True)
        exponents = torch.cat([-squared / start.exp() / 2 - 1.5 * start - math.log(6), -origin / 2], 1)
        (-exponents.logsumexp(1).mean() / 3).backward()
        moved = fit_variances(centres, x, 1) - start.detach()
        assert moved.tolist() == pytest.approx((-0.5 * start.grad.sign()).tolist(), rel=1e-4)

    @pytest.mark.slow
    def test_fresh_samples_are_at_zero_and_copies_far_away(self):
        train, heldout = points(400, "train"), points(200, "heldout")
        fresh, copies = (feature_likelihood(fake, train, heldout) for fake in (points(200, "fake"), train[:200]))
        assert abs(fresh.fld) < 15
        assert copies.fld > 10 * abs(fresh.fld)
        assert copies.gap < fresh.gap < 5
        assert feature_likelihood(points(200, "fake") + 3, train, heldout).fld > 50
        assert feature_likelihood(train[200:], train, heldout).fld > fresh.fld

    def test_the_scale_of_the_features_does_not_matter(self):
        train, heldout, fake = points(60, "train"), points(50, "heldout"), points(40, "fake")
        scaled = feature_likelihood(*(7 * z + 3 for z in (fake, train, heldout)))
        assert scaled == pytest.approx(feature_likelihood(fake, train, heldout), rel=1e-6)
        dead = [torch.cat([z, torch.ones(len(z), 1)], 1) for z in (fake, train, heldout)]
        assert all(map(math.isfinite, feature_likelihood(*dead)))

    @pytest.mark.long
    def test_the_error_is_the_scatter_over_generated_samples(self):
        heldout = points(100, "heldout")
        metric = fitted(FeatureLikelihood, points(200, "train"), heldout, steps=10)
        encode = metric.features.encode

        def draw(i):
            return metric.with_errors(encode(heldout.float()), encode(1.2 * points(100, f"fake{i}").float()))["fld"][:2]

        assert 0.7 < ratio_of_errors(draw, 30) < 1.45


@pytest.mark.parametrize("kind", KINDS)
def test_the_real_samples_are_held_out_ones_and_training_samples_are_in_the_provenance(kind):
    train, heldout = points(60, "train"), points(50, "heldout")
    metric = fitted(kind, train, heldout, max_train=40)
    assert (metric.split, metric.selects_checkpoint, metric.has_seen_training_samples) == ("heldout", False, True)
    assert len(metric.training.features) == metric.settings()["searched"] == 40
    assert fitted(kind, points(60, "other"), heldout, max_train=40).settings() != metric.settings()


@pytest.mark.parametrize("kind", KINDS)
def test_other_real_samples_are_refused(kind):
    with pytest.raises(UserError, match=r"split=.train.: it must be heldout: .* compares generated samples with training"):
        kind(Identity(), split="train")


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_is_refused(kind):
    train = PointSet(points(60, "train").float())
    with pytest.raises(UserError, match="compares with held-out samples, but this data set has none"):
        kind(Identity()).fitted(Data(train, Subset(train, torch.arange(0))), CPU)
    x = Identity().encode(points(60, "train"))
    with pytest.raises(UserError, match="has no training samples yet"):
        kind(Identity()).measure(x, x)
    metric = fitted(kind, points(60, "train"), points(50, "heldout"))
    with pytest.raises(UserError, match="dimension"):
        metric.measure(Identity().encode(points(50, "heldout")), Identity().encode(points(60, "fake", 5)))
    with pytest.raises(UserError, match="NaN"):
        metric.measure(Identity().encode(points(50, "heldout")), Identity().encode(points(60, "fake") * math.nan))


@pytest.mark.parametrize(("kind", "field"), [(DataCopying, "cells"), (DataCopying, "components"), (FeatureLikelihood, "steps")])
def test_impossible_settings_are_refused(kind, field):
    with pytest.raises(UserError, match=f"{field}=0"):
        kind(Identity(), **{field: 0})
