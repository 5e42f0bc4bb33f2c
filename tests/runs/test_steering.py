"""Latents that climb a classifier's logit."""

import pytest
import torch
from support import configs
from support.runs import train

import gan_cli
from gan_cli.cli.quoting import quote
from gan_cli.errors import UserError
from gan_cli.inference import steering
from gan_cli.inference.command import sample_command
from gan_cli.inference.steering import steer

pytestmark = pytest.mark.slow

STEPS = "train.steps=1 eval_every=0 checkpoint_every=0 sample_every=0"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    made = {}

    def run(overrides):
        if overrides not in made:
            made[overrides] = tmp_path_factory.mktemp("runs") / "run"
            train(configs.config(f"{overrides} metric=none"), made[overrides], STEPS)
        return made[overrides]

    return run


def test_the_probability_rises_and_normal_latents_keep_their_norm(runs, monkeypatch):
    run = gan_cli.load(runs("features=identity"))
    torch.manual_seed(0)
    weights = torch.randn(64, 10)
    monkeypatch.setattr(steering, "classifier", lambda run: (lambda x: x.flatten(1) @ weights, "a linear one"))
    seen, sample = [], run.game.sample
    monkeypatch.setattr(run.game, "sample", lambda z, y=None: seen.append(z.detach().norm(dim=1)) or sample(z, y))
    found = steer(run, "Bag", n=3, stages=4, seed=2)
    assert found.probabilities.shape == (3, 4)
    assert (found.probabilities[:, -1] > found.probabilities[:, 0]).all()
    assert (found.label, found.steps, len(found.images)) == (8, [0, 5, 10, 15], 12)
    torch.testing.assert_close(seen[0], seen[-1])
    assert torch.equal(found.images[::4], gan_cli.load(run.folder).sample(3, seed=2)), (
        "the way begins at the samples of the seed"
    )
    again = steer(run, 8, stages=2, seeds=[5])
    assert torch.equal(again.images[:1], gan_cli.load(run.folder).sample(seeds=[5]))


def test_the_classifier_of_the_game_itself(runs):
    run = gan_cli.load(runs("game=acgan"))
    logits, judge = steering.classifier(run)
    assert judge == "the game's own classifier"
    assert logits(run.sample(2)).shape == (2, 10)


def test_the_classifier_that_metrics_train(runs):
    run = gan_cli.load(runs("features=identity"))
    x = run.sample(2).requires_grad_()
    logits, judge = steering.classifier(run)
    [gradient] = torch.autograd.grad(logits(x).sum(), x)
    assert gradient.abs().sum() > 0
    assert "% on held-out images" in judge


def sample(folder, **values):
    overrides = [f"run={quote(str(folder))}", "device=cpu", "mode=steer", *(f"{key}={value}" for key, value in values.items())]
    return sample_command(configs.compose_command("sample", overrides))


def test_a_picture(runs):
    out = sample(runs("game=acgan"), target="Bag", n=2, columns=3)
    assert out.name == "steer_step_00000001_seed_0_Bag_columns_3.png"
    assert out.is_file()


def test_what_cannot_be(runs):
    for overrides, values, said in (
        ("features=identity", {}, "mode=steer leads to a class: name it in target="),
        ("features=identity", {"target": "bags"}, "there is no class bags"),
        ("features=identity", {"target": "Bag", "classes": "[1]"}, "classes cannot be used with mode=steer"),
        ("game=pix2pix", {"target": 1}, "depend on their sources only"),
        ("dataset=ring", {"target": 1}, "needs images"),
    ):
        with pytest.raises(UserError, match=said):
            sample(runs(overrides), **values)
