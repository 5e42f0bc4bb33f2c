import hashlib

import pytest
import torch

from gan_cli.data.base import Data
from gan_cli.data.images.arrays import ImageArray
from gan_cli.data.points.toy import ring
from gan_cli.errors import UserError
from gan_cli.metrics.auto import Auto
from gan_cli.metrics.features import inception
from gan_cli.metrics.features.efficientnet_lite0 import EfficientNetLite0
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.features.inception import Inception, weight_locations
from gan_cli.metrics.features.pixels import Pixels
from gan_cli.metrics.images.frechet import Frechet

CPU = torch.device("cpu")
CONTENT = b"stands for weights: only its checksum is looked at"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """No weights on this machine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(inception, "URL", "file:///nowhere")


@pytest.fixture
def images():
    pixels = torch.randint(256, (12, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Data(ImageArray(pixels.numpy()), ImageArray(pixels.numpy()))


def put(place):
    path = weight_locations()[place]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT)
    return path


def test_without_inception_weights_the_bundled_features_are_used_and_reported(images):
    auto = Auto(EfficientNetLite0(), n_samples=7, split="heldout")
    expected = (
        "metric: fd_efficientnet_lite0 (no Inception weights found: metric=auto metric.download=true downloads them for FID)"
    )
    assert auto.describe() == expected
    metric = auto.fitted(images, CPU)
    assert metric == Frechet(EfficientNetLite0(), n_samples=7, split="heldout")
    assert metric.name == auto.name == "fd_efficientnet_lite0"


@pytest.mark.parametrize("place", [0, 2])
def test_available_inception_weights_are_used_and_reported(place):
    path = put(place)
    auto = Auto(EfficientNetLite0(batch_size=5), n_samples=7, split="heldout", sha256=SHA256)
    assert auto.describe() == f"metric: fd_inception_{SHA256[:8]} (Inception weights in {path})"
    assert auto.resolve() == Frechet(Inception(5, sha256=SHA256), n_samples=7, split="heldout")


def test_path_names_weights_in_another_location(tmp_path):
    auto = Auto(EfficientNetLite0(), path=str(tmp_path / "file.pth"))
    assert auto.name == "fid"
    assert auto.describe() == f"metric: fid (Inception weights in {tmp_path / 'file.pth'})"
    assert auto.resolve().features.path == str(tmp_path / "file.pth")


def test_a_file_with_another_checksum_is_ignored():
    path = put(0)
    assert Auto(EfficientNetLite0()).name == "fd_efficientnet_lite0"
    assert path.exists()


def test_fid_is_reported_if_the_weights_will_be_downloaded():
    assert Auto(EfficientNetLite0(), download=True).describe() == "metric: fid (Inception weights to be downloaded)"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"download": True}, r"Cannot download file:///nowhere to .*\nSet features.path=FILE .*metric.path, metric.download"),
        ({"path": "/nowhere/file.pth"}, r"Cannot read the weights /nowhere/file.pth: No such file"),
    ],
)
def test_requested_weights_that_are_unavailable_raise_an_error(images, settings, message):
    with pytest.raises(UserError, match=message):
        Auto(EfficientNetLite0(), **settings).fitted(images, CPU)


@pytest.mark.parametrize("features", [Pixels(), Identity(), EfficientNetLite0(resolution=64)])
def test_explicitly_chosen_features_are_kept(images, features):
    put(0)
    auto = Auto(features, sha256=SHA256)
    assert auto.describe() == f"metric: {features.label('fd')}"
    assert auto.fitted(images, CPU) == Frechet(features)


@pytest.mark.parametrize(("settings", "key"), [({"download": True}, "download"), ({"path": "file"}, "path")])
def test_weights_that_would_not_be_used_are_refused(settings, key):
    with pytest.raises(UserError, match=f"metric.{key} asks for the Inception network, but features=pixels selects"):
        Auto(Pixels(), **settings)


def test_points_are_measured_without_features():
    data = ring(n=20, n_heldout=10)
    auto = Auto(Identity())
    metric = auto.fitted(data, CPU)
    real, fake = metric.features.encode(data.train.x), metric.features.encode(data.heldout.x)
    assert metric.name in metric.measure(real, fake)
    assert auto.measure(real, fake) == metric.measure(real, fake)


def test_image_features_refuse_points():
    with pytest.raises(UserError, match=r"(?s)features=efficientnet_lite0 needs .*features=identity"):
        Auto(EfficientNetLite0()).fitted(ring(n=20, n_heldout=10), CPU)


def test_a_string_for_a_flag_is_refused():
    with pytest.raises(UserError, match=r"download='no'"):
        Auto(EfficientNetLite0(), download="no")
