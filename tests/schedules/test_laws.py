"""Numbers that follow laws: closed forms, what may follow one, and that a resumed run follows it to the bit."""

import math

import pytest
import torch
from support import configs
from support.runs import differences, state, train

from gan_cli.build import build, refuse_unused
from gan_cli.errors import UserError
from gan_cli.runs import checkpoint, logger
from gan_cli.schedules.following import laws_in, with_numbers
from gan_cli.schedules.laws import Cosine, Linear, Progress, Steps

CPU = torch.device("cpu")
LINEAR = "{_target_:gan_cli.schedules.Linear,start:%s,end:%s,over:%s}"
WORDS = " ".join(
    [
        "dataset=ring regularizer=r1 augmentation=instance_noise optimizer=adam averaging=half_life",
        f"regularizer.r1.weight={LINEAR % (1.0, 0.2, 4)}",
        f"augmentation.std={LINEAR % (0.4, 0.0, 8)}",
        f"optimizer.lr={LINEAR % (1e-3, 5e-4, 5)}",
        "optimizer.betas=[0.5,{_target_:gan_cli.schedules.Cosine,start:0.9,end:0.99,over:64,unit:images}]",
        "averaging.images={_target_:gan_cli.schedules.Cosine,start:0,end:500,over:64,unit:images}",
    ]
)


class TestClosedForms:
    @pytest.mark.parametrize(
        ("law", "at", "value"),
        [
            (Linear(2.0, 1.0, 10), 0, 2.0),
            (Linear(2.0, 1.0, 10), 5, 1.5),
            (Linear(2.0, 1.0, 10), 10, 1.0),
            (Linear(2.0, 1.0, 10, after=5), 10, 1.5),
            (Cosine(2e-4, 5e-5, 20e6, "images"), 0, 2e-4),
            (Cosine(2e-4, 5e-5, 20e6, "images"), 5e6, 2e-4 - 1.5e-4 * (1 - math.sqrt(0.5)) / 2),
            (Cosine(2e-4, 5e-5, 20e6, "images"), 10e6, 1.25e-4),
            (Cosine(2e-4, 5e-5, 20e6, "images"), 30e6, 5e-5),
            (Steps([1.0, 0.5, 0.1], [3, 6]), 2, 1.0),
            (Steps([1.0, 0.5, 0.1], [3, 6]), 3, 0.5),
            (Steps([1.0, 0.5, 0.1], [3, 6], "minutes"), 60, 0.1),
        ],
    )
    def test_value(self, law, at, value):
        assert law(Progress(0, 0)._replace(**{law.unit: at})) == pytest.approx(value, rel=1e-12)

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda: Linear(1.0, 0.0, 0), "over=0: it must be a number above 0"),
            (lambda: Cosine(1.0, 0.0, 5, "epochs"), "unit='epochs': it must be one of rounds, images, minutes"),
            (lambda: Steps([1.0, 0.5], [3, 6]), r"at=\[3, 6\]: it needs an increasing number"),
        ],
    )
    def test_what_is_no_law(self, make, said):
        with pytest.raises(UserError, match=said):
            make()


class TestWhatFollows:
    def test_each_number_is_that_of_its_law(self):
        cfg = configs.config(WORDS, "train.batch_size=8 ema=0.9")
        parts, told = build(cfg, CPU), []
        following = parts.following([1e-3, 1e-3], told.append)
        numbers = following.set(Progress(2, 32))
        assert parts.game.objective.regularizers["r1"].weight == pytest.approx(0.6)
        assert following.sets(parts.game.objective.regularizers["r1"], "weight")
        assert not following.sets(parts.game.objective.regularizers["r1"], "players")
        assert parts.game.objective.augmentation.std == pytest.approx(0.3)
        assert (following.rates, told) == ([pytest.approx(8e-4)] * 2, [2])
        assert parts.averaging.images == pytest.approx(250)
        for optimizer in parts.solver.optimizers.values():
            assert optimizer.param_groups[0]["betas"] == (0.5, pytest.approx(0.945))
        assert float(numbers["schedule/regularizer.r1.weight"]) == pytest.approx(0.6)
        assert set(numbers) == {
            "schedule/regularizer.r1.weight",
            "schedule/augmentation.std",
            "schedule/averaging.images",
            "schedule/optimizer.betas.1",
            "schedule/optimizer.generator.lr",
            "schedule/optimizer.discriminator.lr",
        }

    def test_a_player_with_a_number_of_its_own_follows_no_other(self):
        cfg = configs.config(f"dataset=ring optimizer.lr={LINEAR % (1.0, 0.0, 4)} optimizer.generator.lr=0.5")
        following = build(cfg, CPU).following([1.0, 0.5], int)
        following.set(Progress(2, 0))
        assert following.rates == [0.5, 0.5]
        assert set(following.setters) == {"optimizer.discriminator.lr"}

    def test_the_command_line_replaces_a_law(self):
        cfg = configs.compose("experiment=r3gan regularizer.r1.weight=0.5")
        assert "regularizer.r1.weight" not in laws_in(cfg)
        assert "regularizer.r2.weight" in laws_in(cfg)

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (f"regularizer=spectral_norm regularizer.spectral_norm.n_power_iterations={LINEAR % (1, 2, 3)}", "whole number"),
            (f"augmentation=adaptive augmentation.start={LINEAR % (0.0, 0.5, 3)}", r"augmentation\.start cannot follow a law"),
            (f"optimizer=sgd_clipped optimizer.max_norm={LINEAR % (1.0, 0.5, 3)}", r"optimizer\.max_norm cannot follow a law"),
            (f"regularizer=r1 regularizer.r1.weight={LINEAR % (1.0, -0.5, 3)}", r"regularizer\.r1\.weight=-0\.5"),
            (f"optimizer.lr={LINEAR % (1.0, -0.5, 3)}", "learning rate"),
            (f"regularizer=r1 regularizer.r1.weight={LINEAR % (1.0, 0.5, 0)}", r"regularizer\.r1\.weight\.over=0"),
        ],
    )
    def test_what_cannot_follow_a_law(self, words, said):
        with pytest.raises(UserError, match=said):
            build(configs.config(words), CPU).following([1.0, 1.0], int)

    def test_a_decay_beside_a_half_life_is_refused(self):
        cfg = configs.config("averaging=half_life", "ema=0.99")
        refuse_unused(cfg, {"averaging"})
        with pytest.raises(UserError, match=r"ema=0\.99: the average follows averaging\.images"):
            refuse_unused(cfg, {"averaging", "ema"})

    def test_numbers_in_place_of_laws(self):
        cfg = configs.config(WORDS)
        laws = laws_in(cfg)
        assert with_numbers(cfg, laws).regularizer.r1.weight == 1.0
        assert list(with_numbers(cfg, laws, 1).optimizer.betas) == [0.5, 0.99]
        assert with_numbers(cfg, {}) is cfg


@pytest.mark.slow
def test_a_run_resumed_in_the_middle_of_a_law_is_the_whole_one(tmp_path):
    every = "log_every=1 checkpoint_every=3 eval_every=0 sample_every=0"
    values = f"train.steps=6 train.batch_size=8 metric.n_samples=4 ema=0.9 {every}"
    train(configs.config(WORDS, values), tmp_path)
    whole, logged = state(tmp_path), [row for row in logger.read(tmp_path) if "schedule/regularizer.r1.weight" in row]
    assert [row["schedule/regularizer.r1.weight"] for row in logged] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2, 0.2])
    assert logged[3]["schedule/averaging.images"] == pytest.approx(500 * (1 - math.cos(math.pi * 3 / 8)) / 2, rel=1e-5)
    checkpoint.path_of(tmp_path, 6).unlink()
    (tmp_path / "result.json").unlink()
    train(configs.config(WORDS, values), tmp_path, resume=True)
    for part in ("game", "ema", "solver", "batches", "random", "step"):
        assert differences(state(tmp_path)[part], whole[part]) == [], part
