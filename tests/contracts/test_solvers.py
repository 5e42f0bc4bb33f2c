"""Every solver with every optimizer, loss and precision; what does not fit together is refused before a run begins."""

import re

import pytest
import torch
from omegaconf import DictConfig
from support import configs

from gan_cli.build import build
from gan_cli.errors import UserError
from gan_cli.solvers.extragradient import Extragradient
from gan_cli.solvers.lookahead import Lookahead
from gan_cli.solvers.optimistic import Optimistic
from gan_cli.training.command import train_command

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
SOLVERS = configs.options("solver")
REPEATING = ["alternating", "backtracking", "gradient_cosine", "lookahead", "nested_lookahead", "unrolled"]
"""Solvers that play turns in any order."""


def config(overrides: str) -> DictConfig:
    return configs.config(overrides, "model.generator.width=8 model.discriminator.width=8 dataset.max_samples=8")


def assert_plays(solver: str, overrides: str, values: str = "") -> None:
    """``solver=SOLVER OVERRIDES``, without composing each pair: no solver brings anything along."""
    cfg = config(overrides)
    cfg.solver = config(f"solver={solver}").solver
    cfg.train.n_critic = 1
    cfg.merge_with_dotlist(values.split())
    parts, stats = configs.play(cfg, rounds=2)
    assert {f"{kind}/{player}" for kind in ("loss", "grad_norm") for player in parts.solver.turns} <= set(stats)
    assert all(value.isfinite() and value.dtype == torch.float32 for value in stats.values()), stats
    assert all(parameter.isfinite().all() for parameter in parts.game.parameters())


@pytest.mark.parametrize(
    ("solver", "optimizer"), configs.pairs(SOLVERS, configs.distinct_options("optimizer"), [], ["extragradient"])
)
def test_every_solver_with_every_optimizer(solver, optimizer):
    assert_plays(solver, f"dataset=ring optimizer={optimizer}")


@pytest.mark.parametrize(
    ("solver", "loss"),
    configs.pairs(SOLVERS, configs.options("loss"), ["wgan_gp"], []),
)
def test_every_solver_with_every_loss(solver, loss):
    """On images, with what the loss brings along."""
    assert_plays(solver, f"loss={loss}")


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_in_bfloat16(solver):
    assert_plays(solver, "", "precision=bf16")


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_in_float16(solver):
    """Solvers that take derivatives of gradients, whose losses they cannot scale, refuse it before a run begins."""
    if solver not in ("consensus", "consensus_mild", "unrolled"):
        assert_plays(solver, "", "precision=fp16")
        return
    with pytest.raises(UserError, match=r"^precision=fp16: (Consensus|Unrolled) takes .*\nUse precision=bf16 or"):
        assert_plays(solver, "", "precision=fp16")


@pytest.mark.parametrize("game", ["retrained_discriminator", "two_gaussians", "timegan_paper", "ebgan"])
def test_losses_in_16_bits(game):
    """Games that compare outputs of networks in ways of their own: every number is float32, and near that of a float32 run."""
    stats = {}
    for precision in ("fp32", "bf16", "fp16"):
        cfg = configs.config(f"optimizer=adam game={game}")
        cfg.precision = precision
        stats[precision] = configs.play(cfg)[1]
        numbers = {name: value for name, value in stats[precision].items() if not name.startswith(("grad", "loss_scale"))}
        assert all(value.dtype in (torch.float32, torch.float64) for value in stats[precision].values())
        for name, value in numbers.items():
            assert value.item() == pytest.approx(stats["fp32"][name].item(), rel=0.05, abs=0.02), (precision, name)


@pytest.mark.parametrize("solver", SOLVERS)
def test_several_critic_turns(solver, tmp_path):
    cfg = configs.config(f"dataset=ring solver={solver} loss=wgan_gp")
    if solver in REPEATING:
        assert build(cfg, CPU).schedule(1).count("discriminator") == 5
        return
    with pytest.raises(UserError, match="once a round, but the schedule has discriminator 5x") as error:
        train_command(cfg, tmp_path / "run")
    assert str(error.value).count("\n") == 1
    assert "Set train.n_critic=1" in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_repeated_turn_of_a_later_round_is_refused_at_once():
    cfg = configs.config("dataset=ring solver=simultaneous", "train.steps=500 schedule.warmup_every=500")
    with pytest.raises(UserError, match="discriminator 100x"):
        build(cfg, CPU)
    cfg.train.steps = 499
    build(cfg, CPU)


def test_lookahead_goes_around_any_solver():
    for inner in configs.distinct_options("solver"):
        assert_plays(f"lookahead solver@solver.inner={inner}", "dataset=ring", "solver.k=1")
    solver = build(configs.config("dataset=ring solver=lookahead solver@solver.inner=past_extragradient"), CPU).solver
    assert isinstance(solver, Lookahead)
    assert isinstance(solver.inner, Extragradient)
    assert solver.inner.past
    solver = build(configs.config("dataset=ring solver=nested_lookahead solver@solver.inner.inner=optimistic"), CPU).solver
    assert (solver.k, solver.inner.k, type(solver.inner.inner)) == (100, 5, Optimistic)
    with pytest.raises(UserError, match="Extragradient plays every turn once"):
        build(configs.config("dataset=ring solver=lookahead solver@solver.inner=extragradient loss=wgan"), CPU)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("solver.inner.past=true", r"^no key 'solver\.inner\.past'"),
        ("solver.inner._target_=gan_cli.losses.hinge.Hinge", r"solver\.inner\._target_=.*Hinge is not a Solver"),
        ("solver.k=0", r"^solver\.k=0"),
    ],
)
def test_what_is_wrong_with_an_inner_solver(values, said):
    with pytest.raises(UserError, match=said):
        build(configs.config("dataset=ring solver=lookahead", values), CPU)


@pytest.mark.parametrize("key", ["solver.k", "solver.inner.k"])
def test_of_two_fields_of_one_name_the_wrong_one_is_named(key):
    with pytest.raises(UserError, match=rf"^{re.escape(key)}=0: "):
        build(configs.config("dataset=ring solver=nested_lookahead", f"{key}=0"), CPU)
