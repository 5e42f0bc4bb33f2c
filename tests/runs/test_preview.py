"""The preview of a run: bytes that backward passes keep, and lines for games of every kind."""

import pytest
import torch
from support import configs

from gan_cli.randomness import seed_all
from gan_cli.training.preview import Saving, preview
from gan_cli.training.run import Run


def test_what_a_backward_pass_needs_is_counted_once_for_as_long_as_it_is_kept():
    weight = torch.ones(100, 100, requires_grad=True)
    saving = Saving([weight])
    with torch.autograd.graph.saved_tensors_hooks(saving.pack, lambda saved: saved.tensor):
        x = torch.ones(10, 100)
        y = x @ weight  # keeps x
        loss = (y * y).sum()  # keeps y, twice
    assert saving.now == saving.peak == 2 * 10 * 100 * 4
    loss.backward()
    del loss, y
    assert (saving.now, saving.peak) == (0, 8000)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "loss=wgan_gp solver=lookahead",
        "game=timegan",
        "game=saddle",
        *(pytest.param(words, marks=pytest.mark.long) for words in ("", "game=cyclegan", "game=ddpm")),
    ],
)
def test_a_run_is_described(words, tmp_path):
    seed_all(0)
    run = Run(configs.config(words), tmp_path)
    lines = preview(run)
    run.batches.close()
    assert [line.partition(":")[0] for line in lines[: len(run.game.players())]] == list(run.game.players())
    assert lines[-2].startswith("memory: ")
    assert "could not be counted" not in lines[-2]
    assert " each, " in lines[-1]
    if "wgan_gp" in words:
        assert lines[-1].startswith("round: discriminator 5 times, generator; ")


@pytest.mark.slow
def test_without_rounds_the_players_alone_are_described(tmp_path):
    run = Run(configs.config("", "train.steps=0"), tmp_path)
    assert [line.partition(":")[0] for line in preview(run)] == ["generator", "discriminator"]
