"""The files that gan-sample writes: their formats, and samples that are written as they are made."""

import os

import numpy as np
import pandas
import pytest
import torch
from PIL import Image
from support import configs
from support.runs import state, train

import gan_cli
from gan_cli import drawing
from gan_cli.config.grammar import quote
from gan_cli.errors import UserError
from gan_cli.games import sampling
from gan_cli.inference import command as gan_sample
from gan_cli.runs import checkpoint

pytestmark = pytest.mark.slow

STEPS = "train.steps=1 eval_every=0 checkpoint_every=0 sample_every=0 metric.n_samples=0"
KINDS = {
    "images": ["features=identity"],
    "points": ["dataset=ring"],
    "labelled": ["game=cgan features=identity"],
    "sequences": ["game=rcgan"],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    made = {}

    def run(kind):
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp("runs") / kind
            train(configs.config(*KINDS[kind]), made[kind], STEPS)
        return made[kind]

    return run


def sample(folder, out, **values):
    """Run gan-sample and return what it has written."""
    overrides = [f"run={quote(str(folder))}", "device=cpu", *(f"{key}={value}" for key, value in values.items())]
    return gan_sample.sample_command(configs.compose_command("sample", [*overrides, f"out={quote(str(out))}"]))


@pytest.mark.parametrize("suffix", ["png", "jpg", "JPEG", "webp"])
def test_the_suffix_decides_the_format_of_a_picture(runs, tmp_path, suffix):
    out = sample(runs("images"), tmp_path / f"x.{suffix}", n=4)
    with Image.open(out) as picture:
        assert picture.format == {"png": "PNG", "webp": "WEBP"}.get(suffix, "JPEG")
        expected = drawing.grid(gan_cli.load(runs("images")).sample(4)).astype(int)
        assert np.abs(np.asarray(picture.convert("RGB")).astype(int) - expected).max() <= (
            0 if suffix in ("png", "webp") else 40
        )


@pytest.mark.parametrize(
    ("suffix", "head", "kind"),
    [
        ("pdf", b"%PDF", "points"),
        ("svg", b"<?xml", "sequences"),
        pytest.param("pdf", b"%PDF", "sequences", marks=pytest.mark.long),
        pytest.param("svg", b"<?xml", "points", marks=pytest.mark.long),
    ],
)
def test_figures_are_written_as_lines_and_are_equal_for_equal_seeds(runs, tmp_path, kind, suffix, head):
    contents = [sample(runs(kind), tmp_path / f"{name}.{suffix}", n=4).read_bytes() for name in "ab"]
    assert contents[0].startswith(head)
    assert contents[0] == contents[1]


@pytest.mark.parametrize("mode", ["grid", "single", "interpolation"])
def test_an_array_of_images_is_what_fid_tools_read(runs, tmp_path, mode):
    run = gan_cli.load(runs("images"))
    samples = run.sample(5, seed=1) if mode != "interpolation" else run.interpolate(1, 5, seed=1)
    expected = drawing.to_uint8(samples).permute(0, 2, 3, 1).numpy()
    with np.load(sample(runs("images"), tmp_path / "x.npz", n=5, seed=1, mode=mode)) as file:
        assert file.files == ["arr_0"]
        assert (file["arr_0"].dtype, file["arr_0"].shape) == (np.uint8, (5, 8, 8, 1))
        assert np.array_equal(file["arr_0"], expected)
    assert np.array_equal(np.load(sample(runs("images"), tmp_path / "x.npy", n=5, seed=1, mode=mode)), expected)


def test_arrays_of_labelled_images_points_and_sequences(runs, tmp_path):
    with np.load(sample(runs("labelled"), tmp_path / "x.npz", n=6, classes="[7,2]")) as file:
        assert file["arr_1"].tolist() == [7, 7, 7, 2, 2, 2]
    with np.load(sample(runs("points"), tmp_path / "p.npz", n=5)) as file:
        assert np.array_equal(file["arr_0"], gan_cli.load(runs("points")).sample(5).numpy())
    run = gan_cli.load(runs("sequences"))
    written = np.load(sample(runs("sequences"), tmp_path / "s.npy", n=5))
    assert np.array_equal(written, run.series.scaling.to_units(run.sample(5)).numpy())
    table = pandas.read_csv(sample(runs("sequences"), tmp_path / "s.csv", n=5))
    assert np.allclose(table.iloc[:, 2:].to_numpy().reshape(written.shape), written)
    points = np.loadtxt(sample(runs("points"), tmp_path / "p.csv", n=5), delimiter=",", dtype=np.float32)
    assert np.array_equal(points, gan_cli.load(runs("points")).sample(5).numpy())


@pytest.mark.parametrize(
    ("kind", "mode", "name", "said"),
    [
        ("images", "grid", "x.gif", r"x\.gif: with mode=grid .* written as \.png, \.jpg, \.jpeg, \.webp, \.npz, \.npy\.$"),
        ("images", "grid", "x", r"out=.*x: with mode=grid"),
        ("images", "grid", "x.pdf", "with mode=grid"),
        ("images", "grid", "x.csv", "with mode=grid"),
        ("images", "single", "x.png", r"written as \.npz, \.npy, or a folder\.$"),
        ("points", "single", "x.svg", r"written as \.npz, \.npy, \.csv, or a folder\.$"),
        ("images", "single", "file", "is a file, and mode=single writes a folder"),
        ("images", "grid", "folder.png", "is a folder, and mode=grid writes a file"),
        ("images", "grid", "file/x.png", "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_generated(runs, tmp_path, monkeypatch, kind, mode, name, said):
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    folder = runs(kind)
    monkeypatch.setattr(sampling, "decode", None)
    monkeypatch.setattr("gan_cli.inference.sampler.picture_strips", None)
    with pytest.raises(UserError, match=said) as caught:
        sample(folder, tmp_path / name, mode=mode, n=4)
    assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.png"]


@pytest.mark.parametrize(
    ("kind", "out", "values"),
    [
        ("images", "fakes", {"mode": "single"}),
        ("labelled", "fakes", {"mode": "single", "classes": "[2,5]"}),
        ("points", "fakes", {"mode": "single"}),
        ("sequences", "fakes", {"mode": "single"}),
        ("images", "x.npz", {}),
        ("points", "x.csv", {}),
    ],
)
def test_samples_are_written_as_they_are_made(runs, tmp_path, monkeypatch, kind, out, values):
    """No more than one chunk is in memory, and the files are those of samples that are generated at once."""
    folder = runs(kind)
    monkeypatch.setattr(sampling, "CHUNK", 4)
    alive, decode = [], sampling.decode

    def counted(*arguments):
        made = decode(*arguments)
        alive.append(
            (len(made), sum(1 for path in (tmp_path / out).rglob("*.png")) if kind in ("images", "labelled") else None)
        )
        return made

    monkeypatch.setattr(sampling, "decode", counted)
    written = sample(folder, tmp_path / out, n=10, seed=1, **values)
    assert [size for size, _ in alive] == [4, 4, 2]
    if written.is_dir() and kind in ("images", "labelled"):
        assert [before for _, before in alive] == [0, 4, 8]
        y = torch.tensor([2] * 5 + [5] * 5) if kind == "labelled" else None
        for path, expected in zip(sorted(written.rglob("*.png")), gan_cli.load(folder).sample(10, 1, y), strict=True):
            with Image.open(path) as picture:
                assert np.array_equal(np.asarray(picture), drawing.pixels(expected))


def test_an_interruption_leaves_no_mixture_of_earlier_and_new_images(runs, tmp_path, monkeypatch):
    sample(runs("images"), tmp_path / "fakes", mode="single", n=10)
    monkeypatch.setattr(sampling, "CHUNK", 4)
    save, saved = drawing.save_picture, []

    def interrupted(picture, path):
        if len(saved) == 5:
            raise KeyboardInterrupt
        saved.append(path.name)
        save(picture, path)

    monkeypatch.setattr(drawing, "save_picture", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sample(runs("images"), tmp_path / "fakes", mode="single", n=10, seed=2)
    assert sorted(os.listdir(tmp_path / "fakes")) == saved


def test_a_checkpoint_without_counts_of_classes_is_sampled(runs, tmp_path):
    saved = state(runs("points"))
    del saved["data"]["class_counts"]
    path = checkpoint.save(tmp_path, 1, saved)
    assert len(np.load(sample(runs("points"), tmp_path / "x.npy", n=3, checkpoint=quote(str(path))))) == 3
