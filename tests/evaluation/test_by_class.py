"""Numbers within the classes of a game with labels."""

import io

import torch
from rich.console import Console

from gan_cli.data.base import seeded_generator
from gan_cli.evaluation.by_class import ENOUGH, numbers_by_class
from gan_cli.evaluation.details import detail_tables
from gan_cli.evaluation.floors import Floor
from gan_cli.evaluation.numbers import numbers_and_details
from gan_cli.evaluation.results import Provenance, Result
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


def test_the_accuracy_of_each_class():
    real, fake = encoded(0, logits=True), encoded(0, logits=True)
    rows = numbers_by_class(ClassAccuracy(Classifier()), real, fake, NAMES)["by_class"]
    assert [row["accuracy_classifier"] for row in rows] == [1.0, 1.0, None]


def test_many_numbers_are_shown_in_tables_that_fit():
    row = {"class": "flower", "real": 60, "generated": 60, **{f"precision_classifier_{k}": 1.0 for k in range(5)}}
    origin = {"metric": "fd", "settings": {}, "features": {}, "n_real": 9, "n_fake": 9, "split": "train", "ema": True}
    result = Result("run", 7, ("last",), Provenance(**origin, reference="abc", seed=0), {}, {"by_class": [row]})
    groups = detail_tables([result])
    assert len(groups) == 3
    for group in groups:
        console = Console(width=80, file=io.StringIO())
        console.print(group)
        assert "flower" in console.file.getvalue()
        assert "…" not in console.file.getvalue()


def test_the_table_names_the_classes():
    numbers, details = numbers_and_details(Frechet(Identity()), encoded(0), encoded(5), Floor(), NAMES)
    origin = {"metric": "fd_identity", "settings": {}, "features": {}, "n_real": 9, "n_fake": 9, "split": "train", "ema": True}
    result = Result("run", 7, ("last",), Provenance(**origin, reference="abc", seed=0), numbers, details)
    (group,) = detail_tables([result])
    (table,) = [part for part in group.renderables if hasattr(part, "columns")]
    columns = {column.header: list(map(str, column.cells)) for column in table.columns}
    assert columns["class"] == list(NAMES)
    assert columns["fd"][2] == "–"
