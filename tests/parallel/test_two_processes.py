"""Two processes play the same games as one, in double precision up to rounding after 50 rounds.

One pair of processes plays all of them, one after another.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.divided import CPU, flat, played
from torch.distributed import TCPStore

from gan_cli.parallel.ranks import Ranks, among

pytestmark = pytest.mark.slow
LIMIT = 1e-10
"""Largest relative difference in double precision, after 50 rounds."""
FP32_LIMIT = 1e-5
"""Largest relative difference of the first gradients in float32."""
OF_PARTS = ("moments/generator", "pull_away/generator")
"""Numbers that look at whole batches and have weight 0 where they are means over processes."""
SHORT = [
    "10 1 dataset=ring loss=wgan_gp train.generator_batches=2",
    "5 1 dataset=ring game=mmd_gan",  # a loss of the whole batch
    "5 1 dataset=ring model.discriminator.minibatch_std=true model.discriminator.minibatch_kernels=2",
    "3 1 loss=hinge augmentation=adaptive",  # batch norm in both networks
    "2 2 solver=consensus",  # derivatives of batch norm, part by part
    "2 1 game=cyclegan optimizer=sgd",  # pools of earlier samples
]
"""Number of rounds, parts of each process, and overrides: a case of each mechanism."""
LONG = [
    "50 1 dataset=ring loss=wgan_gp",
    "50 1 dataset=ring loss=wgan solver=extragradient",
    "50 1 dataset=ring loss=hinge solver=simultaneous augmentation=instance_noise train.generator_batches=2",
    "50 1 dataset=ring loss=relativistic solver=optimistic regularizer=r1",
    "50 1 dataset=ring loss=least_squares solver=lookahead regularizer=spectral_norm",
    "50 1 dataset=ring regularizer=dragan solver=unrolled",
    "50 1 dataset=ring game=mmd_gan",
    "50 1 dataset=ring game=sliced_gan",
    "50 1 dataset=ring game=gmmn",
    "50 1 dataset=ring model.discriminator.minibatch_std=true model.discriminator.minibatch_kernels=2",
    "3 1 game=timegan",
    "3 1 game=ebgan",
]


@pytest.fixture(scope="module")
def ranks() -> Iterator[Ranks]:
    """The first of two processes; the other one plays what is passed on to it."""
    store, first = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False), Ranks(0, 2)
    root = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root.parent), os.environ.get("PYTHONPATH", "")])}
    other = subprocess.Popen([sys.executable, "-m", "support.divided", str(store.port)], env=environment)
    first.ended = lambda: "the other process has ended" if other.poll() else ""
    try:
        first.connect(store, CPU)
        yield first
        first.pass_on()
        assert other.wait(60) == 0
    finally:
        first.close()
        other.kill()
        other.wait()


def by_both(ranks: Ranks, words: str):
    ranks.pass_on(words.encode())
    with among(ranks):
        return played(words)


@pytest.mark.parametrize("words", [*SHORT, *(pytest.param(words, marks=pytest.mark.long) for words in LONG)])
def test_two_processes_play_the_game_of_one(words, ranks):
    one, two = played(words), by_both(ranks, words)
    for kind, a, b in zip(("parameters", "buffers"), one, two, strict=False):
        assert (a - b).norm() <= LIMIT * a.norm(), kind
    assert one[2].keys() == two[2].keys()
    numbers = [flat([stats[name] for name in sorted(stats) if name not in OF_PARTS]) for _, _, stats in (one, two)]
    assert (numbers[0] - numbers[1]).norm() <= LIMIT * numbers[0].norm()


@pytest.mark.parametrize("words", ["0 1 dataset=ring loss=wgan_gp", pytest.param("0 1 loss=hinge", marks=pytest.mark.long)])
def test_the_first_gradients_are_those_of_one_process_in_float32(words, ranks):
    one, two = played(words), by_both(ranks, words)
    assert (one - two).norm() <= FP32_LIMIT * one.norm()
