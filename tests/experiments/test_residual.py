"""Small residual networks from the command's side: they train, go on where they stopped, and their average is a whole one."""

import pytest
import torch
from support import configs
from support.runs import differences, outcome, train
from torch import nn

import gan_cli
from gan_cli.games import sampling
from gan_cli.runs import checkpoint
from gan_cli.schedules.averages import Decay
from gan_cli.training.ema import EMA

pytestmark = pytest.mark.slow

STEPS = "train.steps=4 eval_every=0 sample_every=0 checkpoint_every=2 ema=0.9 metric.n_samples=8"


@pytest.fixture(scope="module")
def biggan(tmp_path_factory):
    """The folder of four rounds of the small BigGAN."""
    folder = tmp_path_factory.mktemp("runs") / "biggan"
    train(configs.config("experiment=biggan_small features=identity", STEPS), folder)
    return folder


@pytest.mark.long
def test_a_resumed_biggan_is_the_whole_one(biggan):
    whole = outcome(biggan)
    checkpoint.path_of(biggan, 4).unlink()
    (biggan / "result.json").unlink()
    train(configs.config("experiment=biggan_small features=identity", STEPS), biggan, resume=True)
    assert differences(outcome(biggan), whole) == []


def test_the_class_and_the_truncation_decide_the_sample(biggan, monkeypatch):
    monkeypatch.setattr(sampling, "CHUNK", 20)
    run = gan_cli.load(biggan, truncation=0.5, standing_statistics=2)
    y = torch.zeros(6, dtype=torch.int64)
    assert run.sample(6, y=y).shape == (6, 1, 8, 8)
    assert not torch.equal(run.sample(6, y=y), run.sample(6, y=y + 1))
    assert not torch.equal(run.sample(6), gan_cli.load(biggan).sample(6))


def test_statistics_of_conditional_batch_norm_are_averaged():
    """The statistics belong to the weights, so they are averaged as these are; spectral norm's vectors are copied."""
    parts, _ = configs.play(configs.config("experiment=biggan_small"))
    game, average = parts.game, EMA(parts.game, Decay(0.5))
    conditional = game.generator.blocks[0].norm1.norm
    assert isinstance(conditional, nn.BatchNorm2d)
    before = conditional.running_mean.clone()
    with torch.no_grad():
        for buffer in game.buffers():
            buffer += 1
    average(1000, {})
    torch.testing.assert_close(average.game.generator.blocks[0].norm1.norm.running_mean, before + 0.5)
    vectors = [(name, buffer) for name, buffer in game.named_buffers() if name.endswith("_u")]
    copies = dict(average.game.named_buffers())
    assert vectors
    assert all(torch.equal(copies[name], buffer) for name, buffer in vectors)
