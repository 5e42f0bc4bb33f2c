import hashlib
import pickle
import random

import numpy as np
import pytest
import torch
from support import random_inception
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from gan_cli.data.base import Data
from gan_cli.data.images.arrays import ImageArray
from gan_cli.data.points.toy import ring
from gan_cli.errors import UserError
from gan_cli.metrics.auto import Auto
from gan_cli.metrics.features import inception
from gan_cli.metrics.features.efficientnet_lite0 import EfficientNetLite0
from gan_cli.metrics.features.inception import SHA256, Inception, load_inception, weight_locations
from gan_cli.metrics.features.inception_spatial import InceptionSpatial
from gan_cli.metrics.images.frechet import Frechet, frechet_distance

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return random_inception.write(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def file(weights):
    return weights[0]


@pytest.fixture(scope="module")
def sha256(weights):
    return weights[1]


@pytest.fixture(scope="module")
def features(file, sha256):
    return Inception(path=str(file), sha256=sha256)


@pytest.fixture(scope="module")
def x():
    """Four different images, uint8 [4, 3, 32, 40]."""
    g = torch.Generator().manual_seed(0)
    coarse = torch.rand(4, 3, 4, 5, generator=g) * torch.linspace(0.2, 1, 4).view(4, 1, 1, 1)
    return torch.nn.functional.interpolate(coarse, scale_factor=8, mode="bicubic").mul(255).clamp(0, 255).to(torch.uint8)


@pytest.fixture(scope="module")
def encoded(features, x):
    """Return features and logits of ``x``."""
    return features(x)


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No weights and no cached network; the three locations are folders of this test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    load_inception.cache_clear()
    yield weight_locations()
    load_inception.cache_clear()


def assert_equal(results, expected, tolerance=1e-5):
    for result, other in zip(results, expected, strict=True):
        assert (result - other).norm() <= tolerance * other.norm()


def test_agrees_with_torch_fidelitys_extractor_on_the_same_file(file, encoded, x):
    oracle = FeatureExtractorInceptionV3("oracle", ["2048", "logits_unbiased"], str(file))
    expected = oracle(x)
    assert expected[0].std(0).mean() > 1e-2, "features differ between images"
    assert [tuple(result.shape) for result in encoded] == [(4, 2048), (4, 1008)]
    assert_equal(encoded, expected)
    assert not any(result.requires_grad for result in encoded)
    assert all(result.dtype == torch.float32 for result in encoded)


def test_spatial_features_are_seven_channels_of_an_intermediate_layer(file, sha256, features, encoded, x):
    """The oracle is a forward pass by hand through the layers before it."""
    network = features.load()
    y = interpolate_bilinear_2d_like_tensorflow1x(x.float(), size=(299, 299), align_corners=False)
    y = (y - 128) / 128
    for name, layer in network.named_children():
        if name == "Mixed_6d":
            break
        y = layer(y)
    expected = network.Mixed_6d.branch1x1(y)[:, :7]
    assert expected.shape == (4, 7, 17, 17)
    spatial = InceptionSpatial(3, str(file), sha256=sha256)
    assert_equal(spatial(x), [expected.flatten(1), encoded[1]])
    assert spatial.provenance == {
        **features.provenance,
        "extractor": "inception_spatial",
        "layer": "Mixed_6d.branch1x1, 7 channels",
    }


@pytest.mark.long
def test_features_do_not_depend_on_the_batch(file, sha256, encoded, x):
    three_and_one = Inception(3, str(file), sha256=sha256)
    assert_equal(three_and_one(x), encoded)


def test_float_and_grey_images_are_converted_as_in_a_file(features, encoded, x):
    assert_equal(features((x[:1] + 0.4) / 127.5 - 1), [result[:1] for result in encoded])
    assert_equal(features(x[:1, :1]), features(x[:1, :1].expand(-1, 3, -1, -1)))


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 3, 350, 7), (0, 3, 8, 8)])
def test_any_size_is_accepted(features, shape):
    results = features(torch.full(shape, 99, dtype=torch.uint8))
    assert [tuple(result.shape) for result in results] == [(shape[0], 2048), (shape[0], 1008)]


def test_no_default_random_stream_is_used_nothing_is_printed_and_the_network_is_cached(features, nowhere, capfd):
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    expected = torch.rand(3), np.random.rand(), random.random()
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    network = features.load()
    assert features.load() is network
    assert not network.training
    assert capfd.readouterr() == ("", "")
    torch.testing.assert_close(torch.rand(3), expected[0], rtol=0, atol=0)
    assert (np.random.rand(), random.random()) == expected[1:]


def test_only_the_published_weights_are_called_fid(sha256):
    assert [Inception().label(measure) for measure in ("fd", "kid")] == ["fid", "kid_inception"]
    assert [Inception().label(measure) for measure in ("fd_infinity", "intra_fd")] == ["fid_infinity", "intra_fid"]
    spatial = InceptionSpatial()
    assert [spatial.label(m) for m in ("fd", "kid", "fd_infinity")] == [
        "sfid",
        "kid_inception_spatial",
        "fd_infinity_inception_spatial",
    ]
    assert InceptionSpatial(sha256=sha256).label("fd") == f"fd_inception_spatial_{sha256[:8]}"
    others = Inception(sha256=sha256)
    assert [others.label(m) for m in ("fd", "kid")] == [f"fd_inception_{sha256[:8]}", f"kid_inception_{sha256[:8]}"]
    resizing = "bilinear as in TensorFlow 1, to 299×299"
    assert others.provenance == {"extractor": "inception", "weights": sha256, "resizing": resizing}
    assert Inception().provenance["weights"] == SHA256


@pytest.mark.parametrize("place", [0, 1, 2])
def test_weights_are_found_in_the_usual_locations(file, sha256, nowhere, place):
    features = Inception(sha256=sha256)
    assert features.locate() is None
    nowhere[0].parent.mkdir(parents=True)
    nowhere[0].write_bytes(b"something else")  # ignored
    nowhere[place].parent.mkdir(parents=True, exist_ok=True)
    nowhere[place].unlink(missing_ok=True)
    nowhere[place].symlink_to(file)
    assert features.locate() == nowhere[place]


def test_the_locations_are_the_cache_and_those_of_two_other_projects(nowhere, tmp_path):
    name = "inception-2015-12-05-6726825d.pth"
    checkpoints = tmp_path / "torch" / "hub" / "checkpoints"
    assert nowhere == [
        tmp_path / "cache" / "gan-cli" / "weights" / f"pt_{name}",
        checkpoints / f"pt_{name}",
        checkpoints / f"weights-{name}",
    ]


def test_missing_weights_are_reported_at_the_start(nowhere, x):
    nowhere[0].parent.mkdir(parents=True)
    nowhere[0].write_bytes(b"something else")
    images = ImageArray(x.numpy())
    message = r"No weights of the Inception network \(SHA-256 6726825d0af5…\) were found: .*another file.*missing.*\n"
    with pytest.raises(UserError, match=message + r"Set features.path=FILE .* features.download=true .*metric=auto"):
        Inception().fitted(Data(images, images), CPU)


def test_data_other_than_images_are_refused_at_the_start(features):
    with pytest.raises(UserError, match=r"(?s)features=inception needs .*features=identity"):
        features.fitted(ring(n=10, n_heldout=10), CPU)


def test_a_wrong_checksum_is_refused_before_anything_is_unpickled(tmp_path, nowhere, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("unpickled")

    monkeypatch.setattr(torch, "load", refuse)
    (tmp_path / "other.pth").write_bytes(b"other")
    with pytest.raises(UserError, match=r"other.pth does not hold the expected weights.*\nSet features.path=FILE"):
        Inception(path=str(tmp_path / "other.pth")).load()
    with pytest.raises(UserError, match=r"Cannot read the weights .*missing.pth: No such file.*\nSet features.path=FILE"):
        Inception(path=str(tmp_path / "missing.pth"), download=True).load()


class Harmful:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_right_checksum_does_not_permit_code(tmp_path, nowhere):
    for content in (b"no archive", pickle.dumps({}), None, {"fc.weight": torch.zeros(3)}, Harmful(str(tmp_path / "harm"))):
        path = tmp_path / "file.pth"
        path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
        features = Inception(path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
        with pytest.raises(UserError, match=r"file.pth does not hold weights of the Inception network: .+\nSet features.path"):
            features.load()
    assert not (tmp_path / "harm").exists()


@pytest.mark.long
def test_weights_in_the_older_file_format_are_read(file, tmp_path, nowhere):
    old, state = tmp_path / "old.pth", torch.load(file)
    torch.save(state, old, _use_new_zipfile_serialization=False)
    network = Inception(path=str(old), sha256=hashlib.sha256(old.read_bytes()).hexdigest()).load()
    for name, weights in network.state_dict().items():
        torch.testing.assert_close(weights, state[name], rtol=0, atol=0)


def test_missing_weights_are_downloaded_once(file, sha256, nowhere, x, monkeypatch):
    monkeypatch.setattr(inception, "URL", file.as_uri())
    images = ImageArray(x.numpy())
    features = Inception(download=True, sha256=sha256).fitted(Data(images, images), CPU)
    assert nowhere[0].read_bytes() == file.read_bytes()
    assert features(x[:1])[0].shape == (1, 2048)
    monkeypatch.setattr(inception, "URL", "file:///nowhere")
    load_inception.cache_clear()
    features.load()


def test_a_failed_download_gives_advice(nowhere, monkeypatch):
    monkeypatch.setattr(inception, "URL", "file:///nowhere")
    with pytest.raises(UserError, match=r"Cannot download file:///nowhere .*No such file.*\nSet features.path=FILE"):
        Inception(download=True).load()


@pytest.mark.long
def test_the_automatic_metric_uses_it(file, sha256, encoded, x):
    images = ImageArray(x.numpy())
    auto = Auto(EfficientNetLite0(), path=str(file), sha256=sha256)
    metric = auto.fitted(Data(images, images), CPU)
    assert isinstance(metric, Frechet)
    assert metric.name == auto.name == f"fd_inception_{sha256[:8]}"
    real, fake = metric.features.encode(x[:2]), metric.features.encode(x[2:])
    expected = frechet_distance(encoded[0][:2], encoded[0][2:])
    assert metric.measure(real, fake)[metric.name].value == pytest.approx(expected, rel=1e-6)
    assert auto.measure(real, fake) == metric.measure(real, fake)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"download": "no"}, "download='no'"),
        ({"sha256": "6726825d"}, "sha256='6726825d': it must be 64 hexadecimal digits"),
        ({"sha256": SHA256.upper()}, "64 hexadecimal digits"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        Inception(**settings)


def test_bad_images_are_named(features):
    with pytest.raises(UserError, match="features=inception got images that hold NaN or Inf"):
        features(torch.full((2, 3, 8, 8), torch.nan))
