"""Rounds beside the loops written by hand that `make bench` times them against."""

import pytest
import torch
from benchmarks.bare_loops import bare_round
from support import configs
from torch.utils._python_dispatch import TorchDispatchMode

from gan_cli.games.reporting import reporting
from gan_cli.training.run import Run

NO_RUN = "metric=none logger=none"


class Operations(TorchDispatchMode):
    """Counts the operations of torch."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func.namespace != "profiler"
        return func(*args, **(kwargs or {}))


def both(words, folder):
    """Return a run and a function for its rounds, and those of a bare loop on equal players and batches."""
    run, other = (Run(configs.config(f"{words} {NO_RUN}"), folder) for _ in range(2))
    bare = bare_round(other, (batch.x for batch in other.batches))

    def play(step):
        run.game.begin_round(step)
        with reporting(False):
            stats = run.solver.round(run.schedule(step), run.batches)
        run.ema(step, stats)

    return (run, play), (other, bare)


@pytest.mark.parametrize("words", ["dataset=ring loss=wgan_gp", "", "loss=sngan", "game=ddpm"])
@pytest.mark.slow
def test_a_bare_loop_does_the_same_work(words, tmp_path):
    """Otherwise the comparison of their times would be worth nothing."""
    runs = both(words, tmp_path)
    for step in (1, 2, 3):
        for _, play in runs:
            torch.manual_seed(step)
            play(step)
    for one in ("game", "average"):
        ours, theirs = (run.game if one == "game" else run.ema.game for run, _ in runs)
        assert [*ours.parameters()], "there are players"
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_round_that_is_not_logged_computes_little_more_than_a_bare_loop(tmp_path):
    counts = []
    for _, play in both("dataset=ring loss=wgan_gp", tmp_path):
        for step in (1, 2):  # the optimizers' states are made in the first step
            with Operations() as operations:
                play(step)
        counts.append(operations.count)
    assert counts[0] <= 1.03 * counts[1], counts
