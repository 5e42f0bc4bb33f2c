"""The default random streams, all of them."""

import io
import random

import numpy as np
import pytest
import torch

from gan_cli.randomness import fork_rng, random_state, seed_all, set_random_state

CPU = torch.device("cpu")


def draw():
    """Something from every stream, an odd number of normals among it, so that cached halves count."""
    return random.random(), random.gauss(), np.random.rand(), np.random.randn(3).tolist(), torch.randn(7).tolist()


def test_seed_decides_all():
    seed_all(5)
    first = draw()
    seed_all(5)
    assert draw() == first
    seed_all(6)
    assert all(a != b for a, b in zip(first, draw(), strict=True))


def test_seeds_beyond_numpys_range():
    seed_all(2**40 + 1)
    first = draw()
    seed_all(2**40 + 1)
    assert draw() == first


def test_state_survives_a_file_of_plain_data():
    seed_all(1)
    draw()
    file = io.BytesIO()
    torch.save(random_state(CPU), file)
    expected = draw(), draw()
    file.seek(0)
    set_random_state(torch.load(file, weights_only=True), CPU)
    assert (draw(), draw()) == expected


class TestForked:
    def test_restores_every_stream(self):
        seed_all(1)
        draw()
        state = random_state(CPU)
        expected = draw()
        set_random_state(state, CPU)
        with fork_rng(3, CPU):
            draw()
        assert draw() == expected

    def test_restores_after_an_error(self):
        seed_all(1)
        expected = draw()
        seed_all(1)
        with pytest.raises(ZeroDivisionError), fork_rng(3, CPU):
            raise ZeroDivisionError(draw())
        assert draw() == expected

    def test_inside_the_seed_decides(self):
        inside = []
        for outer in (1, 2):
            seed_all(outer)
            with fork_rng(3, CPU):
                inside.append(draw())
        assert inside[0] == inside[1]

    def test_nests(self):
        with fork_rng(3, CPU):
            expected = draw(), draw()
        with fork_rng(3, CPU):
            first = draw()
            with fork_rng(4, CPU):
                assert draw() != first
            assert (first, draw()) == expected


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_stream():
    device = torch.device("cuda")
    seed_all(1)
    expected = torch.randn(5, device=device).tolist()
    seed_all(1)
    with fork_rng(3, device):
        torch.randn(5, device=device)
    assert torch.randn(5, device=device).tolist() == expected


def test_a_fork_does_not_replay_the_stream_of_its_seed():
    seed_all(7)
    own = torch.rand(100)
    with fork_rng(7, torch.device("cpu")):
        assert not torch.equal(torch.rand(100), own)
