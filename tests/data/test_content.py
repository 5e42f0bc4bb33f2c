"""Hashes and ranges of samples."""

import numpy as np
import pytest
import torch

from gan_cli.data.base import Dataset, Subset
from gan_cli.data.content import digests
from gan_cli.data.points.toy import Points
from gan_cli.data.translation.unpaired import Unpaired


@pytest.mark.parametrize("values", [1, 2, 3, 300])
def test_equal_samples_alone_have_equal_hashes(values):
    samples = np.random.default_rng(0).normal(size=(500, values)).astype(np.float32)
    samples[7] = samples[3]
    hashes = digests(samples)
    assert hashes.dtype == np.uint64
    assert hashes[7] == hashes[3]
    assert len(np.unique(hashes)) == 499
    assert np.array_equal(digests(samples[::-1]), hashes[::-1])


def test_content_of_points_and_of_a_part_of_them():
    x, y = torch.tensor([[0.0, 1.0], [2.0, 3.0], [0.0, 1.0]]), torch.tensor([0, 1, 1])
    points = Points(x, y, 2)
    content = points.content()
    assert content.digests[0] == content.digests[2] != content.digests[1]
    assert (content.low, content.high) == (0, 3)
    assert content.labels.tolist() == [0, 1, 1]
    part = Subset(points, torch.tensor([1, 0])).content()
    assert part.digests.tolist() == content.digests[[1, 0]].tolist()
    assert part.labels.tolist() == [1, 0]


def test_samples_are_read_by_the_rows_of_their_own_order():
    a, b = Points(torch.arange(6.0)[:, None]), Points(torch.arange(4.0)[:, None])
    assert len(np.unique(Unpaired(a, b).content().digests)) == 6


class Slow(Dataset):
    """Samples that must not be read."""

    shape, classes = (1000, 1000), 0

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def batch(self, indices):
        raise AssertionError("read")


def test_large_and_empty_sets_are_not_read():
    assert Slow(34).content() is None
    assert Slow(0).content() is None
    decoded = Slow(1)
    decoded.decodes = True
    assert decoded.content() is None
