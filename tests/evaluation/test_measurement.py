"""Measurements are reproducible and use different samples for selection and for the report."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from support.players import Numbers, images_gan, noisy_gan, points_gan

from gan_cli.data.base import Data, Dataset, seeded_generator
from gan_cli.data.scaling import Scaling, Series
from gan_cli.errors import TooFewSamples, UserError
from gan_cli.evaluation import floors
from gan_cli.evaluation.counts import check_counts
from gan_cli.evaluation.floors import Floor
from gan_cli.evaluation.measurement import Measurement
from gan_cli.metrics.base import Metric, NoMetric, Value
from gan_cli.metrics.combined import AllPointMetrics
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.features.pixels import Pixels
from gan_cli.metrics.images.frechet import Frechet
from gan_cli.randomness import random_state
from gan_cli.types import Batch

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


class Shades(Dataset):
    """Grey images; image i has a single shade."""

    shape, classes = (1, 16, 16), 0

    def __len__(self):
        return 40

    def batch(self, indices):
        return Batch((indices / 20.0 - 1)[:, None, None, None].expand(-1, 1, 16, 16))


@dataclass(frozen=True)
class Difference(Metric):
    """A metric: the difference of the means, and the number of samples."""

    n_samples: int = 20
    needs_samples: ClassVar[bool] = True
    floor_draws: ClassVar[int] = 1

    @property
    def name(self):
        return "difference"

    def measure(self, real, fake):
        if len(real) != len(fake):
            raise UserError("not equal")
        return {"difference": Value(float((fake.features.mean() - real.features.mean()).abs())), "n": Value(len(fake))}


@dataclass(frozen=True)
class Picky(Difference):
    """The same metric, but for at least 8 samples."""

    def measure(self, real, fake):
        if len(real) < 8:
            raise UserError("too few")
        return super().measure(real, fake)


@dataclass(frozen=True)
class SeveralDraws(Difference):
    """The same metric, whose floor is averaged over ten draws."""

    floor_draws: ClassVar[int] = 10


@dataclass(frozen=True)
class SeenMetric(Difference):
    """A metric that was fitted to training samples."""

    has_seen_training_samples = True


class SeenFeatures(Identity):
    """Features that were trained on training samples."""

    trained_on_data = True


def independent_pairs(n: int, pairs: int):
    x = torch.randn(pairs, 2, n, 1, generator=seeded_generator("pairs"))
    return [(Encoded(a, a), Encoded(b, b)) for a, b in x]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def data(n: int = 50, heldout: int = 20) -> Data:
    return Data(Numbers(n), Numbers(heldout))


def chosen(measurement: Measurement) -> set[int]:
    return set(measurement.real.x[:, 0].int().tolist())


def test_sets_have_equal_sizes_and_are_reproducible():
    measurement = Measurement(Difference(Identity()), data(), CPU)
    game = points_gan()
    before = random_state(CPU)
    first, again, other = measurement(game, 0), measurement(game, 0), measurement(game, 1)
    assert first == again
    assert first["difference"] != other["difference"]
    assert first["n"].value == 20
    assert torch.equal(random_state(CPU)["torch"], before["torch"])
    assert measurement.tag == "metric/difference"


def test_selection_and_report_use_different_samples():
    select, report = (Measurement(Difference(Identity()), data(), CPU, role=role) for role in ("select", "report"))
    assert len(chosen(select)) == len(chosen(report)) == 20
    assert not chosen(select) & chosen(report)
    game = points_gan()
    assert not torch.equal(select.fake(game, 0).x, report.fake(game, 0).x)


def test_samples_of_a_small_split_overlap_as_little_as_possible():
    select, report = (Measurement(Difference(Identity()), data(), CPU, 30, role=role) for role in ("select", "report"))
    assert len(chosen(select) & chosen(report)) == 10


@pytest.mark.parametrize(
    ("split", "n_samples", "asked", "n"), [("heldout", 30, None, 20), ("train", 30, 10, 10), ("train", 99, None, 50)]
)
def test_the_number_of_samples_is_limited_by_the_split(split, n_samples, asked, n):
    assert Measurement(Difference(Identity(), n_samples, split), data(), CPU, asked).n == n


def test_labels_are_those_of_the_real_samples():
    game = noisy_gan()
    measurement = Measurement(Difference(Identity()), data(), CPU)
    fake = measurement.fake(game, 0)
    assert torch.equal(fake.y, measurement.real.y)
    assert torch.equal((fake.x.mean(1) / 100).round().long(), measurement.real.x[:, 0].long() % 3)


def test_samples_of_an_unconditional_game_have_no_labels():
    measurement = Measurement(Difference(Identity()), data(), CPU)
    assert measurement.real.y is not None
    assert measurement.fake(points_gan(), 0).y is None


@dataclass(frozen=True)
class OfLabels(Difference):
    """A metric that needs labels."""

    needs_labels: ClassVar[bool] = True


def test_a_metric_of_labels_refuses_an_unconditional_game():
    measurement = Measurement(OfLabels(Identity()), data(), CPU)
    assert measurement(noisy_gan(), 0)
    with pytest.raises(UserError, match="difference needs labels") as caught:
        measurement(points_gan(), 0)
    assert str(caught.value).count("\n") == 1


def test_images_are_measured_as_uint8():
    measurement = Measurement(Difference(Pixels()), Data(Shades(), Shades()), CPU)
    fake = measurement.fake(images_gan(), 0)
    assert fake.x.dtype == measurement.real.x.dtype == torch.uint8
    assert set(measurement.real.x.flatten().tolist()) <= {round(i * 255 / 40) for i in range(41)}


class TestFloor:
    def test_the_floor_compares_both_blocks(self):
        select, report = (Measurement(Difference(Identity()), data(), CPU, role=role) for role in ("select", "report"))
        assert select.floor == report.floor
        expected = (select.real.features.mean() - report.real.features.mean()).abs()
        assert report.floor.values["difference"] == pytest.approx(float(expected))
        assert report.floor.n == 20

    def test_the_floor_uses_the_other_split_if_one_is_too_small(self):
        measurement = Measurement(Difference(Identity(), 30, "train"), data(50, 30), CPU, role="report")
        assert measurement.floor.n == 30
        assert measurement.floor.values["difference"] == pytest.approx(float(measurement.real.x.mean()) - 14.5)

    @pytest.mark.parametrize("n", [10, 25, 30])  # up to half of the split, and more
    @pytest.mark.parametrize("split", ["train", "heldout"])
    def test_the_floor_of_a_split_by_time_compares_both_periods(self, n, split):
        series = Series(("x",), Scaling((0.0,), (1.0,)), by_time=True)
        parts = data(50, 30)
        measurement = Measurement(Difference(Identity(), n, split), replace(parts, series=series), CPU, role="report")
        others = parts.heldout if split == "train" else parts.train
        mean = others.batch(others.order(seeded_generator("reference"))[:n]).x.mean()
        values = {"difference": pytest.approx(float((measurement.real.x.mean() - mean).abs())), "n": n}
        other = "heldout" if split == "train" else "train"
        assert measurement.floor == Floor(values, {}, n, n, split=other, two_times=True)

    def test_the_floor_of_a_split_by_time_is_limited_by_the_other_period(self):
        series = Series(("x",), Scaling((0.0,), (1.0,)), by_time=True)
        floor = Measurement(Difference(Identity(), 40), replace(data(50, 30), series=series), CPU).floor
        assert (floor.n, floor.values["n"]) == (30, 30)

    def test_otherwise_the_floor_compares_halves(self):
        floor = Measurement(Difference(Identity(), 40), data(), CPU).floor
        assert (floor.n, floor.values["n"]) == (25, 25)

    def test_halves_that_are_too_small_give_no_floor(self):
        assert Measurement(Picky(Identity(), 12), data(12, 3), CPU).floor == Floor(n=6, against=6)

    def test_held_out_samples_are_compared_with_as_many_training_samples(self):
        """The held-out split alone would give 10 against 10, while the numbers are of 20."""
        floor = Measurement(Difference(Identity(), 20, "heldout"), data(), CPU).floor
        assert (floor.n, floor.against, floor.split) == (20, 20, "train")

    @pytest.mark.parametrize("seen", ["metric", "features"])
    def test_training_samples_that_the_metric_has_seen_are_no_others(self, seen):
        metric = SeenMetric(Identity(), 20, "heldout") if seen == "metric" else Difference(SeenFeatures(), 20, "heldout")
        floor = Measurement(metric, data(), CPU).floor
        assert (floor.n, floor.against, floor.split) == (10, 10, None)

    def test_the_mean_over_several_draws_and_the_scatter_of_one(self):
        parts, n = data(4000, 20), 50
        metric = SeveralDraws(Identity(), n)
        select, report = (Measurement(metric, parts, CPU, role=role) for role in ("select", "report"))
        assert select.floor == report.floor
        assert (report.floor.draws, set(report.floor.errors)) == (10, {"difference", "n"})
        pool = torch.cat([report.real.features, select.real.features])
        splits = [torch.randperm(2 * n, generator=seeded_generator("floor", i)) for i in range(1, 10)]
        each = [pool[:n].mean() - pool[n:].mean(), *(pool[i[:n]].mean() - pool[i[n:]].mean() for i in splits)]
        each = torch.stack(each).abs()
        assert report.floor.values["difference"] == pytest.approx(float(each.mean()))
        assert report.floor.errors["difference"] == pytest.approx(float(each.std()), rel=1e-4)

    def test_splits_of_one_pool_scatter_like_independent_draws(self):
        """The mean and the scatter of |mean − mean| of normal samples: √(2/π) and √(1 − 2/π), in units of √(2/n)."""
        draws = [Encoded(x, x) for x in torch.randn(2, 400, 1, generator=seeded_generator("independent"))]
        found = [SeveralDraws(Identity()).floor(*pair)["difference"].value for pair in independent_pairs(400, 60)]
        floor = floors.measure_floor(SeveralDraws(Identity()), *draws)
        unit = (2 / 400) ** 0.5
        assert torch.tensor(found).mean() / unit == pytest.approx((2 / torch.pi) ** 0.5, rel=0.3)
        assert 0.3 < floor.values["difference"] / unit < 1.5
        assert 0.2 < floor.errors["difference"] / unit < 1.2

    def test_a_number_that_is_not_finite_in_a_draw(self):
        @dataclass(frozen=True)
        class Infinite(SeveralDraws):
            def measure(self, real, fake):
                return {"difference": Value(float("inf") if real.features[0, 0] > 3 else 1.0)}

        x, y = torch.arange(8.0)[:4, None], torch.arange(8.0)[4:, None]
        floor = floors.measure_floor(Infinite(Identity()), Encoded(x, x), Encoded(y, y))
        assert floor.values["difference"] == float("inf")
        assert math.isnan(floor.errors["difference"])

    @pytest.mark.parametrize(("n", "draws"), [(2, 10), (2000, 10), (5000, 4), (6666, 3), (7000, 1), (50_000, 1)])
    def test_the_number_of_draws_falls_with_the_number_of_samples(self, n, draws):
        x = torch.zeros(n, 1)
        assert floors.measure_floor(SeveralDraws(Identity()), Encoded(x, x), Encoded(x, x)).draws == draws

    def test_errors_at_equal_counts_are_reported(self):
        with pytest.raises(UserError, match="too few"):
            Measurement(Picky(Identity(), 4), data(), CPU).floor  # noqa: B018


@dataclass(frozen=True)
class Unequal(Difference):
    """The same metric for any counts, with the counts as numbers."""

    def measure(self, real, fake):
        apart = float((fake.features.mean() - real.features.mean()).abs())
        return {"difference": Value(apart), "real": Value(len(real)), "fake": Value(len(fake))}


@dataclass(frozen=True)
class Pairs(Unequal):
    equal_sizes: ClassVar[bool] = True


class TestMoreFakes:
    def test_all_real_samples_are_compared_with_more_generated_ones(self):
        measurement = Measurement(Unequal(Identity(), 99, n_fake=130), data(), CPU)
        found = measurement(noisy_gan(), 0)
        assert (found["real"].value, found["fake"].value) == (50, 130)
        origin = measurement.provenance(ema=True, seed=0)
        assert (origin["n_real"], origin["n_fake"]) == (50, 130)
        fake = measurement.fake(noisy_gan(), 0)
        assert torch.equal(fake.y, measurement.real.y[torch.arange(130) % 50]), "in the shares of the data"

    @pytest.mark.parametrize("role", ["select", "report"])
    @pytest.mark.parametrize(
        ("n", "n_fake", "n_train", "counts"),
        [
            (20, 25, 50, (20, 25, None)),  # as many others as there are generated samples
            (20, 400, 50, (20, 30, None)),  # all others that there are
            (20, 5, 22, (11, 5, None)),  # too few others in either split: parts of the split
            (20, 5, 25, (20, 5, None)),
            (30, 400, 40, (30, 35, "heldout")),
            (40, 400, 40, (20, 20, None)),  # all are measured, and the other split holds fewer: halves
        ],
    )
    def test_the_floor_has_the_counts_of_the_numbers_as_far_as_there_are_samples(self, n, n_fake, n_train, counts, role):
        heldout = 35 if counts[2] else 3
        measurement = Measurement(Unequal(Identity(), n, n_fake=n_fake), data(n_train, heldout), CPU, role=role)
        floor = measurement.floor
        assert (floor.n, floor.against, floor.split) == counts
        assert (floor.values["real"], floor.values["fake"]) == counts[:2]

    def test_the_others_of_the_floor_are_none_of_the_real_samples(self):
        measurement = Measurement(Unequal(Identity(), 20, n_fake=25), data(), CPU)
        order = data().train.order(seeded_generator("reference"))
        others = torch.cat([order[:20], order[40:45]])
        assert not chosen(measurement) & set(others.tolist())
        expected = abs(float(measurement.real.x.mean()) - float(others.float().mean()))
        assert measurement.floor.values["difference"] == pytest.approx(expected)

    @pytest.mark.parametrize("metric", [Pairs(Identity(), 20, n_fake=30), AllPointMetrics(Identity(), 20, n_fake=30)])
    def test_metrics_of_pairs_are_refused_or_left_out(self, metric):
        if isinstance(metric, Pairs):
            with pytest.raises(UserError, match=r"^n_fake=30: difference needs as many generated as real samples, 20: .*pairs"):
                Measurement(metric, data(), CPU)
            return
        measurement = Measurement(metric, data(), CPU)
        assert measurement.metric.left_out["w1"] == "it needs as many generated as real samples."
        assert {"sw2", "mmd2"} <= set(measurement(points_gan(), 0))

    def test_too_few_generated_samples_are_named(self):
        with pytest.raises(TooFewSamples, match=r"needs at least 2 samples, but n_fake=1\."):
            check_counts(Unequal(Identity(), 20, n_fake=1), data())


def test_provenance_identifies_the_samples():
    measurement = Measurement(Difference(Identity()), data(), CPU)
    found = measurement.provenance(ema=True, seed=3)
    same = {"metric": "difference", "settings": {}, "features": {"extractor": "identity"}, "split": "train", "ema": True}
    assert found == same | {"n_real": 20, "n_fake": 20, "seed": 3, "reference": measurement.reference, "protocol": None}
    other = Measurement(Difference(Identity()), data(51), CPU).provenance(ema=True, seed=3)
    assert other["reference"] != found["reference"]


def test_a_single_sample_is_refused():
    with pytest.raises(UserError, match="difference needs at least 2 samples, but n_samples=1\\."):
        Measurement(Difference(Identity(), n_samples=1), data(), CPU)


def test_no_metric():
    assert not Measurement(NoMetric(Identity()), data(), CPU).enabled


def test_unneeded_samples_are_not_kept():
    measurement = Measurement(Frechet(Pixels(), 20), Data(Shades(), Shades()), CPU)
    fake = measurement.fake(images_gan(), 0)
    assert fake.x.shape == measurement.real.x.shape == (20, 0)
    assert fake.features.shape == (20, 256)
    looking = Measurement(Difference(Pixels()), Data(Shades(), Shades()), CPU)
    assert looking.reference == measurement.reference, "the reference is still that of its samples"
    assert torch.equal(looking.fake(images_gan(), 0).features.isnan(), fake.features.isnan())


def test_notes_report_limited_and_overlapping_samples():
    assert Measurement(Difference(Identity()), data(), CPU).notes() == []
    assert "30" in Measurement(Difference(Identity()), data(30), CPU, 40).notes()[0]
    overlapping = Measurement(Difference(Identity()), data(), CPU, 30).notes()
    assert overlapping == [
        "of 30 real samples 10 are among those that choose the best checkpoint, too: n_samples=25 keeps them apart"
    ]


@dataclass(frozen=True)
class NeedsTwelve(Difference):
    least_samples: ClassVar[int] = 12


def test_a_metric_that_needs_more_samples_is_refused_before_it_is_fitted():
    said = r"difference needs at least 12 samples, but the heldout split holds 8\."
    with pytest.raises(TooFewSamples, match=said):
        Measurement(NeedsTwelve(Identity(), 20, "heldout"), data(heldout=8), CPU)
    with pytest.raises(TooFewSamples, match=r"needs at least 12 samples, but n_samples=10\."):
        check_counts(NeedsTwelve(Identity()), data(), 10)
    assert check_counts(NeedsTwelve(Identity()), data()) == 20
