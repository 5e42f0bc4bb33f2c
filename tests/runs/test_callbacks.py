"""Callbacks of training, each one alone."""

from types import SimpleNamespace

import pytest
import torch
from support import configs
from support.runs import EMPTY_STATE, result, train
from torch.nn import BatchNorm2d

from gan_cli.build import build
from gan_cli.errors import Diverged, UnreadableData, UserError
from gan_cli.games.analytic.gaussian_gan import GaussianGAN
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.runs import checkpoint, logger
from gan_cli.schedules.averages import Decay, HalfLife
from gan_cli.schedules.laws import Progress
from gan_cli.schedules.learning_rates import LinearDecay
from gan_cli.training.callbacks import DivergenceGuard, LogStats, SaveCheckpoint, ScheduleLearningRates
from gan_cli.training.clock import Stopwatch
from gan_cli.training.ema import EMA
from gan_cli.training.loop import End
from gan_cli.training.monitors import Monitor

CPU = torch.device("cpu")


@pytest.fixture
def game():
    return build(configs.config("regularizer=spectral_norm", "regularizer.spectral_norm.remove_norm=false"), CPU).game


def test_the_average_of_parameters(game):
    average = EMA(game, Decay(0.5))
    live, mean = next(game.parameters()), next(average.game.parameters())
    expected = live.detach().clone()
    for step in (1, 2, 50):
        with torch.no_grad():
            live.normal_()
        average(step, {})
        decay = min(0.5, (1 + step) / (10 + step))  # 2/11, 3/12, then 0.5
        expected = decay * expected + (1 - decay) * live.detach()
        torch.testing.assert_close(mean, expected)
    assert not mean.requires_grad
    assert not any(module.training for module in average.game.modules())


def test_the_average_of_buffers(game):
    """Batch norm's statistics belong to the weights; spectral norm's vectors and counters are the newest ones."""
    average = EMA(game, Decay(0.5))
    norm = next(module for module in game.modules() if isinstance(module, BatchNorm2d))
    before = norm.running_mean.clone()
    for buffer in game.buffers():
        buffer.add_(1)
    average(100, {})
    own = dict(average.game.named_buffers())
    statistics = {id(b) for m in game.modules() if isinstance(m, BatchNorm2d) for b in (m.running_mean, m.running_var)}
    for name, buffer in game.named_buffers():
        expected = buffer - 0.5 if id(buffer) in statistics else buffer
        torch.testing.assert_close(own[name], expected, msg=name)
    assert torch.equal(norm.running_mean, before + 1), "the live players are left alone"


def test_without_a_decay_the_average_is_a_copy(game):
    average = EMA(game, Decay(0.0))
    with torch.no_grad():
        for parameter in game.parameters():
            parameter.normal_()
    average(1, {})
    for a, b in zip(average.game.state_dict().values(), game.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("decay", [1.0, -0.1, 2, float("nan")])
def test_what_is_no_decay(decay):
    with pytest.raises(UserError, match="decay="):
        Decay(decay)


def test_an_average_begins_at_its_start_and_then_keeps_its_decay():
    decay = Decay(0.9999, start=1000, warm_up=False)
    assert [decay(Progress(step - 1, 0), 50) for step in (1, 999, 1000, 9000)] == [0.0, 0.0, 0.9999, 0.9999]


def test_half_of_an_average_is_forgotten_within_the_half_life():
    assert HalfLife(5_000_000)(Progress(3, 0), 512) == 0.5 ** (512 / 5e6)
    assert HalfLife(1000)(Progress(3, 0), 10) ** 100 == pytest.approx(0.5)
    ramp = HalfLife(1000, rampup=0.05)
    assert [ramp(Progress(0, images), 10) for images in (0, 2000, 20_000, 10**6)] == [0.0, 0.5**0.1, 0.5**0.01, 0.5**0.01]
    assert HalfLife(0)(Progress(0, 0), 10) == 0


def test_an_average_is_told_the_images_of_the_round(game):
    average = EMA(game, HalfLife(64.0), lambda: (640, 128))
    live, mean = next(game.parameters()), next(average.game.parameters())
    before = live.detach().clone()
    with torch.no_grad():
        live += 1
    average(6, {})
    torch.testing.assert_close(mean, before + 0.75)


def test_learning_rates_of_the_next_round():
    solver = build(configs.config("optimizer=ttur"), CPU).solver
    set_rates = ScheduleLearningRates(solver, LinearDecay(start=2, end=4))

    def rates():
        return {player: optimizer.param_groups[0]["lr"] for player, optimizer in solver.optimizers.items()}

    seen = [rates()]
    for step in range(1, 6):
        set_rates(step)
        seen.append(rates())
    # rounds 1, 2, 3 at the full rate; round 4 at half; from 5 = end + 1 on nothing
    assert [rate["generator"] / 1e-4 for rate in seen] == pytest.approx([1, 1, 1, 0.5, 0, 0])
    assert [rate["discriminator"] / 4e-4 for rate in seen] == pytest.approx([1, 1, 1, 0.5, 0, 0])


def test_numbers_wait_on_the_device_but_not_for_ever(tmp_path):
    record = LogStats(logger.RunLogger(tmp_path, 0), period=0, end=End(1000), samples=lambda: 0)
    good, bad = {"loss/generator": torch.tensor(1.0)}, {"loss/generator": torch.tensor(float("nan"))}
    for step in range(1, 100):
        record(step, bad if step == 2 else good)
    with pytest.raises(Diverged, match="loss/generator became nan at step 2"):
        record(100, good)
    record.logger.close()


def test_numbers_are_looked_at_when_they_are_logged_or_shown():
    record = LogStats(None, period=30, end=End(250), samples=lambda: 0)
    assert [step for step in range(1, 251) if record.looks_at(step)] == [30, 60, 90, 100, 120, 150, 180, 200, 210, 240, 250]
    never = LogStats(None, period=0, end=End(5), samples=lambda: 0)
    assert [step for step in range(1, 6) if never.looks_at(step)] == [5]
    timed = LogStats(None, period=30, end=End(), samples=lambda: 0)
    assert all(timed.looks_at(step) for step in range(1, 6)), "each may be the last one, which is logged"


def test_the_newest_numbers_are_those_of_the_last_round_that_was_looked_at(tmp_path):
    record = LogStats(logger.RunLogger(tmp_path, 0), period=2, end=End(4), samples=lambda: 0)
    record(1, {"loss/generator": torch.tensor(1.0)})
    record(2, {"loss/generator": torch.tensor(2.0), "estimate/js": torch.tensor(0.5)})
    shown = dict(record.latest)
    record(3, {"loss/generator": torch.tensor(3.0)})
    record.check()  # as before a picture
    assert {"loss/generator": 2.0, "estimate/js": 0.5}.items() <= shown.items()
    assert record.latest == shown
    record.logger.close()


def test_the_share_of_waiting_is_that_of_the_rounds_since_the_last_log(tmp_path):
    clock = SimpleNamespace(split=lambda: None, lap=lambda: 4.0)
    waited = iter((1.0, 2.0, 2.0)).__next__  # before the first round, and at both logs
    record = LogStats(logger.RunLogger(tmp_path, 0), 1, End(2), lambda: 0, clock=clock, waited=waited)
    for step in (1, 2):
        record(step, {"loss/generator": torch.tensor(1.0)})
    record.logger.close()
    assert [row["time/waiting_share"] for row in logger.read(tmp_path)] == [0.25, 0.0]


@pytest.mark.slow
def test_estimates_are_computed_in_the_rounds_that_are_logged(tmp_path, monkeypatch):
    """The held-out estimates at both logged steps need two more."""
    computed = []
    plain = NonSaturating.estimate
    monkeypatch.setattr(NonSaturating, "estimate", lambda self, *logits: computed.append(0) or plain(self, *logits))
    cfg = configs.config("dataset=ring metric=none logger=none", "sample_every=0 checkpoint_every=0 eval_every=0")
    train(cfg, tmp_path, "train.steps=20 log_every=10")
    assert len(computed) == 4
    assert [row["step"] for row in logger.read(tmp_path) if "estimate/js" in row] == [10, 20]


def test_moments_that_are_not_finite_are_not_saved():
    game, solver = (parts := build(configs.config("solver=lookahead"), CPU)).game, parts.solver
    record = LogStats(None, period=0, end=End(1000), samples=lambda: 0)
    check = DivergenceGuard(game, solver, record)
    for parameter in game.generator.parameters():
        parameter.grad = torch.ones_like(parameter)
    solver.optimizers["generator"].step()
    check(4)
    parameter = next(game.generator.parameters())
    solver.optimizers["generator"].state[parameter]["exp_avg_sq"][0] = float("inf")
    with pytest.raises(
        Diverged, match=r"solver\.inner\.optimizers\.generator\.state\.0\.exp_avg_sq is no longer finite at step 4"
    ):
        check(4)


class Fails(Monitor):
    """Logs the step as ``step``, and fails at the steps given."""

    subject = "the count"

    def __init__(self, logger, say, *steps, error=None):
        super().__init__(logger, say)
        self.steps, self.error = steps, error or UserError("weights must be a vector.\nTake others.")

    def observe(self, step):
        if step in self.steps:
            raise self.error
        return {"count/step": float(step)}


def test_a_measurement_that_fails_is_reported_once_and_gives_nan(tmp_path):
    said = []
    log = logger.RunLogger(tmp_path, 0)
    monitor = Fails(log, said.append, 2, 3, 5)
    for step in range(6):
        monitor(step)
    log.close()
    assert [row["count/step"] for row in logger.read(tmp_path)] == [0, 1, None, None, 4, None]
    assert said == ["warning: the count failed at step 2: weights must be a vector. Take others. Training goes on without it."]


def test_a_measurement_that_fails_before_training_ends_the_run():
    with pytest.raises(UserError, match="weights"):
        Fails(None, None, 0)(0)


@pytest.mark.parametrize("error", [Diverged("nan"), UnreadableData("gone", "restore"), OSError(28, "No space left on device")])
def test_what_ends_training_passes_through_a_measurement(error):
    with pytest.raises(type(error)):
        Fails(None, None, 1, error=error)(1)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["measure", pytest.param("estimate", marks=pytest.mark.long), "picture"])
def test_training_outlives_a_game_that_cannot_be_measured(part, tmp_path, monkeypatch, capsys):
    def fail(self, *given):
        raise ZeroDivisionError("by zero")

    cfg = configs.config("game=gaussian_gan", "train.steps=4 log_every=1 eval_every=2 sample_every=2")
    monkeypatch.setattr(GaussianGAN, part, lambda self, step, *more: {"x": 1.0} if step == 0 else fail(self))
    if part == "picture":
        monkeypatch.setattr(GaussianGAN, part, lambda self, history: fail(self) if len(history()) > 1 else None)
    train(cfg, tmp_path)
    assert capsys.readouterr().out.count("by zero") == 1
    assert result(tmp_path)["status"] == "finished"


def test_the_stopwatch_runs_between_start_and_stop(monkeypatch):
    now = iter([0.0, 10.0, 12.0, 20.0, 25.0])
    monkeypatch.setattr("gan_cli.training.clock.time.perf_counter", lambda: next(now))
    watch = Stopwatch()
    for _ in range(2):
        watch.start()
        watch.stop()
    assert watch.lap() == 7.0
    assert watch.lap() == 0.0


def test_no_checkpoint_is_saved_without_the_curves_before_it(tmp_path):
    """A run that continues from a checkpoint does not log again what lies before it."""

    def full():
        raise OSError(28, "No space left on device")

    save = SaveCheckpoint(tmp_path, lambda: EMPTY_STATE, lambda step: None, SimpleNamespace(flush=full), None)
    with pytest.raises(OSError, match="No space"):
        save(4)
    assert checkpoint.steps_in(tmp_path) == []
