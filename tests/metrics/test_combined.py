import json
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from gan_cli.data.base import Data, seeded_generator
from gan_cli.data.images.arrays import ImageArray
from gan_cli.data.points.toy import Points as PointSet
from gan_cli.data.points.toy import gaussians_1d, ring, swiss_roll
from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, Picture, Value
from gan_cli.metrics.combined import AllImageMetrics, AllPointMetrics, MetricCollection
from gan_cli.metrics.features import classifier
from gan_cli.metrics.features.base import Encoded, Features
from gan_cli.metrics.features.classifier import Classifier, train_or_load
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.features.pixels import Pixels
from gan_cli.metrics.images.frechet import Frechet
from gan_cli.metrics.images.inception_score import InceptionScore
from gan_cli.metrics.images.precision_recall import PrecisionRecall

CPU = torch.device("cpu")
IMAGES = [
    *("fd_x", "kid_x", "fd_infinity_x", "cmmd_x", "mind_x"),
    *("precision_x", "recall_x", "density_x", "coverage_x", "vendi_x"),
]
LABELLED = ["intra_fd_x", "class_diversity_x"]
POINTS = ["w1", "w2", "sw2", "mmd2", "mmd2_linear"]
HISTOGRAM = ["js", "kl_forward", "kl_reverse", "tv"]
MODES = ["reverse_kl", "modes", "high_quality", "spread"]


@dataclass(frozen=True)
class Mean(Metric):
    """A simple part of a combined metric."""

    word: str = "a"
    known_error: float | None = None
    equal_sizes: ClassVar[bool] = False
    needs_samples: ClassVar[bool] = True

    @property
    def name(self):
        return f"mean_{self.word}"

    def measure(self, real, fake):
        return {
            self.name: Value(float(fake.x.mean()), self.known_error),
            f"real_{self.word}": Value(float(real.x.mean()), None, True),
        }

    def details(self, real, fake):
        return {"counts": [len(real), len(fake)]} if self.word == "a" else {}

    def pictures(self, real, fake):
        return {self.word: Picture(fake.x, 2)}


@dataclass(frozen=True)
class Share(Mean):
    equal_sizes: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = True


def sets(n=40):
    x = torch.randn(2, n, 1, generator=seeded_generator("sets"))
    return tuple(Encoded(part, part) for part in x)


def together(*parts):
    return MetricCollection(Identity(), members=parts)


def test_a_combination_returns_the_results_of_its_parts():
    real, fake = sets()
    a, b = Mean(Identity(), word="a"), Share(Identity(), word="b")
    both = together(a, b)
    assert both.name == "mean_a"
    assert list(both.measure(real, fake).items()) == [*a.measure(real, fake).items(), *b.measure(real, fake).items()]
    assert both.details(real, fake) == {"mean_a": {"counts": [40, 40]}}
    assert list(both.pictures(real, fake)) == ["a", "b"]
    assert both.settings() == {
        "mean_a": {"word": "a", "known_error": None},
        "mean_b": {"word": "b", "known_error": None},
    }


def test_the_first_part_is_primary_and_any_part_may_require_equal_sizes():
    a, b = Mean(Identity(), word="a"), Share(Identity(), word="b")
    assert (together(a, a).equal_sizes, together(a, b).equal_sizes, together(b, a).equal_sizes) == (False, True, True)
    assert (together(a, b).higher_is_better, together(b, a).higher_is_better) == (False, True)
    c = PrecisionRecall(Identity())
    assert [m.selects_checkpoint for m in (together(a, c), together(c, a))] == [True, False]
    assert [m.needs_samples for m in (together(c, a), together(c, c))] == [True, False]


def test_each_part_computes_its_own_errors():
    real, fake = sets()
    free, known = Mean(Identity(), word="a"), Share(Identity(), word="b", known_error=7.0)
    values = together(free, known).with_errors(real, fake)
    assert values["mean_a"] == free.with_errors(real, fake)["mean_a"]
    assert values["mean_a"].error == pytest.approx(float(fake.x.std() / 40**0.5), rel=0.5)
    assert values["mean_b"].error == 7.0
    assert values["real_a"].error == 0, "the real samples are fixed"
    assert values["real_b"].error == 0, "the same ones are left out each time, since sizes must be equal"


@dataclass(frozen=True)
class Net(Features):
    """Pixels, the first two of them as logits, or no logits."""

    name: ClassVar[str] = "x"
    logits: bool = False

    def __call__(self, x):
        features = Pixels()(x)[0]
        return features, features[:, :2] if self.logits else None


def picture_data(n=60, size=8, classes=2):
    def part(seed):
        g = seeded_generator("pictures", seed)
        y = torch.arange(n) % 2
        x = torch.randint(100, (n, 1, size, size), generator=g) + 100 * y.view(-1, 1, 1, 1)
        return ImageArray(x.to(torch.uint8).numpy(), y.numpy() if classes else None, classes)

    return Data(part(0), part(1))


def encoded(metric, dataset):
    return metric.features.encode(*dataset.batch(torch.arange(len(dataset))))


def finite(values):
    return all(torch.tensor(value.value).isfinite() for value in values.values())


@pytest.mark.parametrize("logits", [False, True])
def test_all_of_images(logits):
    data = picture_data(classes=0)
    metric = AllImageMetrics(Net(logits), n_samples=60, split="heldout").fitted(data, CPU)
    values = metric.measure(encoded(metric, data.heldout), encoded(metric, data.train))
    assert list(values) == IMAGES + ["is_x"] * logits
    assert metric.name == "fd_x"
    assert finite(values)
    assert {(part.n_samples, part.split) for part in metric.parts()} == {(60, "heldout")}
    assert (metric.n_samples, metric.split, metric.equal_sizes) == (60, "heldout", False)
    assert json.loads(json.dumps(metric.settings())) == metric.settings()
    assert json.loads(json.dumps(metric.details(encoded(metric, data.heldout), encoded(metric, data.train))))


def test_all_of_images_with_their_own_classifier(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "missing" / "file"))
    (tmp_path / "missing").write_text("in the way of the cache")
    train_or_load.cache_clear()
    calls, original = [], classifier.train_classifier
    monkeypatch.setattr(classifier, "train_classifier", lambda *args: (calls.append(1), original(*args)))
    data = picture_data()
    metric = AllImageMetrics(Classifier(epochs=2, batch_size=10, width=2), n_samples=60).fitted(data, CPU)
    assert len(calls) == 1, "the parts share one network, even if it cannot be cached on the disk"
    assert {id(part.features.trained) for part in metric.parts()} == {id(metric.features.trained)}
    real = encoded(metric, data.heldout)
    values = metric.measure(real, encoded(metric, data.train))
    names = [
        name.replace("_x", "_classifier") for name in [*IMAGES, "is_x", *LABELLED, "accuracy_x", "class_recall_x", "class_tv_x"]
    ]
    assert list(values) == names
    assert values["accuracy_classifier"].value > 0.8
    details = metric.details(real, real)
    assert details["accuracy_classifier"]["per_class"]["0"] is not None
    train_or_load.cache_clear()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ring(n=500, n_heldout=300), [*POINTS, *HISTOGRAM, *MODES]),
        (gaussians_1d(n=500, n_heldout=300), [*POINTS, *HISTOGRAM, *MODES]),
        (swiss_roll(n=500, n_heldout=300), [*POINTS, *HISTOGRAM]),
        (Data(*(PointSet(torch.randn(300, 5, generator=seeded_generator("cloud"))) for _ in range(2))), POINTS),
    ],
    ids=["ring", "gaussians_1d", "swiss_roll", "five dimensions"],
)
def test_all_of_points(data, expected):
    metric = AllPointMetrics(Identity(), n_samples=300).fitted(data, CPU)
    real, fake = encoded(metric, data.heldout), encoded(metric, data.train).subset(slice(300))
    values = metric.measure(real, fake)
    assert list(values) == expected
    assert (metric.name, metric.n_samples, metric.equal_sizes) == ("w1", 300, True)
    assert values["w1"].value <= values["w2"].value
    same = metric.measure(real, real)
    assert same["w1"].value == pytest.approx(0, abs=1e-9)
    if len(expected) > len(POINTS):
        assert same["js"].value == pytest.approx(0, abs=1e-9)
    assert all(part.n_samples == 300 for part in metric.parts())
    assert json.dumps([metric.settings(), metric.details(real, fake)])


def test_before_fitting_it_has_the_parts_for_any_data():
    assert (AllImageMetrics(Pixels()).name, AllPointMetrics(Identity()).name) == ("fd_pixels", "w1")
    real, fake = sets()
    assert list(AllPointMetrics(Identity()).measure(real, fake)) == POINTS


def test_data_of_the_wrong_kind_are_refused():
    with pytest.raises(UserError, match=r"metric=all is for images; these samples are \[2\]. Use metric=points"):
        AllImageMetrics(Identity()).fitted(ring(n=20, n_heldout=20), CPU)
    with pytest.raises(UserError, match=r"metric=points is for points; these samples are \[1, 8, 8\]. Use metric=all"):
        AllPointMetrics(Identity()).fitted(picture_data(), CPU)


def test_too_few_samples_for_a_part_raise_its_error():
    real, fake = sets(1)
    with pytest.raises(UserError):
        AllPointMetrics(Identity()).measure(real, fake)


def test_the_floor_skips_parts_for_which_sets_are_too_small():
    x = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))
    sets = [Encoded(x, x, x) for _ in range(2)]
    whole = MetricCollection(Identity(), 12, "train", (Frechet(Identity(), 12), InceptionScore(Identity(), 12)))
    with pytest.raises(UserError, match="Inception Score"):
        whole.measure(*sets)
    assert set(whole.floor_or_empty(*sets)) == {"fd", "kid"}


def test_parts_that_need_more_samples_are_left_out_with_the_reason():
    """Ten splits of the Inception Score and an extrapolation need 20 samples, balls to the fifth neighbour 6."""
    data = picture_data(classes=0)
    metric = AllImageMetrics(Net(logits=True), n_samples=12).fitted(data, CPU)
    assert [part.name for part in metric.parts()] == ["fd_x", "cmmd_x", "mind_x", "precision_x", "vendi_x"]
    assert metric.left_out == dict.fromkeys(["fd_infinity_x", "is_x"], "it needs at least 20 samples, and there are 12.")
    few = AllImageMetrics(Net(), n_samples=4).fitted(data, CPU)
    assert [part.name for part in few.parts()] == ["fd_x", "cmmd_x", "mind_x", "vendi_x"]
    assert list(few.left_out) == ["fd_infinity_x", "precision_x"]
    with pytest.raises(UserError, match="fd_x needs at least 2 samples, and there are 1"):
        AllImageMetrics(Net(), n_samples=1).fitted(data, CPU)
    assert AllImageMetrics(Net(logits=True), n_samples=20).fitted(data, CPU).left_out == {}


def test_parts_that_are_not_defined_for_the_data_are_left_out_with_the_reason():
    metric = AllPointMetrics(Identity(), n_samples=6000).fitted(swiss_roll(n=20, n_heldout=20), CPU)
    assert [part.name for part in metric.parts()] == ["sw2", "mmd2", "js"]
    assert list(metric.left_out) == ["w1", "w2"]
    assert metric.left_out["w1"].endswith("6000 samples make the assignment problem too large; at most 5000 are possible.")


def test_an_error_is_left_out_if_nine_tenths_of_the_samples_are_too_few():
    real, fake = sets(20)
    assert NeedsTwenty(Identity()).with_errors(real, fake)["mean_a"].error is None
    assert Mean(Identity()).with_errors(real, fake)["mean_a"].error > 0


@dataclass(frozen=True)
class NeedsTwenty(Mean):
    least_samples: ClassVar[int] = 20
