"""Runs of games with labels and of games with codes: trained, resumed, sampled by class, evaluated."""

import shutil

import numpy as np
import pytest
import torch
from hydra.types import RunMode
from PIL import Image
from support import configs
from support.runs import differences, outcome, result, train

import gan_cli
from gan_cli import drawing
from gan_cli.build import build_data
from gan_cli.cli import main
from gan_cli.cli.quoting import quote
from gan_cli.config import compose
from gan_cli.data.stream import Stream
from gan_cli.errors import UserError
from gan_cli.evaluation import results
from gan_cli.inference.command import sample_command
from gan_cli.runs import checkpoint, logger

pytestmark = pytest.mark.slow

STEPS = "train.steps=4 checkpoint_every=2 sample_every=0 log_every=1 ema=0.9 seed=5"
KINDS = ["cgan", "cgan_embedding", "cgan_projection", "acgan", "infogan"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """``runs(game)``: the folder of a short run on small images."""
    root, done = tmp_path_factory.mktemp("runs"), {}

    def run(game: str):
        if game not in done:
            done[game] = root / game
            train(configs.config(f"game={game} features=identity metric=none"), done[game], f"{STEPS} dataset.max_samples=64")
        return done[game]

    return run


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "points"
    train(configs.config("dataset=ring model=cgan_mlp"), folder, f"{STEPS} metric.n_samples=20")
    return folder


def command(folder, **values):
    """The config of gan-sample."""
    overrides = [f"run={quote(str(folder))}", "device=cpu", *(f"{key}={value}" for key, value in values.items())]
    return compose.loader().load_configuration("sample", overrides, RunMode.RUN, from_shell=False)


@pytest.mark.parametrize("game", ["cgan_embedding", "acgan", "infogan"])
def test_a_resumed_run_is_the_whole_one(runs, game, tmp_path):
    whole, folder = runs(game), shutil.copytree(runs(game), tmp_path / "run")
    cfg = configs.config(f"game={game} features=identity metric=none")
    checkpoint.path_of(folder, 4).unlink()
    (folder / "result.json").unlink()
    train(cfg, folder, f"{STEPS} dataset.max_samples=64", resume=True)
    assert differences(outcome(folder), outcome(whole)) == []


def test_labels_of_fakes_follow_the_law_of_the_data(monkeypatch):
    """Over one epoch the labels that the generator is asked for are those of the data, to the last one, in either turn."""
    cfg = configs.config("game=cgan", "dataset.max_samples=60 train.batch_size=6")
    data = build_data(cfg)
    data.train.labels[:] = np.minimum(data.train.labels, 3)  # of 60: 6 of 0, 1, 2 each and 42 of 3
    parts, _ = configs.play(cfg, 0)
    seen = []
    inner = type(parts.game.generator).forward
    monkeypatch.setattr(type(parts.game.generator), "forward", lambda self, z, y: (seen.append(y), inner(self, z, y))[1])
    batches = Stream(data.train, 6, 0)
    for player in ["discriminator"] * 5 + ["generator"] * 5:
        parts.solver.round([player], batches)
    batches.close()
    assert torch.equal(torch.cat(seen).bincount(), torch.as_tensor(data.train.labels).bincount())


@pytest.mark.parametrize("game", KINDS[:4])
def test_rows_of_the_classes_asked_for(runs, game):
    folder = runs(game)
    run = gan_cli.load(folder)
    assert run.game.conditional
    y = run.labels_of([7, 0, 7], 11)
    assert y.tolist() == [7] * 4 + [0] * 4 + [7] * 4
    path = sample_command(command(folder, classes="[7,0,7]", n=11, seed=1))
    with Image.open(path) as picture:
        expected = drawing.grid(run.sample(12, 1, y), 4)
        assert np.array_equal(np.asarray(picture), expected[..., 0])
    assert not torch.equal(run.sample(12, 1, y), run.sample(12, 1, torch.zeros_like(y))), "the label matters"


def test_a_folder_for_each_class_is_a_data_set_with_labels(runs):
    out = sample_command(command(runs("cgan"), classes="[2,5]", mode="single", n=6))
    assert out.name.endswith("_classes_2_5")
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png")) == [
        f"{c}/0000{i}.png" for c in (2, 5) for i in range(3)
    ]
    with pytest.raises(UserError, match=r"holds 3 images that this command does not replace, as 2/00000\.png"):
        sample_command(command(runs("cgan"), classes="[5]", mode="single", n=3, out=str(out)))


def test_points_of_a_class(points):
    out = sample_command(command(points, classes="[3,1]", mode="single", n=8, seed=1))
    run = gan_cli.load(points)
    asked = run.sample(8, 1, torch.tensor([3] * 4 + [1] * 4))
    for c, expected in ((3, asked[:4]), (1, asked[4:])):
        written = np.loadtxt(out / str(c) / "points.csv", delimiter=",", dtype=np.float32)
        assert np.array_equal(written, expected.numpy())


def test_walks_keep_their_class(runs):
    run = gan_cli.load(runs("cgan"))
    y = torch.tensor([4, 9])
    walk = run.interpolate(2, 5, seed=2, y=y).unflatten(0, (2, 5))
    torch.testing.assert_close(walk[:, 0], run.sample(2, 2, y), atol=1e-5, rtol=0)
    path = sample_command(command(runs("cgan"), classes="[4,9]", mode="interpolation", n=10))
    with Image.open(path) as picture:
        assert picture.size == (8 * 80 + 16, 2 * 80 + 16)


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ("[0,10]", r"classes=\[0, 10\]: this run's data set has the classes 0 to 9\."),
        ("[-1]", "the classes 0 to 9"),
        ("[]", "the classes 0 to 9"),
    ],
)
@pytest.mark.parametrize("mode", ["grid", "single", "interpolation"])
def test_classes_that_the_data_lacks(runs, classes, said, mode):
    with pytest.raises(UserError, match=said) as caught:
        sample_command(command(runs("cgan"), classes=classes, mode=mode))
    assert "\n" not in str(caught.value)


def test_classes_of_a_game_that_takes_no_labels(runs):
    with pytest.raises(UserError, match=r"classes=\[0\]: the game of this run takes no labels\.$"):
        sample_command(command(runs("infogan"), classes="[0]"))


def test_the_command_says_what_classes_are():
    for wrong in ("classes=3", "classes=[a]"):
        with pytest.raises(UserError, match="classes"):
            compose.compose(compose.loader(), "sample", ["run=x", wrong])


def test_a_traversal(runs):
    folder = runs("infogan")
    path = sample_command(command(folder, mode="traversal", n=20, seed=3))
    assert path.name == "traversal_step_00000004_seed_3.png"
    found = gan_cli.load(folder).traverse(20, 3)
    assert [len(panel.images) for panel in found] == [20, 20, 20]
    with Image.open(path) as picture:
        assert np.array_equal(np.asarray(picture), drawing.panels(found))
    assert sample_command(command(folder, mode="traversal", n=20, seed=3)).read_bytes() == path.read_bytes()


def test_traversals_that_cannot_be(runs, tmp_path):
    with pytest.raises(UserError, match="this run's latents have none"):
        sample_command(command(runs("cgan"), mode="traversal"))
    with pytest.raises(UserError, match="cannot be used with"):
        sample_command(command(runs("infogan"), mode="traversal", classes="[1]"))
    train(configs.config("dataset=ring game=infogan metric=none"), tmp_path / "ring", "train.steps=0")
    with pytest.raises(UserError, match="needs images"):
        sample_command(command(tmp_path / "ring", mode="traversal"))


def test_codes_watched_in_training_and_evaluated(runs, tmp_path, monkeypatch, capsys):
    cfg = configs.config("game=infogan features=identity metric=none diagnostics=codes")
    folder = tmp_path / "run"
    train(cfg, folder, f"{STEPS} dataset.max_samples=64 eval_every=2")
    assert result(folder)["players"] == result(runs("infogan"))["players"], "watching changes nothing"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["gan-eval", "run", "diagnostics=codes", "device=cpu"])
    assert main.gan_eval() == 0
    [found] = results.read(folder)
    assert (found.provenance.metric, found.provenance.n_real, found.provenance.n_fake) == ("codes", 64, 0)
    logged = [row for row in logger.read(folder) if "codes/accuracy" in row]
    assert [row["step"] for row in logged] == [0, 2, 4]
    assert found.numbers["codes/accuracy"].value == pytest.approx(logged[-1]["codes/accuracy"])
    assert 0.1 <= logged[-1]["codes/accuracy"] <= 1
    monkeypatch.setattr("sys.argv", ["gan-eval", "run", "diagnostics=codes", "device=cpu", "standing_statistics=1"])
    assert main.gan_eval() == 2
    assert "diagnostics=codes measures players, not samples: leave standing_statistics out" in capsys.readouterr().err
