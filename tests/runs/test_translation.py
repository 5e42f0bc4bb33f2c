"""Runs of translators: what they log and draw, sampled and evaluated, both ways."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from support import configs
from support.evaluation import measure
from support.runs import result, train

import gan_cli
from gan_cli import drawing
from gan_cli.config.grammar import quote
from gan_cli.data.images.cache import ImageCache
from gan_cli.errors import UserError
from gan_cli.inference import command
from gan_cli.runs import logger
from gan_cli.training.run import Run

pytestmark = pytest.mark.slow

STEPS = "train.steps=2 eval_every=1 checkpoint_every=1 log_every=1 sample_every=0 ema=0.5 metric.n_samples=8"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two rounds each: from grey to colour, from shirts to negatives, and from A to B in folders."""
    folder = tmp_path_factory.mktemp("runs")
    runs = {
        "pairs": "game=pix2pix dataset=colourisation",
        "domains": "game=cyclegan",
        "folder": "game=cyclegan dataset=unpaired_folder",
    }
    for name, overrides in runs.items():
        train(configs.config(f"{overrides} features=pixels", f"{STEPS} dataset.max_samples=20", folder), folder / name)
    return folder


def sample(folder, **values):
    overrides = [f"run={quote(str(folder))}", "device=cpu", *(f"{key}={written(value)}" for key, value in values.items())]
    return command.sample_command(configs.compose_command("sample", overrides))


def written(value):
    return str(value) if isinstance(value, list) else quote(str(value))


def test_what_is_logged(folders):
    rows = logger.read(folders / "pairs")
    numbers = {name: value for row in rows for name, value in row.items()}
    assert {"metric/fd_pixels", "metric/l1", "untranslated/l1", "untranslated/fd_pixels", "heldout/l1", "l1/generator"} <= set(
        numbers
    )
    assert len({row["untranslated/l1"] for row in rows if "untranslated/l1" in row}) == 1, "no player has a part in it"
    found = result(folders / "pairs")["metric"]
    assert found["untranslated"] == numbers["untranslated/fd_pixels"]
    numbers = {name for row in logger.read(folders / "domains") for name in row}
    assert {"heldout/cycle", "cycle/generator", "identity/generator", "heldout/triangular_there"} <= numbers
    assert "metric/l1" not in numbers


def test_a_picture_shows_sources_beside_translations(folders):
    for name, parts in (("pairs", 3), ("domains", 3)):
        path = folders / name / "samples" / "step_00000002.png"
        with Image.open(path) as picture:
            strip = parts * 64 + (parts - 1) * 8  # eight times as large, with lines of one pixel between
            assert picture.width == round((24 / parts) ** 0.5) * (strip + 16) + 16


def test_held_out_sources_are_translated(folders):
    run = gan_cli.load(folders / "pairs")
    assert (run.shape, run.source) == ((3, 8, 8), (1, 8, 8))
    sources, samples, targets = run.picture_strips(5, seed=1)
    assert torch.equal(run.sample(5, seed=1), samples), "the noise of dropout too"
    assert not torch.equal(run.sample(5, seed=2), samples)
    held_out = run.data.heldout.batch(torch.arange(len(run.data.heldout))).y
    assert all(any(torch.equal(source, other) for other in held_out) for source in sources)
    assert targets.shape == samples.shape == (5, 3, 8, 8)
    assert run.sample(50).shape == (50, 3, 8, 8), "more than are held out"


def test_gan_sample_draws_strips(folders):
    for name in ("pairs", "domains"):
        path = sample(folders / name, n=6, seed=3)
        with Image.open(path) as picture:
            expected = drawing.strips(gan_cli.load(folders / name).picture_strips(6, seed=3))
            assert np.array_equal(np.asarray(picture.convert("RGB")), expected)


def test_the_way_back(folders):
    there, back = gan_cli.load(folders / "domains"), gan_cli.load(folders / "domains", inverse=True)
    source, fake, cycle = back.picture_strips(4)
    assert source.mean() > 0, "negatives are translated"
    assert torch.equal(there.sample(4, y=fake), cycle)
    assert sample(folders / "domains", n=4, inverse=True).is_file()
    with pytest.raises(UserError, match="no way back"):
        gan_cli.load(folders / "pairs", inverse=True)


def test_images_of_ones_own(folders, tmp_path):
    given = [Image.fromarray(np.full((20, 30, 3), shade, np.uint8)) for shade in (0, 90, 255)]
    for i, image in enumerate(given):
        image.save(tmp_path / f"{i}.png")
    out = sample(folders / "pairs", source=tmp_path, mode="single", out=tmp_path / "out")
    assert sorted(path.name for path in out.iterdir()) == ["0.png", "1.png", "2.png"]
    assert sample(folders / "pairs", source=tmp_path).name == f"grid_step_00000002_seed_0_from_{tmp_path.name}.png"
    run = gan_cli.load(folders / "pairs")
    sources = run.images(tmp_path, 2)
    assert sources.shape == (2, 1, 8, 8)
    assert sources.flatten(1).unique(dim=1).flatten().tolist() == pytest.approx([-1, 90 / 127.5 - 1])
    assert len(run.picture_strips(2, y=sources)) == 2, "there is no target"


def test_images_of_ones_own_are_read_in_the_range_of_the_run(folders, tmp_path):
    Image.fromarray(np.full((20, 20), 50, np.float32)).save(tmp_path / "a.tif")
    run = gan_cli.load(folders / "pairs")
    with pytest.raises(UserError, match=r"floating-point pixels from 50 to 50 .*\nConvert the images to 8 bits"):
        run.images(tmp_path, 1)
    run.config.dataset.range = [0, 100]
    assert run.images(tmp_path, 1)[:].unique().tolist() == pytest.approx([0], abs=0.01)


def test_samples_that_sources_decide_cannot_be_walked_between(folders):
    with pytest.raises(UserError, match="depend on their sources"):
        gan_cli.load(folders / "pairs").interpolate(1, 3)


def test_what_is_for_latents_or_classes_is_refused(folders, tmp_path):
    for name in ("pairs", "domains"):
        with pytest.raises(UserError, match="truncat"):
            gan_cli.load(folders / name, truncation=0.5)
        with pytest.raises(UserError, match="translated from sources"):
            gan_cli.load(folders / name, standing_statistics=2)
        with pytest.raises(UserError, match="takes no labels"):
            sample(folders / name, classes=[0])
    with pytest.raises(UserError, match="source and classes"):
        sample(folders / "pairs", classes=[0], source=tmp_path)
    with pytest.raises(UserError, match="source cannot be used with mode=interpolation"):
        sample(folders / "pairs", mode="interpolation", source=tmp_path)


@pytest.mark.long
def test_the_data_set_may_have_moved(folders, tmp_path):
    run = gan_cli.load(folders / "folder")
    moved = tmp_path / "moved"
    place = run.config.dataset.root
    (moved).symlink_to(place)
    assert torch.equal(gan_cli.load(folders / "folder", root=str(moved)).sample(3), run.sample(3))
    with pytest.raises(UserError, match=r"dataset\.root: there is no folder"):
        gan_cli.load(folders / "folder", root=str(tmp_path / "nowhere")).sample(3)
    with pytest.raises(UserError, match="lies in no folder"):
        gan_cli.load(folders / "domains", root=str(moved)).sample(3)


def test_gan_eval_sets_translations_beside_their_sources(folders):
    last = measure(folders / "pairs", "checkpoint=last")[0]
    rows = {row["samples"]: row for row in last.details["translation"]["table"]}
    assert set(rows) == {"translated", "untranslated"}
    assert rows["translated"]["l1"] == last.numbers["l1"].value
    assert set(rows["untranslated"]) == set(rows["translated"])
    assert (last.numbers["l1"].floor, last.numbers["ssim"].floor) == (0.0, 1.0)
    assert json.dumps(last.to_json())


def test_gan_eval_measures_the_way_back_against_the_other_domain(folders):
    there, back = (measure(folders / "domains", "checkpoint=last", f"inverse={word}")[0] for word in ("false", "true"))
    assert there.provenance.reference != back.provenance.reference
    assert there.numbers["fd_pixels"].value != back.numbers["fd_pixels"].value
    with pytest.raises(UserError, match="no way back"):
        measure(folders / "pairs", "checkpoint=last", "inverse=true")


def test_a_game_without_sources_takes_none(tmp_path):
    train(configs.config("dataset=ring", "train.steps=1 sample_every=0 metric.n_samples=4"), tmp_path / "run")
    run = gan_cli.load(tmp_path / "run")
    with pytest.raises(UserError, match="not translated from images"):
        run.images(tmp_path, 3)
    assert len(run.picture_strips(3)) == 1


class TestOneHeldOutPair:
    """A Fréchet distance needs two samples: without them a run is trained, and measured by what needs one."""

    def started(self, tmp_path, overrides, *named):
        cfg = configs.config(f"{overrides} features=pixels", f"{STEPS} dataset.max_samples=20 dataset.heldout=1", tmp_path)
        return Run(cfg, tmp_path / "run", named)

    def test_pairs_are_measured_by_their_reconstruction(self, tmp_path):
        run = self.started(tmp_path, "game=pix2pix dataset=side_by_side")
        assert run.metric_lines == [
            "metric: l1",
            "fd_pixels is left out: it needs at least 2 samples, and there are 1.",
            "n_samples: 1, not 8: the heldout split holds no more",
        ]
        assert run.measurement(run.game, 0)["l1"].value > 0
        floor = run.measurement.floor
        assert (floor.values, floor.n, floor.split) == ({"l1": 0, "psnr": pytest.approx(58.9, abs=0.1), "ssim": 1}, 1, "train")

    def test_domains_are_not_measured(self, tmp_path):
        run = self.started(tmp_path, "game=cyclegan dataset=unpaired_folder")
        assert not run.measurement.enabled
        assert run.metric_lines == ["metric: none, because fd_pixels needs at least 2 samples, and there are 1."]

    def test_a_metric_of_the_command_line_is_refused(self, tmp_path, monkeypatch):
        decoded = []
        monkeypatch.setattr(ImageCache, "images", lambda cache: decoded.append(cache))
        for named in (["metric"], ["loss", "metric.n_samples"]):
            with pytest.raises(UserError, match="fd_pixels needs at least 2 samples, but the heldout split holds 1"):
                self.started(tmp_path, "game=pix2pix dataset=side_by_side metric=frechet metric.split=heldout", *named)
        assert not decoded
