"""Schedules of turns: the orders that a schedule lists are those of its rounds."""

import pytest

from gan_cli.schedules.turns import AlternatingOrder, FixedOrder, Phases, Schedule, Without


class Alternating(Schedule):
    """A schedule that does not say which orders it has."""

    def __call__(self, step):
        return ["a", "b"][step % 2]


PHASES = {
    "first": {"rounds": 2, "players": ["a"]},
    "none": {"rounds": 0, "players": ["b"]},
    "second": {"rounds": 3, "players": ["c", "a"]},
    "last": {"rounds": None, "players": ["d"]},
}


@pytest.mark.parametrize(
    "schedule",
    [
        Alternating(),
        AlternatingOrder(),
        AlternatingOrder(n_critic=2, warmup_critic=3, warmup_rounds=4),
        AlternatingOrder(n_critic=2, warmup_critic=3, warmup_every=3),
        AlternatingOrder(n_critic=2, warmup_critic=3, warmup_rounds=4, warmup_every=3),
        AlternatingOrder(n_critic=2, warmup_critic=3, warmup_every=1),
        FixedOrder(["a", "b"]),
        Phases(PHASES),
        Phases({**PHASES, "last": {"rounds": 1, "players": ["d"]}}),
        Without(Phases(PHASES), frozenset("a")),
    ],
)
def test_orders_are_those_of_the_rounds(schedule):
    for steps in range(12):
        assert schedule.orders(steps) == {tuple(schedule(step)) for step in range(1, steps + 1)}


def test_orders_of_a_long_run_are_known_without_walking_through_it():
    """Only rounds that begin an order are looked at."""
    seen = []

    class Counted(AlternatingOrder):
        def __call__(self, step):
            seen.append(step)
            return super().__call__(step)

    for long in (Counted(5), Counted(5, warmup_rounds=10**7), Counted(5, warmup_every=10**7)):
        assert len(long.orders(10**7 + 1)) == (1 if long.warmup_rounds == long.warmup_every == 0 else 2)
    assert len(seen) < 15
