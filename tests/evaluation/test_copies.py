"""Images that two folders share are named."""

import pytest
import torch
from PIL import Image

from gan_cli.evaluation.copies import warnings_of_copies
from gan_cli.evaluation.folders import FolderComparison
from gan_cli.metrics.features.pixels import Pixels
from gan_cli.metrics.images.frechet import Frechet


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
    comparison = FolderComparison(Frechet(Pixels()), tmp_path / "real", tmp_path / "fake", None, 0, torch.device("cpu"))
    comparison.measure(lambda n: None)
    assert comparison.warnings[-1].startswith(said)
