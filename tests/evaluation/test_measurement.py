"""A metric put to work: the same numbers for the same players, other samples for choosing than for reporting."""

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from support.players import Numbers, images_gan, noisy_gan, points_gan

from gan_cli.data.base import Data, Dataset, seeded_generator
from gan_cli.data.scaling import Scaling, Series
from gan_cli.errors import UserError
from gan_cli.evaluation.measurement import Floor, Measurement
from gan_cli.metrics.base import Metric, NoMetric, Value
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.features.pixels import Pixels
from gan_cli.metrics.images.frechet import Frechet
from gan_cli.randomness import random_state
from gan_cli.types import Batch

CPU = torch.device("cpu")


class Shades(Dataset):
    """Grey images; image i is one shade."""

    shape, classes = (1, 16, 16), 0

    def __len__(self):
        return 40

    def batch(self, indices):
        return Batch((indices / 20.0 - 1)[:, None, None, None].expand(-1, 1, 16, 16))


@dataclass(frozen=True)
class Difference(Metric):
    """The difference of the means, and how many samples there are."""

    n_samples: int = 20
    needs_samples: ClassVar[bool] = True

    @property
    def name(self):
        return "difference"

    def measure(self, real, fake):
        if len(real) != len(fake):
            raise UserError("not equal")
        return {"difference": Value(float((fake.features.mean() - real.features.mean()).abs())), "n": Value(len(fake))}


@dataclass(frozen=True)
class Picky(Difference):
    """As the other, but from 8 samples on."""

    def measure(self, real, fake):
        if len(real) < 8:
            raise UserError("too few")
        return super().measure(real, fake)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def data(n: int = 50, heldout: int = 20) -> Data:
    return Data(Numbers(n), Numbers(heldout))


def chosen(measurement: Measurement) -> set[int]:
    return set(measurement.real.x[:, 0].int().tolist())


def test_as_many_of_both_and_the_same_each_time():
    measurement = Measurement(Difference(Identity()), data(), CPU)
    game = points_gan()
    before = random_state(CPU)
    first, again, other = measurement(game, 0), measurement(game, 0), measurement(game, 1)
    assert first == again
    assert first["difference"] != other["difference"]
    assert first["n"].value == 20
    assert torch.equal(random_state(CPU)["torch"], before["torch"])
    assert measurement.tag == "metric/difference"


def test_what_chooses_is_not_what_is_reported():
    select, report = (Measurement(Difference(Identity()), data(), CPU, role=role) for role in ("select", "report"))
    assert len(chosen(select)) == len(chosen(report)) == 20
    assert not chosen(select) & chosen(report)
    game = points_gan()
    assert not torch.equal(select.fake(game, 0).x, report.fake(game, 0).x)


def test_a_small_split_overlaps_as_little_as_can_be():
    select, report = (Measurement(Difference(Identity()), data(), CPU, 30, role=role) for role in ("select", "report"))
    assert len(chosen(select) & chosen(report)) == 10


@pytest.mark.parametrize(
    ("split", "n_samples", "asked", "n"), [("heldout", 30, None, 20), ("train", 30, 10, 10), ("train", 99, None, 50)]
)
def test_no_more_than_there_are(split, n_samples, asked, n):
    assert Measurement(Difference(Identity(), n_samples, split), data(), CPU, asked).n == n


def test_labels_are_those_of_the_real_samples():
    game = noisy_gan()
    measurement = Measurement(Difference(Identity()), data(), CPU)
    fake = measurement.fake(game, 0)
    assert torch.equal(fake.y, measurement.real.y)
    assert torch.equal((fake.x.mean(1) / 100).round().long(), measurement.real.x[:, 0].long() % 3)


def test_samples_of_a_game_that_takes_no_labels_have_none():
    measurement = Measurement(Difference(Identity()), data(), CPU)
    assert measurement.real.y is not None
    assert measurement.fake(points_gan(), 0).y is None


@dataclass(frozen=True)
class OfLabels(Difference):
    """Makes no sense without labels."""

    needs_labels: ClassVar[bool] = True


def test_a_metric_of_labels_is_not_taken_of_a_game_that_takes_none():
    measurement = Measurement(OfLabels(Identity()), data(), CPU)
    assert measurement(noisy_gan(), 0)
    with pytest.raises(UserError, match="difference: this game takes no labels") as caught:
        measurement(points_gan(), 0)
    assert str(caught.value).count("\n") == 1


def test_images_are_judged_as_a_file_would_hold_them():
    measurement = Measurement(Difference(Pixels()), Data(Shades(), Shades()), CPU)
    fake = measurement.fake(images_gan(), 0)
    assert fake.x.dtype == measurement.real.x.dtype == torch.uint8
    assert set(measurement.real.x.flatten().tolist()) <= {round(i * 255 / 40) for i in range(41)}


class TestFloor:
    def test_between_the_blocks(self):
        select, report = (Measurement(Difference(Identity()), data(), CPU, role=role) for role in ("select", "report"))
        assert select.floor == report.floor
        expected = (select.real.features.mean() - report.real.features.mean()).abs()
        assert report.floor.values["difference"] == pytest.approx(float(expected))
        assert report.floor.n == 20

    def test_from_the_other_split_where_one_is_too_small(self):
        measurement = Measurement(Difference(Identity(), 30, "train"), data(50, 30), CPU, role="report")
        assert measurement.floor.n == 30
        assert measurement.floor.values["difference"] == pytest.approx(float(measurement.real.x.mean()) - 14.5)

    @pytest.mark.parametrize("n", [10, 25, 30])  # up to half of the split and beyond
    @pytest.mark.parametrize("split", ["train", "heldout"])
    def test_of_two_times_it_says_how_far_they_differ(self, n, split):
        series = Series(("x",), Scaling((0.0,), (1.0,)), by_time=True)
        parts = data(50, 30)
        measurement = Measurement(Difference(Identity(), n, split), replace(parts, series=series), CPU, role="report")
        others = parts.heldout if split == "train" else parts.train
        mean = others.batch(others.order(seeded_generator("reference"))[:n]).x.mean()
        expected = Floor({"difference": pytest.approx(float((measurement.real.x.mean() - mean).abs())), "n": n}, n, True)
        assert measurement.floor == expected

    def test_of_two_times_as_many_as_the_other_holds(self):
        series = Series(("x",), Scaling((0.0,), (1.0,)), by_time=True)
        floor = Measurement(Difference(Identity(), 40), replace(data(50, 30), series=series), CPU).floor
        assert (floor.n, floor.values["n"]) == (30, 30)

    def test_else_between_halves(self):
        floor = Measurement(Difference(Identity(), 40), data(), CPU).floor
        assert (floor.n, floor.values["n"]) == (25, 25)

    def test_halves_may_be_too_little(self):
        assert Measurement(Picky(Identity(), 12), data(12, 3), CPU).floor == Floor({}, 6)

    def test_at_equal_counts_what_is_wrong_is_said(self):
        with pytest.raises(UserError, match="too few"):
            Measurement(Picky(Identity(), 4), data(), CPU).floor  # noqa: B018


def test_provenance_names_the_very_samples():
    measurement = Measurement(Difference(Identity()), data(), CPU)
    found = measurement.provenance(ema=True, seed=3)
    same = {"metric": "difference", "settings": {}, "features": {"extractor": "identity"}, "split": "train", "ema": True}
    assert found == same | {"n_real": 20, "n_fake": 20, "seed": 3, "reference": measurement.reference, "protocol": None}
    other = Measurement(Difference(Identity()), data(51), CPU).provenance(ema=True, seed=3)
    assert other["reference"] != found["reference"]


def test_one_sample_is_too_few():
    with pytest.raises(UserError, match="difference needs at least 2 samples, but n_samples=1\\."):
        Measurement(Difference(Identity(), n_samples=1), data(), CPU)


def test_none():
    assert not Measurement(NoMetric(Identity()), data(), CPU).enabled


def test_samples_that_nobody_looks_at_are_not_kept():
    measurement = Measurement(Frechet(Pixels(), 20), Data(Shades(), Shades()), CPU)
    fake = measurement.fake(images_gan(), 0)
    assert fake.x.shape == measurement.real.x.shape == (20, 0)
    assert fake.features.shape == (20, 256)
    looking = Measurement(Difference(Pixels()), Data(Shades(), Shades()), CPU)
    assert looking.reference == measurement.reference, "named by its samples all the same"
    assert torch.equal(looking.fake(images_gan(), 0).features.isnan(), fake.features.isnan())


def test_what_was_not_asked_for_is_said():
    assert Measurement(Difference(Identity()), data(), CPU).notes() == []
    assert "30" in Measurement(Difference(Identity()), data(30), CPU, 40).notes()[0]
    overlapping = Measurement(Difference(Identity()), data(), CPU, 30).notes()
    assert overlapping == [
        "of 30 real samples 10 are among those that choose the best checkpoint, too: n_samples=25 keeps them apart"
    ]
