"""Comparison of two folders of images."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.data.images.transform import Transform
from gan_cli.errors import DamageWarning, UserError
from gan_cli.evaluation import floors, results
from gan_cli.evaluation.folders import FolderComparison, ShuffledImages
from gan_cli.evaluation.numbers import numbers_and_details
from gan_cli.evaluation.results import differences
from gan_cli.evaluation.sizes import sizes_of, warnings
from gan_cli.metrics.base import NoMetric
from gan_cli.metrics.features.cache import encode_cached
from gan_cli.metrics.features.efficientnet_lite0 import EfficientNetLite0
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.features.pixels import Pixels
from gan_cli.metrics.images.frechet import Frechet, frechet_distance
from gan_cli.metrics.images.inception_score import InceptionScore
from gan_cli.metrics.images.memorisation import Memorisation
from gan_cli.metrics.images.precision_recall import PrecisionRecall
from gan_cli.metrics.points.wasserstein import WassersteinDistance

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


def noise(n, seed=0, size=(8, 8)):
    """uint8 ``[n, *size, 3]``."""
    return np.random.default_rng(seed).integers(0, 256, (n, *size, 3), dtype=np.uint8)


def written(folder, images, mode="RGB"):
    """Add ``images`` to the folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    there = len(list(folder.iterdir()))
    for index, image in enumerate(images):
        Image.fromarray(image).convert(mode).save(folder / f"{there + index:03d}.png")
    return folder


@pytest.fixture
def real(tmp_path):
    return written(tmp_path / "real", noise(24))


@pytest.fixture
def fake(tmp_path):
    return written(tmp_path / "fake", noise(20, seed=1))


def compared(metric, real, fake, n=None, seed=0, **options):
    """Return (folders, numbers, floor), encoded and measured as gan-eval does."""
    heard = []
    folders = FolderComparison(metric, real, fake, n, seed, CPU, **options)
    real, fake, floor = folders.measure(heard.append)
    assert sum(heard) == folders.n_images, "the progress bar is complete"
    assert (len(real), len(fake)) == (folders.n_real, folders.n_fake)
    return folders, numbers_and_details(folders.metric, real, fake, floor)[0], floor


@pytest.fixture
def one_draw(monkeypatch):
    """The floor is that of the first draw."""
    monkeypatch.setattr(floors, "MOST_DRAWS", 1)


def distance(metric, real, fake, **options):
    numbers = compared(metric, real, fake, **options)[1]
    return numbers[next(iter(numbers))].value


PIXELS = Frechet(Pixels())


def test_renaming_images_changes_nothing(real, tmp_path):
    shutil.copytree(real, tmp_path / "copy")
    for number, path in enumerate(sorted((tmp_path / "copy").iterdir(), reverse=True)):
        path.rename(tmp_path / "copy" / f"{'ä' * (number % 3)} {number} = x, y.png")
    numbers = compared(PIXELS, real, tmp_path / "copy")[1]
    assert numbers["fd_pixels"].value < 1e-5
    assert numbers["fd_pixels"].floor > 50
    assert numbers["kid_pixels"].value < 0, "it is unbiased, so negative for sets that agree more than by chance"


def test_the_number_equals_that_of_arrays(real, fake):
    folders, numbers, floor = compared(PIXELS, real, fake)
    a, b = (torch.from_numpy(noise(n, seed) / 127.5 - 1).flatten(1).float() for n, seed in ((24, 0), (20, 1)))
    assert numbers["fd_pixels"].value == pytest.approx(frechet_distance(a, b), rel=1e-6)
    found = folders.provenance()
    assert (found["n_real"], found["n_fake"], found["split"], found["seed"]) == (24, 20, "folder", 0)
    assert (found["metric"], found["features"]) == ("fd_pixels", {"extractor": "pixels"})
    assert found["ema"] is None
    assert (floor.n, folders.floor_against, numbers["fd_pixels"].floor) == (12, 12, floor.values["fd_pixels"])


def test_images_in_subfolders_count(real, tmp_path):
    for number, path in enumerate(sorted(real.iterdir())):
        (tmp_path / "deep" / f"class {number % 2}").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "deep" / f"class {number % 2}")
    (tmp_path / "deep" / "notes.txt").write_text("no image")
    assert distance(PIXELS, real, tmp_path / "deep") < 1e-5


def test_sizes_may_differ_if_the_extractor_resizes(tmp_path):
    """Images of one colour have the same features at any size."""
    colours = noise(12, size=(1, 1))
    one_size = written(tmp_path / "one", [np.tile(colour, (16, 16, 1)) for colour in colours])
    mixed = written(tmp_path / "mixed", [np.tile(colour, (8 + i % 3, 20 - i % 2, 1)) for i, colour in enumerate(colours)])
    others = written(tmp_path / "others", [np.tile(colour, (9, 8 + i % 2, 1)) for i, colour in enumerate(255 - colours)])
    metric = Frechet(EfficientNetLite0())
    apart = distance(metric, one_size, others)
    assert distance(metric, one_size, mixed) < 1e-4 * apart
    assert distance(metric, mixed, one_size) < 1e-4 * apart


@pytest.mark.parametrize("features", [Pixels(), Identity()])
def test_sizes_must_agree_without_resizing(real, tmp_path, features):
    mixed = written(written(tmp_path / "mixed", noise(6)), noise(6, size=(9, 8)))
    for pair in ((real, mixed), (mixed, real)):
        with pytest.raises(UserError, match=f"features={features.name} needs images of one size, and these differ"):
            compared(Frechet(features), *pair)
    larger = written(tmp_path / "larger", noise(6, size=(9, 8)))
    with pytest.raises(UserError, match=r"equal dimension and got \[24, 192\], \[6, 216\]"):
        compared(Frechet(features), real, larger)


def test_grey_images_are_three_equal_channels(real, tmp_path):
    grey = written(tmp_path / "grey", noise(24), mode="L")
    same = written(tmp_path / "same", [np.asarray(Image.open(path).convert("RGB")) for path in sorted(grey.iterdir())])
    assert distance(PIXELS, same, grey) < 1e-5
    assert distance(PIXELS, real, grey) > 10


def test_the_requested_number_of_images(real, fake):
    folders, _, floor = compared(PIXELS, real, fake, n=10)
    assert (folders.provenance()["n_real"], folders.provenance()["n_fake"]) == (10, 10)
    assert floor.n == 10, "the next ten real images"
    folders, _, floor = compared(PIXELS, real, fake, n=22)
    assert (folders.provenance()["n_real"], folders.provenance()["n_fake"], floor.n) == (22, 20, 11)
    assert folders.floor_against == 11, "the two remaining images would be too few"


def test_the_floor_uses_the_metrics_own_counts(real, tmp_path):
    few = written(tmp_path / "few", noise(5, seed=1))
    folders, _, floor = compared(PIXELS, real, few)
    assert (folders.n_real, folders.n_fake, floor.n, folders.floor_against) == (24, 5, 19, 5)
    folders, _, floor = compared(PIXELS, real, few, n=12)
    assert (folders.n_real, folders.n_fake, floor.n, folders.floor_against) == (12, 5, 12, 5)


def test_only_requested_images_are_decoded(real, fake):
    last = ShuffledImages(fake, 0).order[-1]
    (fake / f"{last:03d}.png").write_bytes(b"no image")
    assert compared(PIXELS, real, fake, n=6)[1]
    with pytest.raises(UserError, match=rf"Cannot decode .*{last:03d}\.png"):
        compared(PIXELS, real, fake)


def test_the_floor_compares_different_images(real, fake, one_draw):
    for n in (12, None):
        folders, numbers, floor = compared(PIXELS, real, fake, n=n)
        both = folders.encode(folders.real, 24, encode_cached, lambda n: None)[0].features.split(12)
        assert not {tuple(row) for row in both[0].tolist()} & {tuple(row) for row in both[1].tolist()}
        assert floor.n == 12
        assert numbers["fd_pixels"].floor == pytest.approx(frechet_distance(*both), rel=1e-6)


def test_too_few_images_for_a_floor(real, tmp_path):
    few = written(tmp_path / "few", noise(3, seed=5))
    _, numbers, floor = compared(PIXELS, few, real)
    assert (numbers["fd_pixels"].floor, floor.values, floor.n) == (None, {}, 2)


def test_a_metric_that_needs_equal_sizes_gets_them(real, fake):
    folders, numbers, _ = compared(WassersteinDistance(Pixels()), real, fake)
    assert (folders.provenance()["n_real"], folders.provenance()["n_fake"]) == (20, 20)
    assert numbers["w1_pixels"].error is not None
    assert compared(PrecisionRecall(Pixels()), real, fake)[0].provenance()["n_real"] == 24


def test_the_seed_selects_the_images(real, fake):
    first, again, other = (distance(PIXELS, real, fake, n=10, seed=seed) for seed in (0, 0, 1))
    assert first == again != other
    for n, alike in ((10, False), (None, True)):
        a, b = (compared(PIXELS, real, fake, n=n, seed=seed)[0].provenance() for seed in (0, 1))
        assert (a["reference"] == b["reference"]) == alike, "the reference ignores the order of the images"
    assert compared(PIXELS, fake, real)[0].reference != a["reference"]


def test_incomparable_folders_are_refused_in_one_sentence(real, tmp_path):
    (tmp_path / "empty").mkdir()
    one = written(tmp_path / "one", noise(1))
    broken = tmp_path / "broken"
    shutil.copytree(real, broken)
    (broken / "007.png").write_bytes((real / "007.png").read_bytes()[:60])
    cases = [
        (PIXELS, real, tmp_path / "gone", "there is no folder .*gone"),
        (PIXELS, tmp_path / "gone", real, "there is no folder .*gone"),
        (PIXELS, real, real / "000.png", r"there is no folder .*000\.png"),
        (PIXELS, real, tmp_path / "empty", "No images in .*empty"),
        (PIXELS, tmp_path, real, "/real lies in .*all of whose images are read: move"),
        (PIXELS, real, tmp_path, "/real lies in"),
        (PIXELS, real, broken, r"Cannot decode .*broken/007\.png: replace or remove it"),
        (PIXELS, real, one, "fd_pixels needs at least 2 images of either kind: 24 real, 1 generated"),
        (PIXELS, one, real, "1 real, 24 generated"),
        (Memorisation(Pixels()), real, real, "copies_pixels compares with held-out samples"),
        (NoMetric(Pixels()), real, real, "metric=none measures nothing"),
    ]
    for metric, a, b, said in cases:
        with pytest.raises(UserError, match=said) as error:
            compared(metric, a, b)
        assert len(str(error.value).splitlines()) <= 2


def test_from_the_command_line(call, real, fake, tmp_path):
    code, out, err = call("real=real", "fake=fake", "features=pixels")
    assert (code, err.splitlines()[0]) == (0, "metric: fd_pixels")
    [folder] = (tmp_path / "outputs").glob("*_eval")
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".lock") == ["eval.csv", "eval.json"]
    assert f"written: outputs/{folder.name}/eval.json, eval.csv" in out
    assert (
        "Floor, at other counts than the numbers: the same numbers between 12 real samples and as many other real ones" in out
    )
    [result] = results.read(folder)
    assert (result.source, result.step, result.chosen, result.primary) == ("fake", None, (), "fd_pixels")
    assert result.numbers["fd_pixels"].value == distance(PIXELS, real, fake)
    assert json.loads((folder / "eval.json").read_text())["results"][0]["step"] is None


def test_options_from_the_command_line(call, real, fake, tmp_path):
    words = ["metric=precision_recall", "metric.k=2", "features=pixels", "n_samples=8", "seed=3", "out=here = 1"]
    code, out, _ = call("real=real", "fake=fake", *words)
    assert (code, "written: here = 1/eval.json" in out) == (0, True)
    [result] = results.read(tmp_path / "here = 1")
    assert result.provenance.settings["k"] == 2
    assert (result.provenance.n_real, result.provenance.n_fake, result.provenance.seed) == (8, 8, 3)
    code, *_ = call("real=real", "fake=fake", *words)
    assert (code, len(results.read(tmp_path / "here = 1"))) == (0, 1), "an equal result is replaced"


@pytest.mark.parametrize("words", [["real=real"], ["fake=fake"], ["real=real", "fake=fake", "run=real"]])
def test_both_folders_are_required_and_nothing_else(call, real, fake, words, tmp_path):
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert err == "gan-eval: to compare two folders of images, give real=DIR and fake=DIR, and no run.\n"
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("word", ["checkpoint=best", "root=real", "truncation=0.5", "standing_statistics=2"])
def test_options_of_runs_are_refused(call, real, fake, word):
    code, out, err = call("real=real", "fake=fake", "features=pixels", word)
    assert (code, out) == (2, "")
    assert err == f"gan-eval: {word} applies to a run: leave it out with real= and fake=.\n"


def test_errors_leave_no_files(call, real, tmp_path):
    code, out, err = call("real=real", "fake=gone", "features=pixels")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == f"gan-eval: there is no folder {tmp_path / 'gone'}."
    assert not (tmp_path / "outputs").exists()


def test_combined_metrics_leave_out_what_needs_more_images(call, tmp_path):
    """With 12 images the Inception Score and the extrapolation lack 8 of 20; the other parts are measured."""
    written(tmp_path / "real", noise(12))
    written(tmp_path / "fake", noise(12, seed=1))
    code, out, _ = call("real=real", "fake=fake", "metric=all", "out=here")
    [result] = results.read(tmp_path / "here")
    reason = "it needs at least 20 samples, and there are 12."
    names = ["fd_infinity_efficientnet_lite0", "is_efficientnet_lite0"]
    assert (code, result.details["left_out"]) == (0, dict.fromkeys(names, reason))
    assert f"is_efficientnet_lite0 is left out: {reason}" in " ".join(out.split())
    assert {"fd_efficientnet_lite0", "precision_efficientnet_lite0"} < result.numbers.keys()


@pytest.mark.long
def test_the_inception_score_of_a_folder(real, tmp_path):
    fake = written(tmp_path / "fake", noise(20, seed=1))
    assert 1 <= distance(InceptionScore(EfficientNetLite0(), splits=2), real, fake) < 20
    few = written(tmp_path / "few", noise(3, seed=1))
    with pytest.raises(UserError, match="is_efficientnet_lite0 needs at least 4 images of either kind: 24 real, 3 generated"):
        compared(InceptionScore(EfficientNetLite0(), splits=2), real, few)


def test_settings_name_the_subsets_that_were_drawn(real, fake):
    assert compared(PIXELS, real, fake)[0].provenance()["settings"] == {"kid": {"subsets": 100, "subset_size": 20}}


@pytest.fixture
def photographs(tmp_path):
    """Twelve photographs of 40 by 20 pixels, one of them upright by its EXIF tag."""
    folder = written(tmp_path / "photographs", noise(11, size=(20, 40)))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(1, 9, (40, 20))[0]).save(folder / "011.png", exif=exif)
    return folder


def prepared(folder, to, size, fit):
    """Write the images of ``folder`` as the data set of a run prepares them."""
    for path in sorted(folder.iterdir()):
        pixels = Transform(size, 3, fit)(Image.open(path))
        written(to, [pixels.transpose(1, 2, 0)])
    return to


class TestPreprocessing:
    @pytest.mark.parametrize("fit", ["crop", "pad"])
    def test_the_same_photographs_prepared_as_in_training_are_at_distance_0(self, photographs, tmp_path, fit):
        fake = prepared(photographs, tmp_path / "fake", 10, fit)
        folders, numbers, _ = compared(PIXELS, photographs, fake, size=10, fit=fit)
        assert numbers["fd_pixels"].value < 1e-5
        assert folders.provenance()["preprocessing"] == {"size": 10, "fit": fit}
        (warning,) = folders.warnings
        assert warning.startswith("both folders hold the same images, pixel for pixel")
        other = {"crop": "pad", "pad": "crop"}[fit]
        assert distance(PIXELS, photographs, fake, size=10, fit=other) > 10

    def test_other_sizes_are_warned_of_with_what_to_type(self, call, photographs, tmp_path):
        prepared(photographs, tmp_path / "fake", 10, "crop")
        words = ["real=photographs", "fake=fake", "features=efficientnet_lite0", "metric=kid", "out=here"]
        code, out, err = call(*words)
        said = "the images differ in size: real ones 40×20, generated ones 10×10. The numbers measure this difference, too."
        advice = "size=10 fit=crop, or fit=pad, gives the real ones that size"
        assert (code, f"warning: {said} {advice}" in err, said in " ".join(out.split())) == (0, True, True)
        [result] = results.read(tmp_path / "here")
        assert result.provenance.preprocessing == {"size": None, "fit": None}
        assert result.details["remarks"][0].startswith(said)
        assert "12 real samples (folder, sizes as they are, content " in out
        code, out, err = call(*words, "size=10")
        assert (code, "differ" in err, "(folder, size 10, fit crop, content " in out) == (0, False, True)
        assert differences(*(result.provenance for result in results.read(tmp_path / "here")))[:2] == [
            "reference " + " against ".join(result.provenance.reference for result in results.read(tmp_path / "here")),
            "size none against 10",
        ]

    def test_the_advice_is_what_the_run_of_the_samples_used(self, photographs, tmp_path):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "config.yaml").write_text("dataset: {size: 10, fit: pad}")
        fake = prepared(photographs, tmp_path / "run" / "samples" / "single", 10, "pad")
        [line] = warnings(sizes_of(sorted(photographs.iterdir())), sizes_of(sorted(fake.iterdir())), fake)
        assert line.endswith("size=10 fit=pad prepares the real ones as that run did.")

    def test_sets_of_many_sizes_are_compared_by_their_medians(self, tmp_path):
        a, b, c = (
            sizes_of(list(written(tmp_path / name, [*noise(3, size=size), *noise(2, size=(9, 9))]).iterdir()))
            for name, size in (("a", (20, 40)), ("b", (21, 40)), ("c", (40, 20)))
        )
        assert warnings(a, b, tmp_path) == []
        [line] = warnings(a, c, tmp_path)
        assert "real ones 40×20 and 1 other size, generated ones 20×40 and 1 other size" in line
        assert line.endswith("Give the images of both folders the same size first.")

    def test_grey_samples_of_coloured_photographs_are_warned_of(self, real, tmp_path):
        grey = written(tmp_path / "grey", noise(3), mode="L")
        assert warnings(sizes_of(list(real.iterdir())), sizes_of(list(grey.iterdir())), grey) == [
            "the generated images are grey, and the real ones are not. The numbers measure this difference, too."
        ]

    def test_what_does_not_apply_is_refused(self, call, real, fake):
        assert call("real=real", "fake=fake", "fit=pad")[2].endswith(
            "gan-eval: fit=pad needs size=PIXELS, the side that the real images are brought to.\n"
        )
        code, _, err = call("real", "size=32")
        said = "gan-eval: size=32 is for two folders: real samples of a run are prepared as in training.\n"
        assert (code, err) == (2, said)


def test_samples_in_a_run_among_the_real_images_are_not_real(real):
    run = real / "outputs" / "x"
    fake = written(run / "samples" / "single", noise(20, seed=1))
    for name in ("config.yaml", "environment.json"):
        (run / name).touch()
    with pytest.warns(DamageWarning, match="pictures that gan-cli has written are not read"):
        folders = FolderComparison(PIXELS, real, fake, None, 0, CPU)
    assert (folders.n_real, folders.n_fake) == (24, 20)
