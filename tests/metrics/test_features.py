import pytest
import torch

from gan_cli.data.points.toy import ring
from gan_cli.errors import UserError
from gan_cli.metrics.features.base import Encoded, quantize_images
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.features.pixels import Pixels

LEVELS = torch.arange(256, dtype=torch.uint8).view(4, 1, 8, 8)


@pytest.mark.parametrize("shape", [(5, 2), (5, 1), (5, 3, 4, 4)])
def test_identity_returns_the_samples(shape):
    x = torch.randn(shape)
    features, logits = Identity()(x)
    assert logits is None
    torch.testing.assert_close(features, x.reshape(5, -1), rtol=0, atol=0)


def test_pixels_are_rounded_to_the_levels_of_a_file():
    expected = (LEVELS / 127.5 - 1).flatten(1)
    for x in (LEVELS, LEVELS / 127.5 - 1, (LEVELS + 0.4) / 127.5 - 1, (LEVELS.double() - 0.4) / 127.5 - 1):
        features, logits = Pixels()(x)
        assert logits is None
        torch.testing.assert_close(features, expected, rtol=0, atol=1e-6)


def test_values_beyond_the_range_are_clamped():
    assert quantize_images(torch.tensor([-9.0, -1.01, 1.01, 9.0]).view(1, 1, 2, 2), "pixels").flatten().tolist() == [
        0,
        0,
        255,
        255,
    ]


def test_uint8_images_are_unchanged():
    assert quantize_images(LEVELS, "pixels") is LEVELS


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(4, 2), r"(?s)features=pixels needs .* got \[4, 2\].*features=identity"),
        (torch.zeros(4, 2, 8, 8, dtype=torch.uint8), r"got \[4, 2, 8, 8\]"),
        (torch.full((4, 3, 8, 8), torch.nan), "features=pixels got images that hold NaN or Inf"),
        (torch.full((4, 1, 8, 8), -torch.inf), "NaN or Inf"),
    ],
)
def test_bad_images_are_named(x, message):
    with pytest.raises(UserError, match=message):
        Pixels()(x)


def test_names_of_numbers_and_provenance():
    assert (Identity().label("w1"), Pixels().label("w1")) == ("w1", "w1_pixels")
    assert (Identity().provenance, Pixels().provenance) == ({"extractor": "identity"}, {"extractor": "pixels"})


def test_features_without_settings_from_data_are_unchanged_by_fitting():
    features = Identity()
    assert features.fitted(ring(n=10, n_heldout=10), torch.device("cpu")) is features


def test_a_subset_keeps_samples_features_logits_and_labels_aligned():
    x, y = torch.randn(6, 2), torch.arange(6)
    encoded = Identity().encode(x, y)
    assert len(encoded) == 6
    assert encoded.logits is None
    whole = Encoded(x, 2 * x, 3 * x, y)
    for index in (slice(1, 4), torch.tensor([3, 1, 1]), y > 2):
        part = whole.subset(index)
        assert [part.features.tolist(), part.logits.tolist()] == [(2 * x[index]).tolist(), (3 * x[index]).tolist()]
        assert (part.x.tolist(), part.y.tolist()) == (x[index].tolist(), y[index].tolist())
    bare = Encoded(x, x).subset(slice(2))
    assert (len(bare), bare.logits, bare.y) == (2, None, None)
