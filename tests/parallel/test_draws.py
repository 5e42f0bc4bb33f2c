"""Random numbers of a divided batch: those of the whole one, cut; a draw that is made in any other way is an error."""

import numpy as np
import pytest
import torch
from torch import nn

from gan_cli.errors import UserError
from gan_cli.parallel import draws
from gan_cli.parallel.division import Division
from gan_cli.parallel.share import need_whole_batch, whole_data
from gan_cli.types import Batch

N = 12
X = torch.arange(N * 6.0).reshape(N, 2, 3)
DRAWS = {
    "randn": (lambda x: draws.randn(len(x), 5), lambda x: torch.randn(len(x), 5)),
    "rand": (lambda x: draws.rand(len(x), 5, dtype=torch.float64), lambda x: torch.rand(len(x), 5, dtype=torch.float64)),
    "randint": (lambda x: draws.randint(3, 9, len(x), 2), lambda x: torch.randint(3, 9, (len(x), 2))),
    "randint of no further shape": (lambda x: draws.randint(3, 9, len(x)), lambda x: torch.randint(3, 9, (len(x),))),
    "randn_like": (draws.randn_like, torch.randn_like),
    "rand_like": (draws.rand_like, torch.rand_like),
    "randn_like of transposed rows": (lambda x: draws.randn_like(x.mT), lambda x: torch.randn_like(x.mT)),
    "dropout": (lambda x: draws.dropout(x, 0.4), lambda x: nn.functional.dropout(x, 0.4)),
    "no dropout": (lambda x: draws.dropout(x, 0.0), lambda x: nn.functional.dropout(x, 0.0)),
    "Dropout": (draws.Dropout(0.4), nn.Dropout(0.4)),
    "Dropout in eval mode": (draws.Dropout(0.4).eval(), nn.Dropout(0.4).eval()),
}


def in_parts(parts: int, compute, x=X):
    """Return what ``compute`` returns for each part of ``x``."""
    return list(Division(parts).each(Batch(x), lambda part: compute(part.x)))


@pytest.mark.parametrize(("ours", "of_torch"), DRAWS.values(), ids=DRAWS)
def test_the_parts_are_the_rows_of_what_torch_draws_for_the_whole_batch(ours, of_torch):
    state = torch.get_rng_state()
    expected, after = of_torch(X), torch.get_rng_state()
    for parts in (1, 2, 3, 4):
        torch.set_rng_state(state)
        assert torch.equal(torch.cat(in_parts(parts, ours)), expected)
        assert torch.equal(torch.get_rng_state(), after)
    torch.set_rng_state(state)
    assert torch.equal(ours(X), expected)


def test_channels_last_images_get_the_numbers_of_the_whole_batch():
    images = torch.empty(N, 3, 4, 5).to(memory_format=torch.channels_last)
    state = torch.get_rng_state()
    expected = torch.randn_like(images)
    torch.set_rng_state(state)
    assert torch.equal(torch.cat(in_parts(4, draws.randn_like, images)), expected)


def test_numbers_of_the_batch_are_the_same_in_every_part():
    first, second = in_parts(2, lambda x: draws.common(lambda: torch.randn(3)))
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    "undeclared",
    [
        lambda x: torch.rand(len(x)),
        torch.randn_like,
        nn.Dropout(0.5),
        nn.GRU(3, 4, 2, dropout=0.5),
        lambda x: nn.init.normal_(torch.empty(3)),
        lambda x: torch.multinomial(torch.ones(3), 1),
        lambda x: (torch.bernoulli(x / X.max()), draws.randn(len(x))),
    ],
)
def test_a_draw_by_another_function_is_an_error(undeclared):
    with pytest.raises(UserError, match=r"by other functions than those of gan_cli\.parallel\.draws"):
        in_parts(2, undeclared)
    in_parts(1, undeclared)


def test_numbers_for_another_count_than_the_samples_of_the_part_are_an_error():
    with pytest.raises(UserError, match="for 12 samples are drawn where a part of the batch has 6"):
        in_parts(2, lambda x: draws.randn(2 * len(x)))


def test_the_streams_of_python_and_numpy_are_the_same_in_every_part():
    first, second = in_parts(2, lambda x: np.random.rand())
    assert first == second


def test_the_data_of_the_whole_batch_are_at_hand_in_every_part():
    assert all(torch.equal(whole, X) for whole in in_parts(3, whole_data))
    with pytest.raises(UserError, match="looks at samples of the whole batch that are made part by part"):
        in_parts(3, lambda x: whole_data(x + 1))
    assert in_parts(1, lambda x: whole_data(x + 1))[0].equal(X + 1)


def test_what_needs_the_whole_batch_refuses_a_divided_one():
    with pytest.raises(UserError, match=r"^train\.accumulate=2: it does, so that the batch cannot be divided\.\nSet train"):
        in_parts(2, lambda x: need_whole_batch("it does"))
    in_parts(1, lambda x: need_whole_batch("it does"))
    need_whole_batch("it does")


def test_a_batch_that_cannot_be_cut_into_equal_parts_is_an_error():
    with pytest.raises(UserError, match=r"^train\.accumulate=5: a batch of 12 samples cannot be cut into 5 equal parts"):
        in_parts(5, len)
