"""Data from arrays and tensors in memory."""

import numpy as np
import pytest
import torch

from gan_cli import data
from gan_cli.errors import UserError
from gan_cli.testing import check_dataset


def test_images_of_whole_numbers():
    x = np.arange(40 * 3 * 8 * 8, dtype=np.int64).reshape(40, 3, 8, 8).astype(np.uint8)
    made = data.from_arrays(x, np.arange(40) % 4, class_names=("a", "b", "c", "d"))
    assert (len(made.train), len(made.heldout), made.shape, made.classes) == (36, 4, (3, 8, 8), 4)
    assert made.class_names == ("a", "b", "c", "d")
    batch = made.train.batch(torch.arange(36))
    assert (batch.x.dtype, float(batch.x.min()), float(batch.x.max())) == (torch.float32, -1.0, 1.0)
    check_dataset(made)


@pytest.mark.parametrize("shape", [(2,), (5, 3), (1, 8, 8)])
def test_floating_point_samples_are_kept_as_they_are(shape):
    x = torch.rand(50, *shape, dtype=torch.float64)
    made = data.from_arrays(x, heldout=10)
    assert (len(made.train), len(made.heldout), made.shape, made.classes) == (40, 10, shape, 0)
    everything = torch.cat([part.batch(torch.arange(len(part))).x for part in (made.train, made.heldout)])
    assert torch.equal(everything.flatten(1).sort(0).values, x.float().flatten(1).sort(0).values)
    check_dataset(made)
    again = data.from_arrays(x.numpy(), heldout=10)
    assert torch.equal(again.heldout.batch(torch.arange(10)).x, made.heldout.batch(torch.arange(10)).x)


@pytest.mark.parametrize(
    ("x", "options", "said"),
    [
        (torch.rand(5), {}, r"x has the shape \[5\]: it must be"),
        (torch.rand(0, 2), {}, r"x has the shape \[0, 2\]"),
        (torch.zeros(5, 8, 8, dtype=torch.uint8), {}, r"x is uint8 of the shape \[5, 8, 8\]: images are"),
        (torch.zeros(5, 8, 8, 3, dtype=torch.uint8), {}, "with 1 or 3 channels; permute it"),
        (torch.tensor([[1.0], [float("nan")]]), {}, "not finite"),
        (torch.rand(5, 2), {"y": torch.rand(5)}, "y must hold a whole number"),
        (torch.rand(5, 2), {"y": torch.tensor([0, 1])}, "for each of the 5 samples"),
        (torch.rand(5, 2), {"y": torch.tensor([0, 1, 2, 0, -1])}, "0 or more"),
        (torch.rand(5, 2), {"y": torch.tensor([0, 1, 2, 0, 1]), "class_names": ("a",)}, "1 names, and there are 3 classes"),
        (torch.rand(5, 2), {"heldout": 5}, "heldout=5 leaves nothing of 5 samples"),
        (torch.rand(5, 2), {"heldout": -1}, "heldout"),
    ],
)
def test_what_does_not_fit_is_named(x, options, said):
    with pytest.raises(UserError, match=said):
        data.from_arrays(x, **options)
