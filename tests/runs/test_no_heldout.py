"""A run on a tiny set, of which nothing is held out."""

import json

import pytest
from support import configs
from support.runs import result, train

from gan_cli.data.images.published import image_folder
from gan_cli.data.record import DataRecord
from gan_cli.errors import UserError
from gan_cli.evaluation.counts import check_counts
from gan_cli.metrics.features.pixels import Pixels
from gan_cli.metrics.images.frechet import Frechet
from gan_cli.runs import logger

OVERRIDES = "dataset=image_folder model=dcgan_tiny metric=frechet features=pixels"
VALUES = "dataset.heldout=0 train.steps=2 log_every=1 dataset.size=16 metric.n_samples=99 metric.n_fake=40"


@pytest.mark.slow
@pytest.mark.parametrize("cache", ["true", pytest.param("false", marks=pytest.mark.long)])
def test_a_run_without_a_held_out_part(cache, tmp_path):
    cfg = configs.config(OVERRIDES, f"{VALUES} dataset.cache={cache} dataset.cache_dir={tmp_path}/cache", root=tmp_path)
    train(cfg, tmp_path / "run")
    rows = logger.read(tmp_path / "run")
    assert not [tag for row in rows for tag in row if tag.startswith("heldout/")]
    measured = result(tmp_path / "run")["metric"]
    kept = json.loads((tmp_path / "run/data.json").read_text())
    assert (kept["heldout"], measured["n_real"], measured["n_fake"]) == (0, kept["train"], 40)
    assert (tmp_path / "run/samples/step_00000002.png").is_file()


def test_the_record_says_that_nothing_is_held_out_and_a_measure_of_it_is_refused(tmp_path):
    folder = configs.write_dataset("image_folder", tmp_path)
    data = image_folder(root=str(folder), size=8, heldout=0, cache=False)
    line = DataRecord.of(data).lines()[0]
    assert ", none held out" in line
    assert "without held-out samples" not in line
    with pytest.raises(UserError, match=r"the heldout split holds 0\.$"):
        check_counts(Frechet(Pixels(), 10, "heldout"), data)
    with pytest.raises(UserError, match=r"heldout=-1: it must be a whole number, at least 0\.$"):
        image_folder(root=str(folder), size=8, heldout=-1, cache=False)
