import random

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image

from gan_cli.errors import UserError
from gan_cli.metrics import efficientnet_lite0
from gan_cli.metrics.efficientnet_lite0 import EfficientNetLite0, load_network, preprocess
from gan_cli.metrics.frechet import Frechet


def photograph(name):
    """[1, 3, 427, 427] in [-1, 1]."""
    pixels = torch.from_numpy(load_sample_image(name).copy()).permute(2, 0, 1)[None, :, :, 106:533]
    return pixels / 127.5 - 1


@pytest.fixture(scope="module")
def crops():
    """100 colour images [100, 3, 32, 32] cut from two photographs."""
    both = torch.cat([photograph("china.jpg"), photograph("flower.jpg")])
    patches = both.unfold(2, 32, 32).unfold(3, 32, 32).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
    return patches[torch.randperm(len(patches), generator=torch.Generator().manual_seed(0))[:100]]


@pytest.mark.parametrize(("name", "label"), [("china.jpg", 698), ("flower.jpg", 985)])  # palace, daisy
def test_it_recognises_photographs(name, label):
    logits = load_network(torch.device("cpu"))(preprocess(photograph(name), 224))
    assert logits.argmax().item() == label


def test_its_classifier_reads_the_same_features():
    x, network = photograph("flower.jpg"), load_network(torch.device("cpu"))
    torch.testing.assert_close(network._fc(EfficientNetLite0(224)(x)), network(preprocess(x, 224)))


def test_preprocessing_maps_the_256_levels_as_in_training():
    levels = torch.arange(256.0).view(256, 1, 1, 1).expand(-1, 3, 8, 8)
    expected = ((levels - 127) / 128)[:, :, :1, :1].expand(-1, -1, 16, 16)
    for perturbation in (0, 0.4, -0.4):  # the file would hold the same level
        torch.testing.assert_close(preprocess((levels + perturbation) / 127.5 - 1, 16), expected)


def test_features_have_the_pooled_shape_at_any_size(crops):
    features = EfficientNetLite0()
    for x in (crops[:3], crops[:3, :, :28, :20], crops[:3].double(), photograph("china.jpg")):
        result = features(x)
        assert result.shape == (len(x), 1280)
        assert result.dtype == torch.float32
        assert not result.requires_grad
        assert 0 <= result.min() < result.max() <= 6


def test_neither_batch_size_nor_neighbours_matter(crops):
    expected = EfficientNetLite0(batch_size=10)(crops[:10])
    for batch_size in (1, 3, 7):
        torch.testing.assert_close(EfficientNetLite0(batch_size=batch_size)(crops[:10]), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(EfficientNetLite0()(crops[4:7]), expected[4:7], rtol=1e-4, atol=1e-4)


def test_grey_is_three_equal_channels(crops):
    grey = crops[:5].mean(1, keepdim=True)
    torch.testing.assert_close(EfficientNetLite0()(grey), EfficientNetLite0()(grey.expand(-1, 3, -1, -1)))


def test_more_noise_is_further_away(crops):
    metric = Frechet(EfficientNetLite0())
    reference = metric.reference(crops)
    noise = torch.randn(crops.shape, generator=torch.Generator().manual_seed(0)) / 127.5
    distances = [metric(reference, crops + sigma * noise) for sigma in (0, 5, 20, 60)]
    assert metric.name == "fd_efficientnet_lite0"
    assert distances[0] < 1e-6
    assert distances == sorted(distances)
    assert distances[1] > 5


def test_no_random_stream_moves(crops):
    load_network.cache_clear()
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    expected = torch.rand(3), np.random.rand(), random.random()
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    EfficientNetLite0()(crops[:2])
    torch.testing.assert_close(torch.rand(3), expected[0], rtol=0, atol=0)
    assert (np.random.rand(), random.random()) == expected[1:]


def test_weights_are_read_when_the_first_images_arrive(monkeypatch, crops):
    def refuse(device):
        raise AssertionError("read")

    monkeypatch.setattr(efficientnet_lite0, "load_network", refuse)
    features = EfficientNetLite0()
    with pytest.raises(AssertionError, match="read"):
        features(crops[:1])


def test_other_weights_are_refused(tmp_path):
    damaged = tmp_path / "weights.pth"
    content = bytearray(efficientnet_lite0.WEIGHTS.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    for weights in (damaged, tmp_path / "missing.pth"):
        with pytest.raises(UserError, match=r"(?s)is missing or is not the published file.*--force-reinstall"):
            load_network(torch.device("cpu"), weights)


@pytest.mark.parametrize("field", ["resolution", "batch_size"])
@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_impossible_settings_are_refused(field, value):
    with pytest.raises(UserError, match=f"features.{field}={value}"):
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
