import pytest
import torch

from gan_cli.data.base import Data, seeded_generator
from gan_cli.data.images.arrays import ImageArray
from gan_cli.data.points.toy import ring
from gan_cli.errors import UserError
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.features.pixels import Pixels
from gan_cli.metrics.images.classification_score import ClassificationScore

SMALL = {"seeds": 2, "epochs": 4, "batch_size": 10, "width": 2, "flip": False}


def images(n, word, shown=lambda y: y):
    """Dark images of class 0 and bright ones of class 1, or what ``shown`` says of a label."""
    g = seeded_generator("classification", word)
    y = torch.arange(n) % 2
    x = torch.randint(60, (n, 1, 8, 8), generator=g) + 180 * shown(y).view(-1, 1, 1, 1)
    return Encoded(x.to(torch.uint8), torch.zeros(n, 1), None, y)


@pytest.mark.slow
def test_good_samples_teach_and_are_recognised():
    found = ClassificationScore(Pixels(), **SMALL).measure(images(60, "real"), images(60, "fake"))
    assert list(found) == ["gan_train", "gan_test"]
    assert [value.value for value in found.values()] == [1, 1]
    assert [value.error for value in found.values()] == [0, 0]
    assert all(value.higher_is_better for value in found.values())


@pytest.mark.slow
def test_wrong_labels_teach_the_reverse_and_a_missing_class_half():
    metric = ClassificationScore(Pixels(), **{**SMALL, "seeds": 1})
    wrong = metric.measure(images(60, "real"), images(60, "fake", lambda y: 1 - y))
    assert [value.value for value in wrong.values()] == [0, 0]
    dark = metric.measure(images(60, "real"), images(60, "fake", torch.zeros_like))
    assert dark["gan_test"].value == 0.5, "dark samples, half of which were to be bright"


def test_one_seed_has_no_error():
    metric = ClassificationScore(Pixels(), **{**SMALL, "seeds": 1, "epochs": 1})
    found = metric.with_errors(images(20, "real"), images(20, "fake"))
    assert [value.error for value in found.values()] == [None, None]


def test_what_is_no_labelled_image_is_refused():
    metric, cpu = ClassificationScore(Pixels()), torch.device("cpu")
    with pytest.raises(UserError, match=r"needs images of 8 pixels or more .*; these samples are \[2\], with 8 classes"):
        metric.fitted(ring(n=20, n_heldout=20), cpu)
    part = ImageArray(torch.zeros(4, 1, 8, 8, dtype=torch.uint8).numpy())
    with pytest.raises(UserError, match=r"these samples are \[1, 8, 8\], with 0 classes"):
        metric.fitted(Data(part, part), cpu)
    x = images(20, "real")
    with pytest.raises(UserError, match="needs labels"):
        metric.measure(x, Encoded(x.x, x.features))
    with pytest.raises(UserError, match="epochs=0"):
        ClassificationScore(Pixels(), epochs=0)
    with pytest.raises(UserError, match="seeds=0"):
        ClassificationScore(Pixels(), seeds=0)
