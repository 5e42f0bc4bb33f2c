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
