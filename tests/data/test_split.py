"""The held-out part of images without a test part: proportional to the classes, and always the same."""

import numpy as np
import pytest
import torch

from gan_cli.data.base import seeded_generator
from gan_cli.data.images.arrays import ImageArray
from gan_cli.data.images.split import apportioned, split
from gan_cli.errors import DamageWarning, UserError


def images(labels: list[int] | None, n: int = 0) -> ImageArray:
    n = len(labels) if labels else n
    pixels = np.zeros((n, 1, 2, 2), np.uint8)
    if labels is None:
        return ImageArray(pixels)
    classes = max(labels) + 1
    return ImageArray(pixels, np.array(labels), classes, [f"name {k}" for k in range(classes)])


@pytest.mark.parametrize(
    ("counts", "total", "seats"),
    [
        ([500, 400, 100], 100, [50, 40, 10]),
        ([178, 40, 6], 22, [17, 4, 1]),  # 17.48, 3.93 and 0.59
        ([1000, 2, 2], 100, [98, 1, 1]),  # 0.2 images of a class are one
        ([1000, 1, 0], 100, [100, 0, 0]),  # the only image of a class is trained on
        ([2, 2, 96], 90, [1, 1, 88]),
        ([5, 4, 3, 2], 2, [1, 1, 0, 0]),  # too few for all
        ([2, 2, 1], 4, [2, 1, 1]),  # too many for all
    ],
)
def test_shares(counts, total, seats):
    assert apportioned(np.array(counts), total).tolist() == seats


def test_shares_of_many_classes():
    random = np.random.default_rng(0)
    for _ in range(50):
        counts = random.integers(0, 40, 20)
        n = counts.sum()
        total = int(random.integers((counts > 1).sum(), n - (counts > 0).sum()))
        seats = apportioned(counts, total)
        assert seats.sum() == total
        assert (seats >= (counts > 1)).all()
        assert (seats <= np.maximum(counts - 1, 0)).all()


def test_every_class_is_held_out_and_none_is_lost():
    labels = [0] * 90 + [1] * 8 + [2] * 2
    whole = images(labels)
    data = split(whole, None, "photos")
    train, held = data.train.known_labels(), data.heldout.known_labels()
    assert torch.bincount(held).tolist() == [8, 1, 1]
    assert torch.bincount(train).tolist() == [82, 7, 1]
    indices = torch.cat([data.train.indices, data.heldout.indices])
    assert sorted(indices.tolist()) == list(range(100))
    assert torch.equal(split(whole, None, "photos").heldout.indices, data.heldout.indices)


@pytest.mark.parametrize("heldout", [None, 7])
def test_unlabelled_images_are_held_out_at_random(heldout):
    data = split(images(None, n=50), heldout, "photos")
    order = torch.randperm(50, generator=seeded_generator("heldout"))
    assert torch.equal(torch.cat([data.heldout.indices, data.train.indices]), order)
    assert len(data.heldout) == (heldout or 5)


def test_classes_without_training_images_are_named():
    with pytest.warns(DamageWarning, match=r"photos: every image of 2 of 3 classes is held out, .*: name 0, name 2\.$"):
        split(images([0, 0, 1, 1, 2]), 4, "photos")


def test_some_image_must_be_left():
    with pytest.raises(UserError, match=r"photos has 3 images: holding out 3 \(dataset\.heldout\) leaves none to train on"):
        split(images(None, n=3), 3, "photos")
