"""Random crops and flips of training images, which measured images do not get."""

import numpy as np
import pytest
import torch
from support import layouts
from torch.nn.functional import interpolate

from gan_cli.data.images.arrays import ImageArray
from gan_cli.data.images.dequantized import Dequantized
from gan_cli.data.images.jitter import Jittered
from gan_cli.data.images.published import image_folder
from gan_cli.data.stream import Stream
from gan_cli.data.translation.degradations import Hole
from gan_cli.data.translation.paired import degraded_folder, side_by_side
from gan_cli.data.translation.unpaired import unpaired_folder
from gan_cli.errors import UserError


@pytest.fixture
def plain():
    random = np.random.default_rng(0)
    return ImageArray(random.integers(0, 256, (6, 3, 8, 8), np.uint8), np.arange(6), classes=6)


def test_a_row_determines_crop_and_flip(plain):
    data = Jittered(plain, 11, True)
    x, y = data.batch(torch.tensor([[2, 0, 3, 0], [4, 1, 2, 1]]))
    larger = interpolate(plain.batch(torch.tensor([2, 4])).x, size=(11, 11), mode="bilinear")
    assert torch.equal(x[0], larger[0, :, 0:8, 3:11])
    assert torch.equal(x[1], larger[1, :, 1:9, 2:10].flip(2))
    assert y.tolist() == [2, 4]


def test_an_epoch_crops_every_image_once_at_random(plain):
    data = Jittered(plain, 11, True)
    random = torch.Generator().manual_seed(0)
    rows = torch.stack([data.epoch(random) for _ in range(200)])
    assert (rows[:, :, 0].sort(dim=1).values == torch.arange(6)).all()
    for column, values in ((1, 4), (2, 4), (3, 2)):
        counts = rows[:, :, column].flatten().bincount(minlength=values)
        assert len(counts) == values
        assert counts.min() > 0.8 * 1200 / values


def test_crops_and_flips_can_be_switched_off(plain):
    random = torch.Generator().manual_seed(0)
    assert not Jittered(plain, 11, False).epoch(random)[:, 3].any()
    assert not Jittered(plain, None, True).epoch(random)[:, 1:3].any()
    rows = Jittered(plain, None, False).epoch(random)
    assert torch.equal(Jittered(plain, None, False).batch(rows).x, plain.batch(rows[:, 0]).x)


def test_measured_images_are_unchanged(plain):
    data = Jittered(plain, 11, True)
    order = data.order(torch.Generator().manual_seed(0))
    assert torch.equal(order, plain.order(torch.Generator().manual_seed(0)))
    assert torch.equal(data.batch(order).x, plain.batch(order).x)


def test_a_stream_resumes_exactly(plain):
    data = Jittered(plain, 11, True)
    whole = Stream(data, 4, seed=1)
    batches = [next(whole).x for _ in range(6)]
    other = Stream(data, 4, seed=1)
    other.load_state_dict({**whole.state_dict(), "position": 3})
    assert all(torch.equal(x, next(other).x) for x in batches[3:])


def test_dequantized_images_fill_the_steps_between_grey_values(plain):
    for data in (Dequantized(plain), Dequantized(Jittered(plain, None, True))):
        rows = data.epoch(torch.Generator().manual_seed(0))
        x = data.batch(rows).x
        levels = (data.dataset.batch(rows[:, :-1].squeeze(1)).x + 1) * 127.5
        noise = (x + 1) * 128 - levels
        assert -1e-4 < float(noise.min()) < 0.01
        assert 0.99 < float(noise.max()) < 1 + 1e-4
        assert torch.equal(data.batch(rows[[3]]).x[0], x[3]), "the noise of a sample is its own"
        assert torch.equal(data.batch(torch.arange(6)).x, plain.batch(torch.arange(6)).x), "measured images are unchanged"


def test_crops_need_larger_images(plain):
    with pytest.raises(UserError, match=r"jitter=7: it must not be smaller than the images, which have 8 pixels"):
        Jittered(plain, 7, False)


@pytest.mark.parametrize("options", [{"jitter": 0}, {"jitter": 2.5}, {"mirror": "yes"}, {"dequantize": 1}])
def test_invalid_options(tmp_path, options):
    layouts.write_image_folder(tmp_path)
    with pytest.raises(UserError, match=rf"{next(iter(options))}"):
        image_folder(str(tmp_path), 8, cache=False, **options)


def test_held_out_images_are_never_changed(tmp_path):
    layouts.write_image_folder(tmp_path)
    data = image_folder(str(tmp_path), 8, cache=False, jitter=10, mirror=True)
    plain = image_folder(str(tmp_path), 8, cache=False)
    rows = torch.arange(2)
    assert isinstance(data.train, Jittered)
    assert not isinstance(data.heldout, Jittered)
    assert torch.equal(data.train.batch(rows).x, plain.train.batch(rows).x)


def test_a_pair_is_cropped_together(tmp_path):
    layouts.write_side_by_side(tmp_path / "pairs")
    pairs = side_by_side(str(tmp_path / "pairs"), size=8, cache=False, jitter=10, mirror=True).train
    x, y = pairs.batch(pairs.epoch(torch.Generator().manual_seed(0)))
    assert (x + y).abs().max() <= 0.02, "they are negatives of each other"
    layouts.write_image_folder(tmp_path / "images")
    holes = degraded_folder(Hole(0.5), str(tmp_path / "images"), 8, cache=False, jitter=10, mirror=True).train
    x, y = holes.batch(holes.epoch(torch.Generator().manual_seed(0)))
    assert torch.equal(y, Hole(0.5)(x)), "the hole stays in the middle"


def test_domains_are_cropped_independently(tmp_path):
    layouts.write_unpaired_folder(tmp_path)
    data = unpaired_folder(str(tmp_path), size=8, cache=False, jitter=10, mirror=True).train
    rows = data.epoch(torch.Generator().manual_seed(0))
    assert rows.shape == (len(data), 2, 4)
    assert not torch.equal(rows[:, 0, 1:], rows[:, 1, 1:])
    x, y = data.batch(rows)
    assert torch.equal(x, data.targets.batch(rows[:, 0]).x)
    assert torch.equal(y, data.sources.batch(rows[:, 1]).x)
    assert data.order(torch.Generator().manual_seed(0)).shape == (len(data), 2), "measured as they are"
