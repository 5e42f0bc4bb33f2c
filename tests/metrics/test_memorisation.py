import json
import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from gan_cli.data.base import Data, Dataset, Subset, seeded_generator
from gan_cli.errors import UserError
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.features.pixels import Pixels
from gan_cli.metrics.images.frechet import frechet_distance
from gan_cli.metrics.images.memorisation import Memorisation, copy_distance, copy_share, frechet_gap
from gan_cli.types import Batch

CPU = torch.device("cpu")


class Samples(Dataset):
    """A data set in memory."""

    def __init__(self, x):
        self.x, self.shape, self.classes = x, tuple(x.shape[1:]), 0

    def __len__(self):
        return len(self.x)

    def batch(self, indices):
        return Batch(self.x[indices])


def normal(n, *shape_and_words):
    shape = [word for word in shape_and_words if isinstance(word, int)]
    return torch.randn(n, *shape, generator=seeded_generator("test_memorisation", n, *shape_and_words))


def images(n, word):
    return (normal(n, 3, 4, 4, word) * 0.3).clamp(-1, 1)


def on_file(x):
    """Return images whose values are the 256 levels of a file."""
    return x.add(1).mul(127.5).round() / 127.5 - 1


def points(n, word, d=4):
    return normal(n, d, word)


def fitted(train, heldout, features=None, **fields):
    return Memorisation(features or Identity(), **fields).fitted(Data(Samples(train), Samples(heldout)), CPU)


def measured(metric, heldout, fake):
    values = metric.measure(metric.features.encode(heldout), metric.features.encode(fake))
    return [value.value for value in values.values()]


def test_against_the_definitions():
    train, heldout, fake = points(300, "train"), points(250, "heldout"), 0.9 * points(200, "fake")
    metric = fitted(train, heldout)
    share, near, baseline, gap = measured(metric, heldout, fake)
    d_fake, d_heldout = (cdist(x.numpy(), train.numpy()).min(1) for x in (fake, heldout))
    assert near == pytest.approx(d_fake.mean(), rel=1e-6)
    assert baseline == pytest.approx(d_heldout.mean(), rel=1e-6)
    a, b = np.sort(d_heldout)[1:3]  # rank 0.01·251 = 2.51
    assert share == np.mean(d_fake <= a + 0.51 * (b - a))
    first = metric.training.features[:200]
    assert gap == pytest.approx(frechet_distance(heldout[:200], fake) - frechet_distance(first, fake))


def test_names_and_errors():
    metric = fitted(images(60, "train"), images(50, "heldout"), Pixels())
    values = metric.measure(*(metric.features.encode(images(40, word)) for word in ("heldout", "fake")))
    assert list(values) == [f"{name}_pixels" for name in ("copies", "nearest", "nearest_heldout", "fd_gap")]
    assert metric.name == "copies_pixels"
    assert metric.split == "heldout"
    assert values["fd_gap_pixels"].error is None  # left to the jackknife
    assert [value.higher_is_better for value in values.values()] == [False, True, True, False]


def test_standard_errors():
    train, heldout, fake = points(500, "train"), points(400, "heldout"), points(300, "fake")
    fake[::4] = train[:75]
    values = fitted(train, heldout).measure(*(Identity().encode(x) for x in (heldout, fake)))
    distances = cdist(fake.numpy(), train.numpy()).min(1)
    share, error, _ = values["copies"]
    assert share >= 0.25
    assert error == pytest.approx(math.sqrt(share * (1 - share) / 300))
    assert values["nearest"].error == pytest.approx(distances.std(ddof=1) / math.sqrt(300), rel=1e-5)


@pytest.mark.parametrize("m", [99, *(pytest.param(m, marks=pytest.mark.long) for m in (250, 1000))])
@pytest.mark.slow
def test_an_ideal_generator_copies_one_in_a_hundred(m):
    g = seeded_generator("ideal", m)
    shares = [copy_share(torch.rand(500, generator=g), torch.rand(m, generator=g)) for _ in range(3000)]
    assert np.mean(shares) == pytest.approx(0.01, abs=4 * np.std(shares) / math.sqrt(3000))
    assert 4 * np.std(shares) / math.sqrt(3000) < 0.001


@pytest.mark.slow
def test_few_held_out_samples():
    g = seeded_generator("few")
    shares = [copy_share(torch.rand(500, generator=g), torch.rand(20, generator=g)) for _ in range(2000)]
    assert np.mean(shares) == pytest.approx(1 / 21, abs=0.005)


def test_copies_among_the_held_out_samples_do_not_hide_those_among_the_generated():
    heldout = torch.cat([torch.zeros(3), torch.rand(97, generator=seeded_generator("twins")) + 1])
    assert copy_distance(heldout) == 0
    assert copy_share(torch.tensor([0.0, 0.0, 1.5, 2.0]), heldout) == 0.5


def test_a_copying_generator_is_detected():
    train, heldout = images(400, "train"), images(300, "heldout")
    metric = fitted(train, heldout, Pixels())
    share, near, baseline, gap = measured(metric, heldout, train[:300])
    assert (share, near) == (1, 0)
    assert baseline > 0
    assert gap > 0
    ideal = measured(metric, heldout, images(300, "new"))
    assert ideal[0] < 0.05
    assert ideal[1] == pytest.approx(baseline, rel=0.02)
    assert abs(ideal[3]) < gap / 3


def test_the_gap_of_the_data_distribution_is_zero():
    gaps = [frechet_gap(*(points(60, f"{word} {i}") for word in ("fake", "train", "heldout"))) for i in range(200)]
    assert abs(np.mean(gaps)) < 4 * np.std(gaps) / math.sqrt(200) < 0.05
    assert frechet_gap(points(60, "train"), points(60, "train"), points(60, "heldout")) > 0
    assert frechet_gap(points(60, "heldout"), points(60, "train"), points(60, "heldout")) < 0


def test_the_gap_uses_equal_counts():
    fake, train, heldout = points(50, "fake"), points(90, "train"), points(70, "heldout")
    assert frechet_gap(fake, train, heldout) == frechet_gap(fake, train[:50], heldout[:50])


def test_a_random_subset_of_the_training_set_is_searched():
    train, heldout = points(300, "train"), points(100, "heldout")
    metric = fitted(train, heldout, max_train=40)
    indices = metric.training.indices
    assert len(set(indices.tolist())) == 40
    assert indices.max() > 200
    assert metric.training.features.equal(train[indices])
    assert fitted(train, heldout, max_train=40).training.indices.equal(indices)
    assert fitted(train, heldout, max_train=80).training.indices[:40].equal(indices)
    assert measured(metric, heldout, train[indices])[:2] == [1, 0]


@pytest.mark.parametrize("stored", [torch.float32, torch.uint8])
def test_the_picture_shows_each_sample_beside_its_training_image(stored):
    train, heldout, fake = images(200, "train"), images(100, "heldout"), images(90, "fake")
    fake[60:65] = train[[7, 70, 11, 110, 199]]
    fake[80] = train[12] + 0.02
    given = fake.add(1).mul(127.5).round().to(torch.uint8) if stored == torch.uint8 else fake
    metric = fitted(train, heldout, Pixels())
    pictures = metric.pictures(metric.features.encode(heldout), metric.features.encode(given))
    drawn, columns = pictures["memorisation"]
    assert drawn.dtype == torch.uint8
    assert drawn.shape == (64, 3, 4, 4)
    assert columns % 2 == 0
    left, right = (drawn[i::2].float() / 127.5 - 1 for i in (0, 1))
    torch.testing.assert_close(left[:5], on_file(fake[60:65]))
    torch.testing.assert_close(right[:6], on_file(train[[7, 70, 11, 110, 199, 12]]))
    gaps = (left - right).flatten(1).norm(dim=1)
    assert gaps.equal(gaps.sort().values)
    assert gaps[5] > 0


def test_points_have_no_picture():
    metric = fitted(points(30, "train"), points(30, "heldout"))
    assert metric.pictures(*(Identity().encode(points(30, word)) for word in ("heldout", "fake"))) == {}


def test_details():
    train, heldout, fake = points(300, "train"), points(150, "heldout"), points(200, "fake")
    metric = fitted(train, heldout)
    details = metric.details(Identity().encode(heldout), Identity().encode(fake))
    for name, x in (("nearest", fake), ("nearest_heldout", heldout)):
        expected = np.quantile(cdist(x.numpy(), train.numpy()).min(1), details["quantile"])
        assert details[name] == pytest.approx(expected.tolist(), rel=1e-5)
    assert details["nearest_heldout"][0] <= details["copy_distance"] <= details["nearest_heldout"][2]
    assert (details["n_train"], details["n_fd_gap"]) == (300, 150)
    assert details["expected_copies"] == 0.01
    assert metric.details(Identity().encode(heldout[:49]), Identity().encode(fake))["expected_copies"] == 1 / 50


def test_settings_are_plain_data():
    settings = fitted(points(30, "train"), points(30, "heldout"), max_train=20).settings()
    assert (settings["max_train"], settings["searched"]) == (20, 20)
    assert json.loads(json.dumps(settings)) == settings
    assert fitted(points(30, "train"), points(30, "other"), max_train=20).settings() == settings
    assert fitted(points(30, "other"), points(30, "heldout"), max_train=20).settings()["training"] != settings["training"]
    assert Memorisation(Identity()).settings() == {"max_train": 10_000}, "no training samples before fitting"


def test_bad_input_is_refused():
    train = Samples(points(30, "train"))
    with pytest.raises(UserError, match="this data set has none"):
        Memorisation(Identity()).fitted(Data(train, Subset(train, torch.arange(0))), CPU)
    x = Identity().encode(points(30, "train"))
    with pytest.raises(UserError, match="fitted"):
        Memorisation(Identity()).measure(x, x)
    metric = fitted(points(30, "train"), points(30, "heldout"))
    with pytest.raises(UserError, match="dimensions"):
        metric.measure(x, Identity().encode(points(30, "fake", 5)))
    with pytest.raises(UserError, match="NaN"):
        metric.measure(x, Identity().encode(points(30, "fake") * math.nan))


@pytest.mark.parametrize("value", [0, 1, 2.5, "all"])
def test_an_invalid_number_of_training_samples_is_refused(value):
    with pytest.raises(UserError, match=f"max_train={value!r}"):
        Memorisation(Identity(), max_train=value)
