"""The order of a stream: permutations in every epoch, reproducible positions, untouched default generators."""

import threading

import pytest
import torch

from gan_cli.data.base import Dataset, Subset, evenly_spaced
from gan_cli.data.points.nothing import nothing
from gan_cli.data.stream import Stream
from gan_cli.errors import UserError
from gan_cli.types import Batch


class Numbers(Dataset):
    """Sample i is the number i with the label i mod 3."""

    def __init__(self, n, decodes=False, broken=()):
        self.n, self.decodes, self.broken = n, decodes, set(broken)
        self.shape, self.classes, self.reads, self.threads = (1,), 3, 0, set()

    def __len__(self):
        return self.n

    def batch(self, indices):
        self.reads += 1
        self.threads.add(threading.current_thread().name)
        if self.broken.intersection(indices.tolist()):
            raise UserError("broken")
        return Batch(indices[:, None].float(), indices % 3)


def take(stream, count):
    return torch.cat([next(stream).x for _ in range(count)]).flatten().long()


@pytest.mark.parametrize(("n", "batch_size"), [(1, 1), (1, 7), (5, 3), (10, 5), (7, 20), (64, 64)])
def test_every_epoch_is_a_permutation(n, batch_size):
    drawn = take(Stream(Numbers(n), batch_size, seed=3), count=4 * n)
    for epoch in drawn.view(-1, n):
        assert epoch.sort().values.tolist() == list(range(n))


@pytest.mark.parametrize("decodes", [False, True])
@pytest.mark.parametrize(("n", "batch_size"), [(1, 3), (5, 3), (17, 4), (4, 11)])
def test_starting_at_position_k_equals_k_batches_read(n, batch_size, decodes):
    stream = Stream(Numbers(n, decodes), batch_size, seed=1)
    drawn = [next(stream).x for _ in range(9)]
    for k in range(9):
        again = Stream(Numbers(n, decodes), batch_size, seed=1, position=k)
        assert torch.equal(next(again).x, drawn[k])
        again.close()
    stream.close()


def test_epochs_and_seeds_differ():
    stream = Stream(Numbers(100), 100, seed=0)
    first, second = take(stream, 1), take(stream, 1)
    other = take(Stream(Numbers(100), 100, seed=1), 1)
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)
    assert not torch.equal(second, other), "epoch 1 of seed 0 is not epoch 0 of seed 1"


def test_labels_belong_to_their_samples():
    x, y = next(Stream(Numbers(50), 20, seed=0))
    assert torch.equal(y, x.flatten().long() % 3)


def test_default_generators_are_unchanged():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    take(Stream(Numbers(10), 4, seed=5), 10)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(6)
    drawn = take(Stream(Numbers(10), 4, seed=5), 10)
    assert torch.equal(drawn, take(Stream(Numbers(10), 4, seed=5), 10)), "nor does it depend on them"


@pytest.mark.parametrize("decodes", [False, True])
def test_state_counts_returned_batches_not_batches_read_ahead(decodes):
    stream = Stream(Numbers(11, decodes), 4, seed=2)
    take(stream, 5)
    state = stream.state_dict()
    assert all(type(value) is int for value in state.values())
    assert state["position"] == 5
    following = take(stream, 6)

    stream.load_state_dict(state)
    assert torch.equal(take(stream, 6), following), "in the same stream"
    fresh = Stream(Numbers(11, decodes), 4, seed=2)
    fresh.load_state_dict(state)
    assert torch.equal(take(fresh, 6), following), "in a new one"
    stream.close()
    fresh.close()


def test_another_number_of_samples_is_refused():
    state = Stream(Numbers(11), 4, seed=2).state_dict()
    with pytest.raises(UserError, match=r"11 samples .* 12 now"):
        Stream(Numbers(12), 4, seed=2).load_state_dict(state)


def test_decoding_sets_are_read_ahead_in_one_thread():
    numbers = Numbers(100, decodes=True)
    stream = Stream(numbers, 4, seed=0)
    take(stream, 1)
    stream.close()
    assert 1 <= numbers.reads <= 3
    assert threading.current_thread().name not in numbers.threads
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("stream")]
    assert stream.position == 1
    assert torch.equal(take(stream, 3), take(Stream(Numbers(100), 4, seed=0, position=1), 3)), "usable after close()"
    stream.close()


def test_the_time_that_batches_take_is_counted(monkeypatch):
    ticks = iter((1.0, 3.0, 10.0, 10.5)).__next__
    monkeypatch.setattr("time.perf_counter", ticks)
    stream = Stream(Numbers(8), 4, seed=0)
    assert stream.waited == 0
    next(stream), next(stream)
    assert stream.waited == 2.5


def test_arrays_are_not_read_ahead():
    numbers = Numbers(100)
    take(Stream(numbers, 4, seed=0), 3)
    assert numbers.reads == 3
    assert numbers.threads == {threading.current_thread().name}


def test_an_error_while_reading_ahead_is_raised_with_its_batch():
    healthy = Stream(Numbers(40), 4, seed=0)
    bad = int(healthy.indices(1)[0])
    stream = Stream(Numbers(40, decodes=True, broken=[bad]), 4, seed=0)
    assert torch.equal(next(stream).x, next(healthy).x)
    for _ in range(2):
        with pytest.raises(UserError, match="broken"):
            next(stream)
        assert stream.position == 1, "a batch that failed was not handed out"
    stream.close()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("decodes", [False, True])
def test_batches_arrive_on_the_device(decodes):
    stream = Stream(Numbers(10, decodes), 4, seed=0, device=torch.device("cuda"))
    reference = Stream(Numbers(10), 4, seed=0)
    for _ in range(5):
        batch, expected = next(stream), next(reference)
        assert batch.x.device.type == batch.y.device.type == "cuda"
        assert torch.equal(batch.x.cpu(), expected.x)
    stream.close()


def test_empty_data_sets_and_batches_are_refused():
    with pytest.raises(UserError, match="no samples"):
        Stream(Numbers(0), 4, seed=0)
    with pytest.raises(UserError, match=r"train\.batch_size is 0"):
        Stream(Numbers(3), 0, seed=0)


def test_subset_reads_through():
    part = Subset(Numbers(10, decodes=True), torch.tensor([7, 2, 9]))
    assert (len(part), part.shape, part.classes, part.decodes) == (3, (1,), 3, True)
    assert part.batch(torch.tensor([2, 0])).x.flatten().tolist() == [9, 7]


def test_evenly_spaced_indices():
    assert evenly_spaced(5, None).tolist() == evenly_spaced(5, 8).tolist() == [0, 1, 2, 3, 4]
    assert evenly_spaced(10, 4).tolist() == [0, 2, 5, 7]
    assert len(evenly_spaced(3_033_042, 1000).unique()) == 1000


def test_a_data_set_without_samples_fills_every_batch():
    stream = Stream(nothing().train, 4, seed=1)
    assert all(torch.equal(next(stream).x, torch.zeros(4, 1)) for _ in range(3))
    other = Stream(nothing().train, 4, seed=1)
    other.load_state_dict(stream.state_dict())
    assert other.state_dict() == {"position": 3, "samples": 0}
    assert torch.equal(other.indices(3), torch.arange(12, 16))
