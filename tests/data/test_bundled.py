"""The bundled images."""

import numpy as np
import pytest
import torch

from gan_cli.data.images import fashion_mnist_mini
from gan_cli.data.images.arrays import ImageArray


@pytest.fixture(scope="module")
def data():
    return fashion_mnist_mini.fashion_mnist_mini()


@pytest.mark.slow
def test_ten_balanced_classes(data):
    assert (len(data.train), len(data.heldout)) == (10_000, 2_000)
    assert np.bincount(data.train.labels).tolist() == [1_000] * 10
    assert np.bincount(data.heldout.labels).tolist() == [200] * 10
    assert data.classes == 10


def test_batches_are_padded_clothes_in_range(data):
    x, y = data.train.batch(torch.arange(2_000))
    assert x.shape == (2_000, *data.shape) == (2_000, 1, 32, 32)
    assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
    assert x.min() == -1
    assert x.max() == 1
    frame = x.clone()
    frame[..., 2:30, 2:30] = -1
    assert (frame == -1).all()
    assert x[..., 2:30, 2:30].std() > 0.5
    trousers, bags = x[y == 1].mean(0), x[y == 8].mean(0)
    assert (trousers - bags).abs().max() > 0.5, "labels belong to their images"


def test_parts_share_no_image(data):
    train = {image.tobytes() for image in data.train.images}
    assert len(train) > 9_990
    assert sum(image.tobytes() in train for image in data.heldout.images) <= 2


def test_max_samples_keeps_every_class():
    data = fashion_mnist_mini.fashion_mnist_mini(size=16, max_samples=100)
    assert (len(data.train), len(data.heldout), data.shape) == (100, 100, (1, 16, 16))
    assert len(np.unique(data.train.labels)) == 10


def test_file_is_small_and_has_its_notice():
    assert fashion_mnist_mini.FILE.stat().st_size <= 5_000_000
    notice = fashion_mnist_mini.FILE.with_name("LICENSE-fashion-mnist.txt").read_text()
    assert "Zalando" in notice
    assert "Permission is hereby granted" in notice


def test_values_cover_the_whole_range():
    array = ImageArray(np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16))
    x, y = array.batch(torch.tensor([0]))
    assert torch.allclose(x.flatten(), torch.arange(256) / 127.5 - 1)
    assert y is None
