"""Games of sequences from end to end: trained, evaluated and sampled as the others are."""

import csv

import pytest
from PIL import Image
from support import configs
from support.runs import train

from gan_cli.config.compose import compose, loader
from gan_cli.config.grammar import quote
from gan_cli.errors import UserError
from gan_cli.evaluation.command import evaluate_command
from gan_cli.inference.command import sample_command

pytestmark = pytest.mark.slow

BRIEF = "train.steps=4 eval_every=0 sample_every=0 checkpoint_every=0 metric.n_samples=20"
RUNS = {"timegan": "game=timegan", "rcgan": "dataset=waves game=rcgan model=rcgan_labels"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name, overrides in RUNS.items():
        train(configs.config(overrides, BRIEF), folder / name)
    return folder


def command(name, folder, *words):
    return compose(loader(), name, [f"run={quote(str(folder))}", "device=cpu", *words])


@pytest.mark.long
def test_they_are_evaluated(runs):
    found = evaluate_command(command("eval", runs))
    assert len(found) == len(RUNS)


@pytest.mark.parametrize(("mode", "name"), [("grid", "rcgan"), ("interpolation", "timegan"), ("single", "timegan")])
def test_they_are_sampled(runs, mode, name):
    found = sample_command(command("sample", runs / name, f"mode={mode}", "n=6", *(["classes=[2]"] if name == "rcgan" else [])))
    if mode != "single":
        with Image.open(found) as picture:
            assert picture.size > (100, 100)
        return
    (table,) = found.glob("*.csv")
    with open(table, newline="") as file:
        assert len(list(csv.reader(file))) == 1 + 6 * configs.SMALL["dataset.window"]


def test_no_labels_without_a_game_that_takes_some(runs):
    with pytest.raises(UserError, match="takes no labels"):
        sample_command(command("sample", runs / "timegan", "n=6", "classes=[1]"))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ("dataset=fashion_mnist_mini game=timegan", "game=timegan is played on sequences"),
        ("dataset=ring game=rcgan", "game=rcgan is played on sequences"),
        ("dataset=ring game=c_rnn_gan", "game=c_rnn_gan is played on sequences"),
        ("dataset=sines model=dcgan", "needs images, but this data set's samples have shape"),
        ("dataset=sines model=timegan", "no networks for: generator, discriminator"),
        ("game=timegan model=recurrent", "no networks for: embedder, recovery, supervisor"),
        ("dataset=sines model=rcgan_labels", "this data set has no classes"),
        ("dataset=sines regularizer=spectral_norm", "this network is recurrent"),
        ("dataset=sines game=pix2pix", "learns from pairs"),
    ],
)
def test_what_does_not_fit_is_refused(overrides, said, tmp_path):
    with pytest.raises(UserError, match=said):
        train(configs.config(overrides), tmp_path / "run")
