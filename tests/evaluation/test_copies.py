"""Images that two folders share are named."""

import numpy as np
import pytest
import torch
from PIL import Image
from support.evaluation import measure

from gan_cli.build import build_data
from gan_cli.data.images.arrays import ImageArray
from gan_cli.data.points import toy
from gan_cli.evaluation.copies import Copies, training_hashes, warnings_of_copies
from gan_cli.evaluation.folders import FolderComparison
from gan_cli.games.gan import GAN
from gan_cli.metrics.features.base import to_metric_input
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.features.pixels import Pixels
from gan_cli.metrics.images.frechet import Frechet
from gan_cli.runs.folder import stored_config

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("fake", "said"),
    [("xyz", []), ("abc", ["both folders hold the same images"]), ("abz", ["2 of 3 generated images are copies of real ones"])],
)
def test_shared_images_are_counted(fake, said):
    assert [line.partition(",")[0] for line in warnings_of_copies("cab", fake)] == said


@pytest.mark.parametrize(("shades", "said"), [((0, 40, 80, 200), "3 of 4 generated"), ((0, 40, 80, 120), "both folders hold")])
def test_a_comparison_warns_of_files_with_the_same_pixels(shades, said, tmp_path):
    for name, levels in (("real", (0, 40, 80, 120)), ("fake", shades)):
        (tmp_path / name).mkdir()
        for level in levels:
            Image.new("RGB", (8, 8), (level, level, 9)).save(tmp_path / name / f"{name}{level}.png")
    comparison = FolderComparison(Frechet(Pixels()), tmp_path / "real", tmp_path / "fake", None, 0, CPU)
    comparison.measure(lambda n: None)
    assert comparison.warnings[-1].startswith(said)


class TestCopiesOfTrainingImages:
    train = ImageArray(np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), np.uint8))

    def test_they_are_counted_at_the_256_levels_of_an_image(self):
        copies = Copies(training_hashes(self.train, Pixels()))
        x = self.train.batch(torch.arange(5)).x
        copies.look(to_metric_input(x + 1e-4, Pixels()))
        copies.look(to_metric_input(x.flip(-1), Pixels()))
        assert copies.remarks() == ["5 of 10 generated images equal one of 40 training images, pixel for pixel."]

    def test_nothing_is_said_of_others(self):
        copies = Copies(training_hashes(self.train, Pixels()))
        copies.look(to_metric_input(torch.zeros(9, 1, 8, 8), Pixels()))
        assert copies.remarks() == []

    def test_points_are_no_images(self):
        ring = toy.ring(n=20, n_heldout=5)
        copies = Copies(training_hashes(ring.train, Identity()))
        copies.look(ring.train.x)
        assert copies.remarks() == []


@pytest.mark.slow
def test_gan_eval_says_how_many_generated_images_are_training_images(images, monkeypatch):
    """The generator of the run is made to return the first training images."""
    train = build_data(stored_config(images)).train
    monkeypatch.setattr(GAN, "sample", lambda game, latents, y=None: train.batch(torch.arange(len(latents)) % 3).x)
    (result,) = measure(images, "checkpoint=last", "n_samples=6")
    assert f"6 of 6 generated images equal one of {len(train)} training images, pixel for pixel." in result.details["remarks"]
