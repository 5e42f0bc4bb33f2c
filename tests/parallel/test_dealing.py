"""Batches that are dealt out to processes: their results are those of one process, in order."""

import pytest
import torch

from gan_cli.errors import UserError
from gan_cli.parallel.dealing import SampledBatches, deal, deal_rows
from gan_cli.parallel.draws import randn_like
from gan_cli.parallel.ranks import ALONE, Order, Ranks
from gan_cli.types import Batch

CPU = torch.device("cpu")


class Simulated(Ranks):
    """One of two processes that compute one after another, the second one first: ``answers`` are those of the second."""

    def __init__(self, rank, answers):
        super().__init__(rank, 2)
        self.answers, self.has_passed_on = answers, []

    def exchange(self, numbers, seconds=0.0):
        return [numbers, numbers]

    def pass_on(self, content=b""):
        self.has_passed_on.append(content)
        return content

    def collect(self, content, seconds=0.0):
        self.answers.append(content)
        return [content, self.answers[0]] if self.leads else []


def by_two(compute):
    """Return ``compute(ranks)`` in process 0, after process 1 has computed it from the same random state."""
    answers, state = [], torch.get_rng_state()
    compute(Simulated(1, answers))
    torch.set_rng_state(state)
    return compute(Simulated(0, answers))


def test_each_process_computes_every_second_batch():
    computed = []

    def compute(i):
        computed.append(i)
        return torch.tensor([i]), None

    assert by_two(lambda ranks: deal(ranks, Order.ENCODE, 5, compute)) == [(torch.tensor([i]), None) for i in range(5)]
    assert computed == [1, 3, 0, 2, 4]


def test_the_message_reaches_the_others_before_they_compute():
    received = []

    def compute(ranks):
        received.append(ranks)
        return deal(ranks, Order.ENCODE, 2, lambda i: (), message=b"rows" if ranks.leads else b"")

    assert by_two(compute) == [(), ()]
    assert [ranks.has_passed_on for ranks in received] == [[], [b"rows"]]


def test_a_failure_in_another_process_is_named_and_one_in_process_0_is_raised():
    def compute(i):
        if i == broken:
            raise ValueError("no")
        return (torch.zeros(1),)

    broken = 1
    with pytest.raises(UserError, match=r"^process 1 of 2: ValueError: no"):
        by_two(lambda ranks: deal(ranks, Order.ENCODE, 4, compute))
    broken = 2
    with pytest.raises(ValueError, match=r"^no$"):
        by_two(lambda ranks: deal(ranks, Order.ENCODE, 4, compute))


@pytest.mark.parametrize("draws", [False, True])
def test_samples_are_those_of_one_process_whether_or_not_sampling_draws(draws):
    made = []

    def sample(i):
        made.append(i)
        return torch.randn(2) + i if draws else torch.full((2,), float(i))

    def encode(i, x):
        return (x,)

    def batches(dealt, ranks):
        torch.manual_seed(3)
        return [x.tolist() for (x,) in dealt.deal(ranks, Order.SAMPLE, 5, CPU, sample, encode)]

    one = batches(SampledBatches(), ALONE)
    by_rank = {0: SampledBatches(), 1: SampledBatches()}
    for _ in range(2):  # the second time the states are known
        made.clear()
        assert by_two(lambda ranks: batches(by_rank[ranks.rank], ranks)) == one
    assert made == [1, 3, 0, 2, 4], "each process has made its own batches alone"


def test_rows_get_the_random_numbers_of_the_whole_batch_and_a_batch_that_cannot_be_divided_none():
    batch = Batch(torch.arange(6.0))
    torch.manual_seed(1)
    whole = randn_like(batch.x) + batch.x
    torch.manual_seed(1)
    ranks_of = lambda draw: by_two(lambda ranks: deal_rows(ranks, Order.DRAW, draw, batch, CPU))  # noqa: E731
    (found,) = ranks_of(lambda rows: (randn_like(batch.x[rows]) + batch.x[rows],))
    assert torch.equal(found, whole)
    assert ranks_of(lambda rows: (torch.randn(3),)) is None
