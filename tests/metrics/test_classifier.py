import dataclasses
import math

import numpy as np
import pytest
import torch

from gan_cli.data.base import Data, seeded_generator
from gan_cli.data.images.arrays import ImageArray
from gan_cli.data.points.toy import ring
from gan_cli.errors import UserError
from gan_cli.metrics.features import cache, classifier
from gan_cli.metrics.features.cache import encode_cached
from gan_cli.metrics.features.classifier import Classifier, ClassifierNetwork, train_or_load

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
SMALL = {"epochs": 3, "batch_size": 20, "width": 4, "lr": 0.02}


def bars(n, seed, size=8, channels=1, noise=40):
    """Noisy images of 3 classes: a bright row at the top, in the middle or at the bottom."""
    g = seeded_generator("bars", seed)
    y = torch.arange(n) % 3
    x = torch.randint(noise, (n, channels, size, size), generator=g)
    x[torch.arange(n), :, y * (size // 2 - 1)] += 200
    return ImageArray(x.to(torch.uint8).numpy(), y.numpy(), classes=3)


def data(seed=0, n=120, **kinds):
    return Data(bars(n, seed, **kinds), bars(60, "held out", **kinds))


def images(dataset):
    return dataset.batch(torch.arange(len(dataset)))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    train_or_load.cache_clear()
    return tmp_path


@pytest.fixture
def trainings(monkeypatch):
    """Count the trainings."""
    calls, original = [], classifier.train_classifier
    monkeypatch.setattr(classifier, "train_classifier", lambda *args: (calls.append(len(args[1])), original(*args)))
    return calls


def test_the_classes_are_learned_and_the_accuracy_is_reported():
    features = Classifier(**SMALL).fitted(data(), CPU)
    x, y = images(data().heldout)
    taken, logits = features(x)
    assert (taken.shape, logits.shape) == ((60, 16), (60, 3))
    assert (taken.dtype, logits.dtype) == (torch.float32, torch.float32)
    accuracy = float((logits.argmax(1) == y).double().mean())
    assert accuracy > 0.9
    assert features.provenance["heldout_accuracy"] == pytest.approx(accuracy, abs=1e-12)


def test_the_accuracy_is_measured_on_held_out_images():
    """Random labels cannot be predicted."""
    random = bars(40, 0, noise=250)
    random.labels = torch.randint(3, (40,), generator=seeded_generator("labels")).numpy()
    features = Classifier(epochs=30, batch_size=20, width=16, flip=False).fitted(Data(random, bars(60, 1, noise=250)), CPU)
    _, logits = features(images(random).x)
    assert float((logits.argmax(1) == images(random).y).double().mean()) > 0.9, "the training images are memorised"
    assert features.provenance["heldout_accuracy"] < 0.6


def test_features_determine_the_logits_and_samples_are_independent():
    features = Classifier(**SMALL).fitted(data(), CPU)
    x = images(data().heldout).x
    taken, logits = features(x)
    torch.testing.assert_close(features.trained.network.head(taken), logits)
    one_by_one = Classifier(**SMALL | {"batch_size": 7}).fitted(data(), CPU)
    object.__setattr__(one_by_one, "trained", features.trained)
    for a, b in zip(one_by_one(x), (taken, logits), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_uint8_and_float_images_give_the_same_features():
    features = Classifier(**SMALL).fitted(data(), CPU)
    heldout = data().heldout
    for a, b in zip(features(images(heldout).x), features(torch.from_numpy(heldout.images)), strict=True):
        assert torch.equal(a, b)


def test_trained_once_in_memory_and_on_the_disk(home, trainings):
    given = data()
    first = Classifier(**SMALL).fitted(given, CPU)
    again = Classifier(**SMALL).fitted(given, CPU)
    assert again.trained is first.trained, "the parts of a combined metric share the network"
    assert again.fitted(given, CPU).trained is first.trained
    x = images(given.heldout).x
    expected = first(x)
    train_or_load.cache_clear()
    loaded = Classifier(**SMALL).fitted(data(), CPU)
    assert trainings == [120]
    assert loaded.provenance == first.provenance
    for a, b in zip(loaded(x), expected, strict=True):
        assert torch.equal(a, b)
    (path,) = home.rglob("classifiers/*.npz")
    cache._write(path, {"heldout_accuracy": torch.tensor(1.0)}, False)
    train_or_load.cache_clear()
    assert Classifier(**SMALL).fitted(data(), CPU).provenance == first.provenance
    assert trainings == [120, 120], "a forged file is replaced"


def test_the_same_data_give_the_same_network_whatever_the_random_streams(home, monkeypatch, tmp_path):
    torch.manual_seed(1)
    first = Classifier(**SMALL).fitted(data(), CPU).provenance
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    train_or_load.cache_clear()
    torch.manual_seed(2)
    with torch.no_grad():
        assert Classifier(**SMALL).fitted(data(), CPU).provenance == first
    assert len(first["weights"]) == 64


def test_training_uses_no_default_random_stream():
    torch.manual_seed(0)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    Classifier(**SMALL).fitted(data(), CPU)
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpy_before).all()


def test_an_interrupted_training_leaves_no_entry(home, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(classifier, "train_classifier", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Classifier(**SMALL).fitted(data(), CPU)
    assert not list(home.rglob("*.npz"))
    assert Classifier(**SMALL).fitted(data(), CPU).provenance["heldout_accuracy"] > 0.9


def relabelled():
    other = data()
    other.train.labels[0] = 1
    return other


OTHERS = [
    ({"epochs": 1}, data),
    ({"batch_size": 30}, data),
    ({"width": 5}, data),
    ({"lr": 0.01}, data),
    ({"flip": False}, data),
    ({"seed": 1}, data),
    ({}, lambda: data(seed=1)),
    ({}, lambda: data(n=119)),
    ({}, relabelled),
    ({"max_samples": 60}, data),
]


def test_every_setting_trains_another_network(trainings):
    first = Classifier(**SMALL).fitted(data(), CPU).provenance
    for number, (settings, given) in enumerate(OTHERS, 2):
        other = Classifier(**SMALL | settings).fitted(given(), CPU).provenance
        assert len(trainings) == number, settings
        assert other["weights"] != first["weights"], settings
        assert trainings[-1] == settings.get("max_samples", len(given().train))


def test_other_held_out_images_change_the_accuracy_but_not_the_network(trainings):
    first = Classifier(**SMALL).fitted(data(), CPU).provenance
    noisy = Data(data().train, bars(60, 5, noise=250))
    other = Classifier(**SMALL).fitted(noisy, CPU).provenance
    assert other["weights"] == first["weights"]
    assert other["heldout_accuracy"] < first["heldout_accuracy"]


@pytest.mark.parametrize(("size", "channels"), [(8, 3), (13, 1), (33, 3), (64, 1)])
def test_images_of_any_size_grey_or_colour(size, channels):
    features = Classifier(epochs=1, batch_size=16, width=2).fitted(data(n=32, size=size, channels=channels), CPU)
    taken, logits = features(images(bars(5, 1, size, channels)).x)
    assert (taken.shape, logits.shape) == ((5, 8), (5, 3))


def test_fewer_images_than_one_batch():
    assert Classifier(epochs=2, width=2).fitted(data(n=3), CPU)(images(bars(1, 1)).x)[1].isfinite().all()


@pytest.mark.parametrize(("size", "stages"), [(8, 3), (28, 3), (32, 3), (33, 4), (64, 4), (128, 5), (256, 6)])
def test_larger_images_have_more_stages_down_to_four_pixels(size, stages):
    network = ClassifierNetwork(1, size, 10, 1, seeded_generator("test"))
    convolutions = [layer for layer in network.trunk if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.stride[0] for layer in convolutions] == [2, 1] * stages
    side = math.ceil(size / 2**stages)
    with torch.no_grad():
        assert network.eval().trunk(torch.zeros(1, 1, size, size)).shape == (1, 4, side, side)


def test_initial_weights_have_kaimings_scale():
    network = ClassifierNetwork(1, 32, 10, 32, seeded_generator("test"))
    state = network.state_dict()
    assert all(value.isfinite().all() for value in state.values()), "no weight is left uninitialised"
    last = state["trunk.15.weight"]
    assert last.std().item() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)
    assert torch.equal(last, ClassifierNetwork(1, 32, 10, 32, seeded_generator("test")).state_dict()["trunk.15.weight"])


def test_features_of_real_samples_are_cached(home):
    given = data()
    features = Classifier(**SMALL).fitted(given, CPU)
    x, y = images(given.train)
    found = encode_cached(features, x, y)
    assert torch.equal(found.logits, features(x)[1])
    assert len(list(home.rglob("statistics/*.npz"))) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (ring(n=20, n_heldout=5), r"(?s)features=classifier needs grey or colour images.*\[0, 2\].*features=identity"),
        (data(size=7), r"images of 8 pixels or more; these are \[1, 7, 7\]"),
        (Data(*(ImageArray(bars(9, 0).images),) * 2), r"(?s)labels of 2 classes or more.* has 0.*features=efficientnet_lite0"),
        (Data(*(ImageArray(bars(9, 0).images, np.zeros(9, np.int64), 1),) * 2), r"labels of 2 classes or more.* has 1"),
        (Data(bars(9, 0), bars(0, 0)), "at least 2 training images and 1 held-out image; there are 9 and 0"),
        (Data(ImageArray(bars(9, 0).images, None, 3), bars(9, 0)), "some images of this data set have none"),
    ],
    ids=["points", "tiny", "no labels", "one class", "nothing held out", "labels missing"],
)
def test_data_without_classes_are_refused(given, message):
    with pytest.raises(UserError, match=message):
        Classifier().fitted(given, CPU)


def test_images_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="is not trained yet"):
        Classifier()(torch.zeros(2, 1, 8, 8))
    features = Classifier(**SMALL).fitted(data(), CPU)
    with pytest.raises(UserError, match=r"trained on images \[1, 8, 8\] and got \[3, 8, 8\]"):
        features(torch.zeros(2, 3, 8, 8))
    with pytest.raises(UserError, match="NaN or Inf"):
        features(torch.full((2, 1, 8, 8), math.nan))


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 0), ("batch_size", 1), ("width", 1.5), ("lr", 0), ("flip", "no"), ("max_samples", None), ("seed", -1)],
)
def test_invalid_fields_are_refused(name, value):
    with pytest.raises(UserError, match=f"{name}={value!r}"):
        Classifier(**{name: value})


def test_an_unfitted_classifier_is_described_by_its_fields():
    fields = {entry.name for entry in dataclasses.fields(Classifier) if entry.init}
    assert Classifier().provenance.keys() == {"extractor", "resizing"} | fields
    assert Classifier() == Classifier().fitted(data(n=3), CPU) != Classifier(seed=1)
    assert Classifier().label("accuracy") == "accuracy_classifier"
