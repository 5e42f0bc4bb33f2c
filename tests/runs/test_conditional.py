"""Runs of games with labels and of games with codes: trained, resumed, sampled by class, evaluated."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from support import configs
from support.evaluation import measure
from support.runs import differences, outcome, result, train

import gan_cli
from gan_cli import drawing
from gan_cli.build import build_data
from gan_cli.cli import main
from gan_cli.config import compose
from gan_cli.config.grammar import quote
from gan_cli.data.stream import Stream
from gan_cli.errors import UserError
from gan_cli.evaluation import results
from gan_cli.evaluation.results import differences as differing
from gan_cli.evaluation.tables import caption
from gan_cli.inference.command import sample_command
from gan_cli.inference.labels import drawn_labels
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
    return configs.compose_command("sample", overrides)


@pytest.mark.parametrize(
    "game", ["infogan", *(pytest.param(game, marks=pytest.mark.long) for game in ("cgan_embedding", "acgan"))]
)
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


@pytest.mark.parametrize(
    "game", [game if game in ("cgan", "acgan") else pytest.param(game, marks=pytest.mark.long) for game in KINDS[:4]]
)
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
    assert out.name.endswith("_classes_Pullover_Sandal")
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png")) == [
        f"{name}/0000{i}.png" for name in ("Pullover", "Sandal") for i in range(3)
    ]
    with pytest.raises(UserError, match=r"holds 3 images that this command does not replace, as Pullover/00000\.png"):
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


def test_classes_are_typed_by_name_and_the_rows_are_named(runs, capsys):
    folder = runs("cgan")
    out = sample_command(command(folder, classes="[Bag,T-shirt/top,5]", n=6))
    said = " ".join(capsys.readouterr().out.split())
    assert "6 samples of step 4, rows Bag (label 8), T-shirt/top (label 0), Sandal (label 5): " in said
    assert out.name == "grid_step_00000004_seed_0_classes_Bag_T-shirt-top_Sandal.png"
    picture = out.read_bytes()
    assert sample_command(command(folder, classes="[8,0,5]", n=6)).read_bytes() == picture
    many = sample_command(command(folder, classes="[0,1,2,3,4,5,6,7,8,9,0]", n=11)).name
    assert sample_command(command(folder, classes="[1,0,2,3,4,5,6,7,8,9,0]", n=11)).name != many


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ("[0,10]", r"classes=\['0', '10'\]: there is no class 10\.\nThe classes are: T-shirt/top, Trouser, .*Ankle boot\.$"),
        ("[-1]", r"there is no class -1\.\nThe classes are: "),
        ("[bags]", r"there is no class bags\. Did you mean Bag\?\n"),
        ("[]", r"classes=\[\]: it must be a list of classes, for instance \[T-shirt/top\]\.$"),
    ],
)
@pytest.mark.parametrize("mode", ["grid", "single", "interpolation"])
def test_classes_that_the_data_lacks(runs, classes, said, mode):
    with pytest.raises(UserError, match=said):
        sample_command(command(runs("cgan"), classes=classes, mode=mode))


def test_classes_of_a_game_that_takes_no_labels(runs):
    with pytest.raises(UserError, match=r"classes=\['0'\]: the game of this run takes no labels\.$"):
        sample_command(command(runs("infogan"), classes="[0]"))


def test_the_command_says_what_classes_are():
    with pytest.raises(UserError, match="classes"):
        compose.compose(compose.loader(), "sample", ["run=x", "classes=3"])


def test_a_traversal(runs):
    folder = runs("infogan")
    path = sample_command(command(folder, mode="traverse", n=20, seed=3))
    assert path.name == "traverse_step_00000004_seed_3.png"
    found = gan_cli.load(folder).traverse(20, 3)
    assert [len(panel.images) for panel in found] == [20, 20, 20]
    with Image.open(path) as picture:
        assert np.array_equal(np.asarray(picture), drawing.panels(found))
    assert sample_command(command(folder, mode="traverse", n=20, seed=3)).read_bytes() == path.read_bytes()


def test_traversals_that_cannot_be(runs, tmp_path):
    with pytest.raises(UserError, match="this run's latents have none"):
        sample_command(command(runs("cgan"), mode="traverse"))
    with pytest.raises(UserError, match="cannot be used with"):
        sample_command(command(runs("infogan"), mode="traverse", classes="[1]"))
    train(configs.config("dataset=ring game=infogan metric=none"), tmp_path / "ring", "train.steps=0")
    with pytest.raises(UserError, match="needs images"):
        sample_command(command(tmp_path / "ring", mode="traverse"))


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


@pytest.fixture(scope="module")
def unbalanced(tmp_path_factory):
    """Points of three classes, 30, 8 and 2 of them, and a run of two steps on them."""
    folder = tmp_path_factory.mktemp("runs") / "unbalanced"
    root = folder.parent / "photographs"
    for name, n in {"a": 31, "b": 9, "c": 3}.items():
        (root / name).mkdir(parents=True)
        for index in range(n):
            pixels = np.random.default_rng(index).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{index}.png")
    cfg = configs.config("game=cgan dataset=image_folder features=pixels metric=frechet")
    train(cfg, folder, f"{STEPS} train.steps=2 dataset.root={root} dataset.max_samples=null dataset.heldout=3")
    return folder


class TestShares:
    def test_labels_are_drawn_in_the_shares_of_the_data(self, unbalanced):
        run = gan_cli.load(unbalanced)
        assert run.trained_on["class_counts"] == [30, 8, 2]
        y = run.conditions(400, seed=0)
        assert y.bincount().tolist() == [300, 80, 20]
        assert torch.equal(y, run.conditions(400, seed=0))
        assert not torch.equal(y, run.conditions(400, seed=1))
        assert torch.equal(run.sample(40, seed=3), run.sample(40, 3, run.conditions(40, 3)))
        assert gan_cli.load(unbalanced, labels="uniform").conditions(7, 0).tolist() == [0, 1, 2, 0, 1, 2, 0]

    def test_gan_sample_says_which(self, unbalanced, capsys):
        said = {"data": "labels in the shares of the data", "uniform": "labels in equal shares"}
        for labels, words in said.items():
            out = sample_command(command(unbalanced, n=4, labels=labels))
            assert f"4 samples of step 2, {words}: " in " ".join(capsys.readouterr().out.split())
            assert out.stem.endswith("_uniform_labels") == (labels == "uniform")
        sample_command(command(unbalanced, n=3, classes="[2]"))
        assert "labels" not in capsys.readouterr().out

    def test_gan_eval_draws_the_same_shares_and_says_so(self, unbalanced):
        [data], [uniform] = (measure(unbalanced, "checkpoint=last", f"labels={labels}") for labels in ("data", "uniform"))
        assert (data.provenance.labels, uniform.provenance.labels) == ("data", "uniform")
        assert differing(data.provenance, uniform.provenance) == ["labels data against uniform"]
        assert data.numbers["fd_pixels"].value != uniform.numbers["fd_pixels"].value
        assert ", labels in equal shares, seed 5" in caption(uniform.provenance)

    def test_labels_of_a_game_that_takes_none_are_refused(self, runs):
        with pytest.raises(UserError, match="labels=uniform: the game of this run takes no labels"):
            gan_cli.load(runs("infogan"), labels="uniform")
        with pytest.raises(UserError, match="labels=some: it must be data or uniform"):
            gan_cli.load(runs("cgan"), labels="some")


@pytest.mark.parametrize("n", [0, 1, 7, 100])
def test_every_class_is_drawn_its_share_of_times_rounded(n):
    counts = [30, 8, 0, 2]
    for seed in range(20):
        drawn = drawn_labels(n, counts, seed).bincount(minlength=4).tolist()
        assert sum(drawn) == n
        assert all(abs(found - n * count / 40) < 1 for found, count in zip(drawn, counts, strict=True))
