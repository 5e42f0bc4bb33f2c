"""Samples by their own seeds and labels, walks on several paths, and translations of images of any size."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support import configs
from support.runs import train

import gan_cli
from gan_cli import drawing
from gan_cli.cli.quoting import quote
from gan_cli.errors import UserError
from gan_cli.games import sampling
from gan_cli.games.sampling import Readable, decode, generate
from gan_cli.inference.command import sample_command
from gan_cli.inference.ranges import numbers
from gan_cli.inference.sources import translate_whole
from gan_cli.inference.walks import mixtures

pytestmark = pytest.mark.slow

STEPS = "train.steps=1 eval_every=0 checkpoint_every=0 sample_every=0 metric.n_samples=0"
KINDS = {
    "images": "features=identity",
    "labelled": "game=cgan features=identity",
    "diffusion": "game=ddpm model/denoiser=mlp dataset=ring",
    "biggan": "game=cgan_projection model=biggan",
    "domains": "game=cyclegan model=resnet_translator_small features=pixels",
    "pairs": "game=pix2pix dataset=colourisation features=pixels",
    "unet": "game=pix2pix",
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    made = {}

    def run(kind):
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp("runs") / kind
            train(configs.config(KINDS[kind]), made[kind], STEPS)
        return made[kind]

    return run


def sample(folder, **values):
    """Run gan-sample and return what it has written."""
    overrides = [f"run={quote(str(folder))}", "device=cpu", *(f"{key}={value}" for key, value in values.items())]
    return sample_command(configs.compose_command("sample", overrides))


@pytest.mark.parametrize(("words", "found"), [(["0-3", "42"], [0, 1, 2, 3, 42]), (["7"], [7]), (["5-5", "1"], [5, 1])])
def test_ranges(words, found):
    assert numbers(words, "seeds") == found


@pytest.mark.parametrize("words", [["a"], ["3-1"], ["-1"], ["1.5"], ["0-99999999"], [str(2**63)], []])
def test_ranges_that_are_none(words):
    with pytest.raises(UserError, match="seeds=") as caught:
        numbers(words, "seeds")
    assert "\n" not in str(caught.value)


class TestSeeds:
    @pytest.mark.parametrize(
        "kind", ["labelled", "diffusion", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("images", "pairs"))]
    )
    def test_a_sample_depends_on_its_own_seed_alone(self, runs, kind):
        run = gan_cli.load(runs(kind))
        several, other = run.sample(seeds=[3, 0, 8]), run.sample(seeds=[8, 3])
        assert torch.equal(several[[2, 0]], other)
        assert not torch.equal(several[0], several[1])
        assert torch.equal(run.sample(1, seed=8), other[:1]), "the first sample of that seed"

    def test_the_same_latents_for_each_class(self, runs, tmp_path):
        run = gan_cli.load(runs("labelled"))
        out = sample(runs("labelled"), classes="[2,7]", seeds="[4-6]")
        assert out.name == "grid_step_00000001_seeds_4-6_classes_Pullover_Sneaker.png"
        expected = run.sample(seeds=[4, 5, 6, 4, 5, 6], y=[2, 2, 2, 7, 7, 7])
        with Image.open(out) as picture:
            assert np.array_equal(np.asarray(picture), drawing.grid(expected, 3)[..., 0])
        assert torch.equal(run.latents(1, 5), run.latents(3, seeds=[4, 5, 6])[1:2])
        with np.load(sample(runs("labelled"), classes="[2,7]", seeds="[4-6]", out=tmp_path / "x.npz")) as file:
            assert file["arr_1"].tolist() == [2, 2, 2, 7, 7, 7]
            assert file["seeds"].tolist() == [4, 5, 6, 4, 5, 6]

    def test_files_are_named_by_their_seeds(self, runs, tmp_path):
        out = sample(runs("images"), mode="single", seeds="[42,7]", out=tmp_path / "x")
        assert sorted(os.listdir(out)) == ["seed00007.png", "seed00042.png"]
        with Image.open(out / "seed00042.png") as picture:
            assert np.array_equal(np.asarray(picture), drawing.pixels(gan_cli.load(runs("images")).sample(seeds=[42])[0]))

    def test_labels_by_seed(self, runs):
        for way in ("data", "uniform"):
            labels = gan_cli.load(runs("labelled"), labels=way).labels
            drawn = labels.draw_each(range(50))
            assert torch.equal(drawn[10:12], labels.draw_each([10, 11]))
            assert len(drawn.unique()) > 5

    def test_number_and_seeds_must_agree(self, runs):
        with pytest.raises(UserError, match=r"n=5 and 2 seeds: give one"):
            sample(runs("images"), n=5, seeds="[1,2]")
        assert sample(runs("images"), n=2, seeds="[1,2]").is_file()


class TestLabelsFromPython:
    @pytest.mark.parametrize("y", [[0, 1], np.array([0, 1]), torch.tensor([0, 1]), ["T-shirt/top", "Trouser"], (0, "1")])
    def test_every_kind_of_list(self, runs, y):
        run = gan_cli.load(runs("labelled"))
        assert torch.equal(run.sample(2, y=y), generate(run.game, 2, 0, torch.tensor([0, 1])))
        assert torch.equal(run.sample(y=y), run.sample(2, y=y))

    def test_one_label_for_all(self, runs):
        run = gan_cli.load(runs("labelled"))
        assert torch.equal(run.sample(3, y="Bag"), run.sample(3, y=[8, 8, 8]))
        assert torch.equal(
            gan_cli.Run(runs("labelled")).sample(3, y=8, seeds=[1, 2, 3]), run.sample(y=[8, 8, 8], seeds=[1, 2, 3])
        )

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"n": 3, "y": [0, 1]}, "n of 3, y of 2: they must be equally many"),
            ({"seeds": [1], "y": [0, 1]}, "seeds of 1, y of 2"),
            ({"y": [0, 10]}, "y: labels are whole numbers from 0 to 9 or names of classes"),
            ({"y": [0.5]}, "y: labels are whole numbers"),
            ({"y": ["bags"]}, "there is no class bags. Did you mean Bag"),
        ],
    )
    def test_what_does_not_fit(self, runs, given, said):
        with pytest.raises(UserError, match=said):
            gan_cli.load(runs("labelled")).sample(**given)

    def test_of_games_without_labels(self, runs):
        with pytest.raises(UserError, match="y: the game of this run takes no labels"):
            gan_cli.load(runs("images")).sample(2, y=[0, 1])
        with pytest.raises(UserError, match=r"y: sources of this run have shape \[n, 1, 8, 8\], not \[2\]"):
            gan_cli.load(runs("pairs")).sample(2, y=[0, 1])


class TestLatentsInBlocks:
    @pytest.mark.parametrize("kind", ["images", "diffusion", "pairs"])
    def test_blocks_change_no_sample(self, runs, monkeypatch, kind):
        monkeypatch.setattr(sampling, "CHUNK", 2)
        run = gan_cli.load(runs(kind))
        at_once = run.sample(37, seed=1)
        drawn, latents = [], run.game.latents
        monkeypatch.setattr(run.game, "latents", lambda n: drawn.append(n) or latents(n))
        monkeypatch.setattr(sampling, "BLOCK", 16 * max(1, latents(1).numel()))
        assert torch.equal(run.sample(37, seed=1), at_once)
        assert max(drawn) == 21, "two of 16, the last with the rest of 5"

    def test_conditions_are_read_with_their_latents(self, runs, monkeypatch):
        monkeypatch.setattr(sampling, "CHUNK", 2)
        run = gan_cli.load(runs("pairs"))
        sources, asked = run.conditions(9, 0), []

        def read(part):
            asked.append([*part])
            return sources[part.start : part.stop]

        assert torch.equal(run.sample(y=Readable(9, read)), run.sample(y=sources))
        assert asked == [[0, 1], [2, 3], [4, 5], [6, 7], [8]]


class TestPaths:
    def test_straight_spherical_and_pixels_share_their_ends(self, runs):
        run = gan_cli.load(runs("images"))
        found = {path: run.interpolate(1, 5, seed=2, path=path) for path in (None, "slerp", "lerp", "pixels")}
        assert torch.equal(found[None], found["slerp"])
        for x in found.values():
            torch.testing.assert_close(x[[0, -1]], found["slerp"][[0, -1]], atol=1e-5, rtol=0)
        torch.testing.assert_close(found["pixels"][2], (found["pixels"][0] + found["pixels"][-1]) / 2)
        assert not torch.equal(found["lerp"], found["slerp"])
        z = run.latents(2, seeds=[1, 2])
        walk = run.interpolate(1, 3, path="lerp", seeds=[1, 2])
        torch.testing.assert_close(walk, decode(run.game, torch.stack([z[0], (z[0] + z[1]) / 2, z[1]])), atol=1e-5, rtol=0)

    @pytest.mark.parametrize("kind", ["labelled", pytest.param("biggan", marks=pytest.mark.long)])
    def test_between_classes_the_latent_stays(self, runs, kind):
        run = gan_cli.load(runs(kind))
        walk = run.interpolate_classes([3, 8, 1], rows=2, steps=5, seed=1).unflatten(0, (2, 5))
        for column, label in ((0, 3), (2, 8), (4, 1)):
            expected = decode(run.game, run.latents(2, 1), torch.tensor([label, label]))
            torch.testing.assert_close(walk[:, column], expected, atol=1e-5, rtol=0)
        assert not torch.equal(walk[0, 1], walk[0, 0])

    def test_mixtures_of_labels(self):
        weights = mixtures(torch.tensor([2, 0]), 3, 3)
        assert weights.tolist() == [[0, 0, 1], [0.5, 0, 0.5], [1, 0, 0]]

    def test_pictures(self, runs, tmp_path):
        folder = runs("labelled")
        out = sample(folder, mode="interpolation", path="[slerp,pixels]", seeds="[0-2]", columns=4)
        assert out.name == "interpolation_step_00000001_seeds_0-2_slerp_pixels_columns_4.png"
        with np.load(
            sample(folder, mode="interpolation", path="[classes]", classes="[1,2]", n=10, columns=5, out=tmp_path / "x.npz")
        ) as f:
            assert len(f["arr_0"]) == 10
        x = np.load(
            sample(folder, mode="interpolation", path="[lerp,pixels]", seeds="[0-2]", columns=4, out=tmp_path / "x.npy")
        )
        assert len(x) == 2 * 2 * 4
        assert np.array_equal(x[0], x[4]), "both paths of a walk begin with the same sample"

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({"path": "[straight]"}, "path=straight: it must be one or several of slerp, lerp, pixels, classes"),
            ({"path": "[classes]"}, r"name at least two in classes="),
            ({"path": "[classes]", "classes": "[1]"}, r"name at least two in classes="),
            ({"seeds": "[1]"}, "name at least two"),
            ({"mode": "grid", "path": "[lerp]"}, "path cannot be used with mode=grid: choose mode=interpolation"),
            ({"axes": "[1]"}, "axes cannot be used with mode=interpolation: choose mode=traverse"),
        ],
    )
    def test_what_cannot_be(self, runs, values, said):
        with pytest.raises(UserError, match=said):
            sample(runs("labelled"), **{"mode": "interpolation", **values})

    def test_the_number_of_columns(self, runs):
        for values, width in (
            ({"n": 6, "columns": 2}, 2),
            ({"n": 6, "columns": 6}, 6),
            ({"mode": "interpolation", "columns": 3}, 3),
        ):
            with Image.open(sample(runs("images"), **values)) as picture:
                assert picture.width == width * 80 + 16


class TestAxes:
    def test_one_coordinate_moves(self, runs):
        run = gan_cli.load(runs("images"))
        panels = run.traverse(12, seed=1, axes=[0, 5], columns=4)
        assert [(len(panel.images), len(panel.rows), len(panel.columns)) for panel in panels] == [(12, 3, 4)] * 2
        assert [panel.title for panel in panels] == ["latent 0", "latent 5"]
        assert (panels[0].columns[0], panels[0].columns[-1]) == ("-2.0", "2.0")
        assert not torch.equal(panels[1].images[0], panels[1].images[3])

    def test_rows_by_seed_and_class(self, runs):
        run = gan_cli.load(runs("labelled"))
        [panel] = run.traverse(1, axes=[1], columns=3, seeds=[7, 9])
        assert panel.rows == ["seed 7", "seed 9"]
        assert torch.equal(run.traverse(1, axes=[1], columns=3, seeds=[9])[0].images, panel.images[3:])
        assert sample(runs("labelled"), mode="traverse", axes="[0-1]", classes="[3,4]").name.endswith(
            "_Dress_Coat_axes_0-1.png"
        )

    def test_what_cannot_be(self, runs):
        with pytest.raises(UserError, match=r"axes=\[999\]: the coordinates of this run's latents are 0 to "):
            sample(runs("images"), mode="traverse", axes="[999]")
        with pytest.raises(UserError, match="depend on their sources only"):
            sample(runs("domains"), mode="traverse", axes="[0]")


class TestTranslations:
    @pytest.fixture
    def photographs(self, tmp_path):
        folder = tmp_path / "photographs"
        (folder / "inner").mkdir(parents=True)
        for name, size in {"a.png": (21, 14), "a.jpg": (9, 30), "inner/b c.png": (8, 8)}.items():
            pixels = np.random.default_rng(size[0]).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name)
        return folder

    def test_names_are_kept(self, runs, photographs, tmp_path):
        out = sample(runs("domains"), source=photographs, mode="single", out=tmp_path / "x")
        assert written(out) == {"a.jpg.png": (8, 8), "a.png.png": (8, 8), "inner/b c.png": (8, 8)}
        assert written(sample(runs("domains"), source=photographs, mode="single", out=tmp_path / "x")) == written(out)
        with np.load(sample(runs("domains"), source=photographs, out=tmp_path / "x.npz")) as file:
            assert file["names"].tolist() == ["a.jpg", "a.png", "inner/b c"]

    @pytest.mark.parametrize("kind", ["domains", pytest.param("unet", marks=pytest.mark.long)])
    def test_sizes_are_kept(self, runs, photographs, tmp_path, kind):
        out = sample(runs(kind), source=photographs, mode="single", fit="whole", out=tmp_path / "x")
        assert written(out) == {"a.jpg.png": (9, 30), "a.png.png": (21, 14), "inner/b c.png": (8, 8)}

    def test_the_size_of_training_is_translated_as_ever(self, runs, photographs):
        run = gan_cli.load(runs("domains"))
        sources = run.sources(photographs / "inner", None)
        assert torch.equal(next(translate_whole(run.game, sources, 0)), run.sample(y=sources))

    def test_what_cannot_be(self, runs, photographs, tmp_path):
        folder = runs("domains")
        with pytest.raises(UserError, match="the translations would replace their sources"):
            sample(folder, source=photographs / "inner", mode="single", out=photographs / "inner")
        with pytest.raises(UserError, match="fit cannot be used with mode=grid: choose mode=single"):
            sample(folder, source=photographs, fit="whole")
        with pytest.raises(UserError, match="name their folder in source="):
            sample(folder, mode="single", fit="whole")
        with pytest.raises(UserError, match="written to a folder"):
            sample(folder, mode="single", source=photographs, fit="whole", out=tmp_path / "x.npy")
        with pytest.raises(UserError, match="source and seeds"):
            sample(folder, source=photographs, seeds="[1]")


def written(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the size of every image below ``folder`` by its name."""
    sizes = {}
    for path in folder.rglob("*.png"):
        with Image.open(path) as picture:
            sizes[path.relative_to(folder).as_posix()] = picture.size
    return sizes
