"""Errors between translations and their targets."""

import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from gan_cli.data.base import Data
from gan_cli.data.images.arrays import ImageArray
from gan_cli.data.translation.degradations import Hole
from gan_cli.data.translation.paired import Degraded
from gan_cli.errors import UserError
from gan_cli.evaluation.measurement import Measurement
from gan_cli.metrics.features.pixels import Pixels
from gan_cli.metrics.images.reconstruction import Reconstruction, l1, psnr, ssim

CPU = torch.device("cpu")


def images(n: int = 6, channels: int = 3, side: int = 16, seed: int = 0):
    g = torch.Generator().manual_seed(seed)
    return torch.randint(256, (n, channels, side, side), generator=g, dtype=torch.uint8)


def data(n: int = 40) -> Data:
    whole = ImageArray(images(n, channels=1, side=8).numpy())
    return Data(Degraded(whole, Hole(0.5)), Degraded(whole, Hole(0.5)))


def test_equal_images():
    x = images()
    assert l1(x, x).tolist() == [0.0] * 6
    assert ssim(x, x).tolist() == pytest.approx([1.0] * 6)
    assert psnr(x, x).tolist() == pytest.approx([58.92] * 6, abs=0.01)


def test_closed_forms():
    x = images(2)
    assert l1(torch.zeros_like(x), torch.full_like(x, 255)).tolist() == [2.0, 2.0]
    y = (x.int() // 2 + 20).to(torch.uint8)
    assert psnr(y, y + 10).tolist() == pytest.approx([20 * torch.tensor(25.5).log10().item()] * 2)


@pytest.mark.parametrize(("channels", "side"), [(1, 16), (3, 32)])
def test_agrees_with_torchmetrics(channels, side):
    """SSIM of torchmetrics pads the image by reflection; windows over the border are removed here."""
    target = images(4, channels, side)
    x = (0.6 * target.float() + 0.4 * images(4, channels, side, seed=1).float()).round().to(torch.uint8)
    _, whole = structural_similarity_index_measure(x.double(), target.double(), data_range=255.0, return_full_image=True)
    theirs = whole[..., 5:-5, 5:-5].flatten(1).mean(1)
    assert ssim(x, target).tolist() == pytest.approx(theirs.tolist(), abs=1e-6)
    for ours, a, b in zip(psnr(x, target), x, target, strict=True):
        assert ours.item() == pytest.approx(peak_signal_noise_ratio(a.double(), b.double(), data_range=255.0).item(), abs=1e-4)


def test_small_images_have_a_smaller_window():
    x = images(3, 1, 4)
    assert ssim(x, x).tolist() == pytest.approx([1.0] * 3)
    assert ssim(x, images(3, 1, 4, seed=1)).max() < 1


def test_errors_are_standard_errors_of_means():
    x, target = images(8), images(8, seed=1)
    metric = Reconstruction(Pixels())
    values = metric.measure(Pixels().encode(target), Pixels().encode(x))
    assert list(values) == ["l1", "psnr", "ssim"]
    assert values["l1"].value == pytest.approx(l1(x, target).mean().item())
    assert values["l1"].error == pytest.approx((l1(x, target).std() / 8**0.5).item())
    assert [value.higher_is_better for value in values.values()] == [False, True, True]


def test_the_floor_compares_targets_with_themselves():
    measurement = Measurement(Reconstruction(Pixels(), 20, "heldout"), data(), CPU)
    assert measurement.floor.values == pytest.approx({"l1": 0.0, "psnr": 58.92, "ssim": 1.0}, abs=0.01)
    real, sources = measurement.real.x.float() / 127.5 - 1, measurement.real.y
    # a hole is at value 0, halfway between two levels of a file
    assert measurement.untranslated["l1"] == pytest.approx((real - sources).abs().mean().item(), abs=1 / 255)
    assert 0 < measurement.untranslated["ssim"] < 1


def test_data_without_pairs_are_refused():
    whole = ImageArray(images().numpy())
    with pytest.raises(UserError, match="this data set has no pairs"):
        Reconstruction(Pixels()).fitted(Data(whole, whole), CPU)
    with pytest.raises(UserError, match="got 5 translations of 6 targets"):
        Reconstruction(Pixels()).measure(Pixels().encode(images(6)), Pixels().encode(images(5)))
