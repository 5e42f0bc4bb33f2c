"""Numbers within the classes of a game with labels."""

import math
from dataclasses import dataclass

import torch

from gan_cli.data.base import seeded_generator
from gan_cli.evaluation.by_class import ENOUGH, numbers_by_class, values_within_classes
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.features.classifier import Classifier
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.images.class_accuracy import ClassAccuracy
from gan_cli.metrics.images.frechet import Frechet, frechet_distance
from gan_cli.metrics.points.wasserstein import WassersteinDistance

COUNTS = (80, 60, ENOUGH - 1)
NAMES = ("flower", "temple", "boat")


def encoded(shift: float, counts=COUNTS, logits: bool = False) -> Encoded:
    y = torch.cat([torch.full((n,), label) for label, n in enumerate(counts)])
    x = torch.randn(len(y), 3, generator=seeded_generator("by class")) + shift * y[:, None]
    return Encoded(x, x, torch.nn.functional.one_hot(y, 3).float() if logits else None, y)


def test_the_distance_within_a_class_is_that_of_its_samples():
    real, fake = encoded(0), encoded(5)
    rows = numbers_by_class(Frechet(Identity()), real, fake, NAMES)["by_class"]
    assert [(row["class"], row["real"], row["generated"]) for row in rows] == list(zip(NAMES, COUNTS, COUNTS, strict=True))
    own = [side.features[side.y == 1] for side in (real, fake)]
    assert rows[1]["fd"] == frechet_distance(*own)
    assert rows[2]["fd"] is None, "too few samples"


def test_a_metric_of_equal_counts_takes_as_many_of_both_kinds():
    rows = numbers_by_class(WassersteinDistance(Identity()), encoded(0), encoded(9, (70, 90, 10)), NAMES)["by_class"]
    assert [row["w1"] is None for row in rows] == [False, False, True]
    assert rows[1]["w1"] > 1


def test_nothing_is_added_without_labels_or_samples():
    real, fake = encoded(0), encoded(5)
    assert numbers_by_class(Frechet(Identity()), real, Encoded(fake.x, fake.features), NAMES) == {}
    assert numbers_by_class(Frechet(Identity()), real, fake.subset(slice(0, 30)), NAMES) == {}


def test_the_accuracy_of_each_class_stands_beside_that_of_real_samples():
    real, fake = encoded(0, logits=True), encoded(0, logits=True)
    real.logits[:20] = real.logits[100]  # 20 of 80 flowers are read as temples
    rows = numbers_by_class(ClassAccuracy(Classifier()), real, fake, NAMES)["by_class"]
    assert [row["accuracy_classifier"] for row in rows] == [1.0, 1.0, None]
    assert [row["real_accuracy_classifier"] for row in rows] == [0.75, 1.0, None]


@dataclass(frozen=True)
class Undefined(Frechet):
    """A metric one of whose numbers within a class is not defined."""

    def values_within_a_class(self, real, fake):
        return {"fd": math.nan, "kid": 1.0}


def test_a_number_that_is_nan_is_unknown():
    rows = numbers_by_class(Undefined(Identity()), encoded(0), encoded(5), NAMES)["by_class"]
    assert [(row["fd"], row["kid"]) for row in rows] == [(None, 1.0), (None, 1.0), (None, None)]


def test_values_are_those_of_the_classes_that_all_results_have():
    first = [{"class": "flower", "fd": 1.0, "kid": "inf"}, {"class": "temple", "fd": 3.0, "kid": None}]
    second = [{"class": "temple", "fd": 5.0, "kid": 0.0}, {"class": "flower", "fd": 2.0, "kid": 0.5}]
    found = values_within_classes([{"by_class": first}, {"by_class": second}])
    assert found == {"fd": {"flower": [1.0, 2.0], "temple": [3.0, 5.0]}, "kid": {"flower": [math.inf, 0.5]}}
    assert values_within_classes([{"by_class": first}, {}]) == {}
