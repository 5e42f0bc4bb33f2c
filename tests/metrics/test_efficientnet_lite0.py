import random

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image

from gan_cli.data.base import Data
from gan_cli.data.images.arrays import ImageArray
from gan_cli.data.points.toy import ring
from gan_cli.errors import UserError
from gan_cli.metrics.features.efficientnet_lite0 import SHA256, WEIGHTS, EfficientNetLite0, load_efficientnet, preprocess
from gan_cli.metrics.images.frechet import frechet_distance


def photograph(name):
    """uint8 [1, 3, 427, 427]."""
    return torch.from_numpy(load_sample_image(name).copy()).permute(2, 0, 1)[None, :, :, 106:533]


@pytest.fixture(scope="module")
def crops():
    """60 colour images uint8 [60, 3, 32, 32] cut from two photographs."""
    both = torch.cat([photograph("china.jpg"), photograph("flower.jpg")])
    patches = both.unfold(2, 32, 32).unfold(3, 32, 32).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
    return patches[torch.randperm(len(patches), generator=torch.Generator().manual_seed(0))[:60]]


@pytest.mark.parametrize(("name", "label"), [("china.jpg", 698), ("flower.jpg", 985)])  # palace, daisy
def test_it_recognises_photographs(name, label):
    x = photograph(name)
    logits = EfficientNetLite0(resolution=224)(x)[1]
    assert logits.argmax().item() == label
    torch.testing.assert_close(logits, load_efficientnet(torch.device("cpu"))(preprocess(x, 224)))


def test_preprocessing_scales_the_256_levels_as_in_training():
    levels = torch.arange(256).view(256, 1, 1, 1).expand(-1, 3, 8, 8)
    expected = ((levels - 127) / 128)[:, :, :1, :1].expand(-1, -1, 16, 16)
    torch.testing.assert_close(preprocess(levels.to(torch.uint8), 16), expected)


def test_floats_are_the_levels_that_a_file_would_hold(crops):
    expected = EfficientNetLite0()(crops[:4])
    for perturbation in (0, 0.4, -0.4):
        for result, other in zip(EfficientNetLite0()((crops[:4] + perturbation) / 127.5 - 1), expected, strict=True):
            torch.testing.assert_close(result, other, rtol=0, atol=0)


def test_features_and_logits_have_their_shape_at_any_size(crops):
    for x in (crops[:3], crops[:3, :, :28, :20], crops[:3].double() / 127.5 - 1, photograph("china.jpg"), crops[:0]):
        features, logits = EfficientNetLite0()(x)
        assert (features.shape, logits.shape) == ((len(x), 1280), (len(x), 1000))
        assert features.dtype == logits.dtype == torch.float32
        assert not features.requires_grad
        assert not len(x) or 0 <= features.min() < features.max() <= 6


@pytest.mark.slow
def test_features_do_not_depend_on_the_batch(crops):
    expected = EfficientNetLite0(batch_size=10)(crops[:10])
    for batch_size in (1, 3, 7):
        for result, other in zip(EfficientNetLite0(batch_size=batch_size)(crops[:10]), expected, strict=True):
            assert (result - other).norm() < 1e-5 * other.norm()
    assert (EfficientNetLite0()(crops[4:7])[0] - expected[0][4:7]).norm() < 1e-5 * expected[0].norm()


def test_a_grey_image_is_three_equal_channels(crops):
    grey = crops[:5, :1]
    for result, other in zip(EfficientNetLite0()(grey), EfficientNetLite0()(grey.expand(-1, 3, -1, -1)), strict=True):
        torch.testing.assert_close(result, other)


@pytest.mark.slow
def test_more_noise_is_further_away(crops):
    features, crops = EfficientNetLite0(), crops[:20]
    noise = torch.randn(crops.shape, generator=torch.Generator().manual_seed(0)) / 127.5
    clean = crops / 127.5 - 1
    real = features(clean)[0]
    distances = [frechet_distance(real, features(clean + sigma * noise)[0]) for sigma in (0, 5, 20, 60)]
    assert distances[0] < 1e-6
    assert distances == sorted(distances)
    assert distances[1] > 5


def test_provenance_records_all_settings():
    features = EfficientNetLite0(resolution=64, batch_size=7)
    resizing = "bilinear, antialiased, to 64×64"
    assert features.provenance == {"extractor": "efficientnet_lite0", "weights": SHA256, "resizing": resizing}
    assert features.label("fd") == "fd_efficientnet_lite0"


def test_no_default_random_stream_is_used(crops):
    load_efficientnet.cache_clear()
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    expected = torch.rand(3), np.random.rand(), random.random()
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    EfficientNetLite0()(crops[:2])
    torch.testing.assert_close(torch.rand(3), expected[0], rtol=0, atol=0)
    assert (np.random.rand(), random.random()) == expected[1:]


def test_fitted_features_know_their_device_and_are_equal_to_the_others(crops):
    images = ImageArray(crops.numpy(), None, 0)
    features = EfficientNetLite0(batch_size=7)
    fitted = features.fitted(Data(images, images), torch.device("cpu", 0))
    assert (fitted.device, features.device) == (torch.device("cpu", 0), torch.device("cpu"))
    assert fitted == features
    torch.testing.assert_close(fitted(crops[:2]), features(crops[:2]))


def test_data_other_than_images_are_refused_at_the_start():
    with pytest.raises(UserError, match=r"(?s)got \[0, 2\].*features=identity"):
        EfficientNetLite0().fitted(ring(n=10, n_heldout=10), torch.device("cpu"))


def test_other_weights_are_refused(tmp_path):
    damaged = tmp_path / "weights.pth"
    content = bytearray(WEIGHTS.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    for weights, message in ((damaged, "does not hold the expected weights"), (tmp_path / "missing.pth", "Cannot read")):
        with pytest.raises(UserError, match=f"(?s){message}.*--force-reinstall"):
            load_efficientnet(torch.device("cpu"), weights)


@pytest.mark.parametrize("field", ["resolution", "batch_size"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_impossible_settings_are_refused(field, value):
    with pytest.raises(UserError, match=f"{field}={value}"):
        EfficientNetLite0(**{field: value})


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(4, 2), r"(?s)got \[4, 2\].*features=identity"),
        (torch.zeros(4, 2, 8, 8), r"got \[4, 2, 8, 8\]"),
        (torch.full((4, 1, 8, 8), torch.nan), "NaN or Inf"),
        (torch.full((4, 1, 8, 8), torch.inf), "NaN or Inf"),
    ],
)
def test_bad_input_is_named(x, message):
    with pytest.raises(UserError, match=message):
        EfficientNetLite0()(x)
