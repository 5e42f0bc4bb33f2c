import math

import pytest
import torch

from gan_cli.data.base import Data, seeded_generator
from gan_cli.data.images.arrays import ImageArray
from gan_cli.errors import UserError
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.features.classifier import Classifier, train_or_load
from gan_cli.metrics.features.efficientnet_lite0 import EfficientNetLite0
from gan_cli.metrics.features.pixels import Pixels
from gan_cli.metrics.images.class_accuracy import ClassAccuracy, class_accuracy, class_recalls, class_tv, confusion_matrix
from gan_cli.metrics.images.precision_recall import precision_recall

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


def read_as(classes, K=3):
    """Return logits whose largest entry is at ``classes``."""
    classes = torch.as_tensor(classes)
    return torch.randn(len(classes), K, generator=seeded_generator("logits")) / 10 + torch.eye(K)[classes]


def encoded(classes, y, K=3):
    logits, y = read_as(classes, K), torch.as_tensor(y)
    return Encoded(torch.zeros(len(y), 1, 8, 8), logits, logits, y)


def test_by_hand():
    y, classes = torch.tensor([0, 0, 0, 1, 1, 2]), [0, 0, 1, 1, 2, 2]
    logits = read_as(classes)
    assert confusion_matrix(logits, y).tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    p, error = class_accuracy(logits, y)
    assert p == pytest.approx(4 / 6, rel=1e-12)
    assert error == pytest.approx((3 * (2 / 3) * (1 / 3) * (3 / 2) + 2 * (1 / 2) * (1 / 2) * 2) ** 0.5 / 6, rel=1e-12)
    assert class_tv(logits, y) == pytest.approx((1 / 6 + 0 + 1 / 6) / 2, rel=1e-12)


def test_confusion_counts_every_sample_in_its_row_and_column():
    g = seeded_generator("confusion")
    y, classes = torch.randint(5, (1000,), generator=g), torch.randint(4, (1000,), generator=g)
    confusion = confusion_matrix(read_as(classes, 7), y)
    assert confusion.shape == (7, 7)
    assert confusion.sum(1).tolist() == torch.bincount(y, minlength=7).tolist()
    assert confusion.sum(0).tolist() == torch.bincount(classes, minlength=7).tolist()
    assert class_accuracy(read_as(classes, 7), y)[0] == pytest.approx((y == classes).double().mean().item(), rel=1e-12)


def test_the_error_is_the_spread_over_other_samples():
    g = seeded_generator("spread")
    shares = []
    for _ in range(400):
        y = torch.randint(3, (200,), generator=g)
        right = torch.rand(200, generator=g) < 0.8
        p, error = class_accuracy(read_as(y.where(right, (y + 1) % 3)), y)
        shares.append(p)
    assert error == pytest.approx(torch.tensor(shares).std().item(), rel=0.15)


@pytest.mark.parametrize(
    ("classes", "real", "expected"),
    [
        ([0, 1, 2], [2, 1, 0, 0, 1, 2], 0),
        ([0, 0, 0], [1, 2], 1),
        ([1] * 4, [0, 1, 2] * 5, 2 / 3),
        ([0, 1], [0, 0, 0, 1], 1 / 4),
    ],
)
def test_tv_of_the_class_shares(classes, real, expected):
    assert class_tv(read_as(classes), torch.tensor(real)) == pytest.approx(expected, abs=1e-12)


def test_the_metric_names_its_numbers_after_the_features():
    metric = ClassAccuracy(Classifier())
    real, fake = encoded([0, 1, 1], [0, 1, 2]), encoded([0, 1, 1, 1], [0, 1, 2, 0])
    values = metric.measure(real, fake)
    assert list(values) == ["accuracy_classifier", "class_recall_classifier", "class_tv_classifier"]
    assert math.isnan(values["class_recall_classifier"].value), "no class has four samples of each kind"
    assert metric.name == "accuracy_classifier"
    assert metric.higher_is_better is values[metric.name].higher_is_better is True
    assert values[metric.name].value == 0.5
    assert values[metric.name].error == 0.25  # of class 0, one of two is right
    assert values["class_tv_classifier"].value == pytest.approx((1 / 12 + 5 / 12 + 1 / 3) / 2)
    assert not values["class_tv_classifier"].higher_is_better


def test_details_by_class():
    metric = ClassAccuracy(Classifier())
    object.__setattr__(metric, "class_names", ("cat", "dog", "bird"))  # as ``fitted`` does
    details = metric.details(encoded([0], [0]), encoded([0, 1, 1, 1], [0, 1, 1, 0]))
    assert details == {
        "per_class": {"cat": 0.5, "dog": 1.0, "bird": None},
        "recall_per_class": {"cat": None, "dog": None, "bird": None},
        "confusion": {"cat": {"cat": 1, "dog": 1}, "dog": {"dog": 2}, "bird": {}},
        "heldout_accuracy": None,
        "classes": {"accuracy_classifier": 2, "class_recall_classifier": 0},
        "remarks": [
            "accuracy_classifier is over 2 of 3 classes: no sample was generated of bird.",
            "class_recall_classifier is over 0 of 3 classes: it needs more than 3 real and 3 generated samples of "
            "cat (1 and 2), dog (0 and 2), bird (0 and 0).",
        ],
    }


def cloud(y, scale=1.0, seed=0):
    """Return features from N(10 y, scale²) in the plane; every sample is classified as its label."""
    x = scale * torch.randn(len(y), 2, generator=seeded_generator("cloud", seed)) + 10.0 * y[:, None]
    return Encoded(torch.zeros(len(y), 1, 8, 8), x, torch.eye(3)[y], y)


class TestRecallWithinClasses:
    y = torch.arange(150) % 3

    def test_equals_the_recall_of_each_class_alone(self):
        real, fake = cloud(self.y), cloud(self.y, 0.5, seed=1)
        for c, found in enumerate(class_recalls(real, fake)):
            _, recall = precision_recall(real.features[self.y == c], fake.features[self.y == c])
            assert float(found.mean()) == recall
        values = ClassAccuracy(Classifier()).measure(real, fake)
        mean = sum(float(found.mean()) for found in class_recalls(real, fake)) / 3
        assert values["class_recall_classifier"].value == pytest.approx(mean)
        assert 0 < values["class_recall_classifier"].error < 0.05

    def test_one_image_per_class_has_full_accuracy_and_no_recall(self):
        real, fake = cloud(self.y), cloud(self.y, 0.0)
        values = ClassAccuracy(Classifier()).measure(real, fake)
        assert values["accuracy_classifier"].value == 1
        assert values["class_recall_classifier"].value == 0

    def test_swapped_classes_have_no_recall_within_classes(self):
        real, fake = cloud(self.y), cloud((self.y + 1) % 3, seed=1)
        asked = Encoded(fake.x, fake.features, fake.logits, self.y)
        assert precision_recall(real.features, fake.features)[1] > 0.8
        assert ClassAccuracy(Classifier()).measure(real, asked)["class_recall_classifier"].value == 0

    def test_a_class_with_too_few_samples_is_skipped(self):
        y = self.y.clone()
        y[(y == 2).nonzero().flatten()[3:]] = 0
        real, fake = cloud(y), cloud(y, seed=1)
        assert class_recalls(real, fake)[2] is None
        assert "class_recall_classifier" in ClassAccuracy(Classifier()).measure(real, fake)
        details = ClassAccuracy(Classifier()).details(real, fake)
        assert details["classes"] == {"accuracy_classifier": 3, "class_recall_classifier": 2}
        said = (
            "class_recall_classifier is over 2 of 3 classes: it needs more than 3 real and 3 generated samples of 2 (3 and 3)."
        )
        assert details["remarks"] == [said]

    def test_no_class_is_left_out_without_a_remark(self):
        details = ClassAccuracy(Classifier()).details(cloud(self.y), cloud(self.y, seed=1))
        assert details["classes"] == {"accuracy_classifier": 3, "class_recall_classifier": 3}
        assert "remarks" not in details

    def test_labels_of_both_sets_are_required(self):
        real = cloud(self.y)
        with pytest.raises(UserError, match="labels of both real and generated"):
            class_recalls(real, Encoded(real.x, real.features, real.logits))


def test_without_labels_only_the_balance_is_reported():
    metric, real = ClassAccuracy(Classifier()), encoded([0, 1, 2], [0, 1, 2])
    fake = Encoded(real.x, real.features, real.logits)
    assert metric.measure(real, fake) == {"class_tv_classifier": metric.measure(real, real)["class_tv_classifier"]}
    assert metric.details(real, fake) == {}


def squares(n, seed):
    g = seeded_generator("squares", seed)
    y = torch.arange(n) % 3
    x = torch.randint(60, (n, 1, 8, 8), generator=g)
    x[torch.arange(n), :, 2 * y] += 190
    return ImageArray(x.to(torch.uint8).numpy(), y.numpy(), 3)


def test_real_samples_reach_the_classifiers_accuracy(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    data = Data(squares(90, 0), squares(60, 1))
    metric = ClassAccuracy(Classifier(epochs=2, batch_size=15, width=2)).fitted(data, CPU)
    real = metric.features.encode(*data.heldout.batch(torch.arange(60)))
    own = metric.features.provenance["heldout_accuracy"]
    assert metric.measure(real, real)[metric.name].value == pytest.approx(own)
    shifted = Encoded(real.x, real.features, real.logits, (real.y + 1) % 3)
    assert metric.measure(real, shifted)[metric.name].value <= 1 - own
    train_or_load.cache_clear()


@pytest.mark.parametrize("features", [Pixels(), EfficientNetLite0(resolution=16)])
def test_features_with_other_classes_are_refused(features):
    told = 1000 if isinstance(features, EfficientNetLite0) else 0
    message = rf"(?s)has 3 classes, but features={features.name} has {told}.*features=classifier"
    with pytest.raises(UserError, match=message):
        ClassAccuracy(features).fitted(Data(squares(6, 0), squares(3, 0)), CPU)


def test_classes_that_the_heldout_part_lacks_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    train_or_load.cache_clear()
    whole, names = squares(60, 0), ("left", "middle", "right")
    train = ImageArray(whole.images, whole.labels, 3, names)
    kept = whole.labels < 2
    heldout = ImageArray(whole.images[kept], whole.labels[kept], 3, names)
    metric = ClassAccuracy(Classifier(epochs=1, width=2)).fitted(Data(train, heldout), CPU)
    real, fake = (metric.features.encode(*part.batch(torch.arange(len(part)))) for part in (heldout, train))
    details = metric.details(real, fake)
    assert details["classes"] == {"heldout_accuracy": 2, "accuracy_classifier": 3, "class_recall_classifier": 2}
    assert details["remarks"][0] == "heldout_accuracy is over 2 of 3 classes: the held-out part has none of right."
    assert details["remarks"][1].endswith("samples of right (0 and 20).")
    train_or_load.cache_clear()


def test_data_without_labels_are_refused():
    unlabelled = ImageArray(squares(6, 0).images)
    for features in (Classifier(), Pixels()):
        with pytest.raises(UserError, match="has 0"):
            ClassAccuracy(features).fitted(Data(unlabelled, unlabelled), CPU)


def test_samples_without_logits_or_labels_are_refused():
    metric, good = ClassAccuracy(Pixels()), encoded([0, 1], [0, 1])
    without_logits, without_labels = Encoded(good.x, good.features, None, good.y), Encoded(good.x, good.features, good.logits)
    for sets, message in [
        ((good, without_logits), r"generated samples have no logits \(features=pixels\)"),
        ((without_labels, good), "real samples have no labels"),
    ]:
        with pytest.raises(UserError, match=message):
            metric.measure(*sets)


@pytest.mark.parametrize(
    ("logits", "y", "message"),
    [
        (torch.zeros(0, 3), torch.zeros(0).long(), r"at least 1 sample and got \[0, 3\]"),
        (torch.zeros(3), torch.zeros(3).long(), r"needs logits \[N, K\]"),
        (torch.full((2, 3), math.nan), torch.zeros(2).long(), "NaN or Inf"),
        (torch.zeros(2, 3), torch.zeros(3).long(), "2 samples have 3 labels"),
        (torch.zeros(2, 3), torch.tensor([0, 3]), "from 0 to 2"),
        (torch.zeros(2, 3), torch.tensor([0, -1]), "from 0 to 2"),
        (torch.zeros(2, 3), torch.zeros(2), "whole numbers"),
    ],
)
def test_bad_input_is_named(logits, y, message):
    with pytest.raises(UserError, match=message):
        class_accuracy(logits, y)
