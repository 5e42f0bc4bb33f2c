"""Time: rounds, schedules, periods and rates."""

from itertools import pairwise

import pytest

from gan_cli.errors import UserError
from gan_cli.schedules.learning_rates import Constant, LinearDecay, SecondHalf, WarmUp
from gan_cli.schedules.turns import AlternatingOrder, Phases
from gan_cli.training.loop import End, Every, training_loop


def played(steps, start=0, callbacks=()):
    log = []
    happening = [lambda step, stats, name=name: log.append((name, step, stats["order"])) for name in callbacks]

    def play(step):
        log.append(("round", step))
        return {"order": f"order {step}"}

    training_loop(play, End(steps), happening, start)
    return log


def test_rounds_from_start_to_steps():
    assert played(3) == [("round", 1), ("round", 2), ("round", 3)]
    assert [entry[1] for entry in played(5, start=3)] == [4, 5]
    assert played(3, start=3) == played(2, start=3) == []


def test_events_follow_their_round_in_their_order():
    assert played(2, callbacks=("first", "second")) == [
        ("round", 1),
        ("first", 1, "order 1"),
        ("second", 1, "order 1"),
        ("round", 2),
        ("first", 2, "order 2"),
        ("second", 2, "order 2"),
    ]


def test_an_event_may_end_it():
    class Enough(Exception):
        pass

    def stop(step, stats):
        if step == 2:
            raise Enough

    log = []
    with pytest.raises(Enough):
        training_loop(lambda step: log.append(step), End(3), [stop])
    assert len(log) == 2


@pytest.mark.parametrize(
    ("period", "last", "expected"),
    [(3, 0, [3, 6, 9]), (3, 10, [3, 6, 9, 10]), (5, 10, [5, 10]), (0, 10, [10]), (0, 0, []), (1, 10, list(range(1, 11)))],
)
def test_every(period, last, expected):
    steps = []
    every = Every(period, lambda step, stats: steps.append(step), end=End(last or None))
    for step in range(1, 11):
        every(step, {})
    assert steps == expected


class TestAlternatingOrder:
    def test_critic_then_generator(self):
        assert AlternatingOrder()(1) == ["discriminator", "generator"]
        assert AlternatingOrder(5)(1) == ["discriminator"] * 5 + ["generator"]
        assert all(len(AlternatingOrder(5)(step)) == 6 for step in (1, 25, 500)), "no warm-up unless asked for"

    def test_warm_up_of_the_authors_code(self):
        schedule = AlternatingOrder(5, warmup_critic=100, warmup_rounds=25, warmup_every=500)
        long = [step for step in range(1, 1101) if schedule(step).count("discriminator") == 100]
        assert long == [*range(1, 26), 500, 1000]
        assert all(schedule(step).count("discriminator") in (5, 100) for step in range(1, 1101))
        assert all(schedule(step)[-1] == "generator" and schedule(step).count("generator") == 1 for step in (1, 26, 500))

    @pytest.mark.parametrize("name", ["n_critic", "warmup_critic", "warmup_rounds", "warmup_every"])
    @pytest.mark.parametrize("value", [-1, 2.5, "many", None, True])
    def test_refuses(self, name, value):
        with pytest.raises(UserError, match=f"{name}={value!r}: it must be a whole number, at least 0"):
            AlternatingOrder(**{name: value})


class TestLearningRate:
    def test_constant(self):
        assert {Constant()(step) for step in (0, 1, 10**9)} == {1.0}

    def test_linear_decay_at_its_ends(self):
        rate = LinearDecay(start=10, end=20)
        assert [rate(step) for step in (0, 1, 10)] == [1, 1, 1]
        assert rate(11) == 1, "the first step of the decay is whole"
        assert rate(16) == pytest.approx(0.5)
        assert rate(20) == pytest.approx(0.1), "the last step still moves"
        assert rate(21) == rate(1000) == 0

    def test_linear_decay_is_linear(self):
        rates = [LinearDecay(start=0, end=100)(step) for step in range(1, 102)]
        differences = [a - b for a, b in pairwise(rates)]
        assert differences == pytest.approx([0.01] * 100)

    def test_end_before_start_is_a_step_down(self):
        assert [LinearDecay(start=5, end=5)(step) for step in (5, 6, 7)] == [1, 1, 0]

    def test_the_second_half_is_a_line_to_0(self):
        rates = [SecondHalf(end=20)(step) for step in range(1, 23)]
        assert rates[:11] == [1.0] * 11
        assert rates[-2:] == [0.0, 0.0]
        assert all(a > b for a, b in pairwise(rates[10:21]))

    def test_warm_up_is_a_line_to_1(self):
        assert [WarmUp(steps=4)(step) for step in range(1, 7)] == [0.25, 0.5, 0.75, 1, 1, 1]

    @pytest.mark.parametrize("value", [-1, "soon", None, float("nan")])
    def test_refuses(self, value):
        with pytest.raises(UserError, match=r"start=.*: it must be a whole number, at least 0"):
            LinearDecay(start=value, end=3)


class TestPhases:
    def test_one_after_another_and_the_last_stays(self):
        phases = Phases({"a": {"rounds": 2, "players": ["x"]}, "b": {"rounds": None, "players": ["y", "x"]}})
        assert [phases(step) for step in range(1, 6)] == [["x"], ["x"], ["y", "x"], ["y", "x"], ["y", "x"]]
        counted = Phases({"a": {"rounds": 1, "players": ["x"]}, "b": {"rounds": 1, "players": ["y"]}})
        assert [counted(step) for step in range(1, 5)] == [["x"], ["y"], ["y"], ["y"]]

    def test_a_phase_of_no_rounds_is_left_out(self):
        phases = Phases({"a": {"rounds": 0, "players": ["x"]}, "b": {"rounds": None, "players": ["y"]}})
        assert phases(1) == ["y"]

    @pytest.mark.parametrize(
        ("phases", "said"),
        [
            ({}, "phases={}: it needs a phase"),
            ([], r"phases=\[\]: it needs a phase"),
            ({"a": {"rounds": 1}}, "phases.a=.*: it must have rounds and players"),
            ({"a": {"rounds": -1, "players": []}}, "phases.a.rounds=-1"),
            ({"a": {"rounds": None, "players": []}, "b": {"rounds": 1, "players": []}}, "phases.a.rounds=None"),
            ({"a": {"rounds": 1, "players": "x"}}, "players='x'"),
        ],
    )
    def test_mistakes(self, phases, said):
        with pytest.raises(UserError, match=said):
            Phases(phases)
