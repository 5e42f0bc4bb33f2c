"""A batch in parts: in double precision the game stays the same, whatever is played; or the parts are refused in a line."""

from itertools import cycle

import pytest
import torch
from omegaconf import DictConfig
from support import configs
from support.divided import config, flat, play
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.parallel.ranks import Ranks

LIMIT = 1e-10
"""Largest relative difference: rounding in double precision, after 50 rounds."""
REFUSING = {"cyclegan", "ebgan", "gmmn", "linear_dual", "linear_primal", "mmd_gan", "sliced", "sliced_gan", "timegan"}
"""Games that look at whole batches with the settings that they have by default."""
OF_WHOLE_BATCHES = ("moments/generator", "pull_away/generator")
"""Numbers that look at whole batches and have weight 0 where parts are not refused."""
PLAYED = [
    *(f"dataset=ring solver={solver}" for solver in configs.distinct_options("solver")),
    "game=timegan_paper",
    "game=infogan augmentation=diff_augment train.generator_batches=2",
    "game=gaussian_gan regularizer=gradient_penalty",
]
FURTHER = [
    *(f"dataset=ring solver={solver}" for solver in configs.options("solver") if f"dataset=ring solver={solver}" not in PLAYED),
    "game=ebgan game.pull_away=0",
    "game=rcgan model=rcgan_labels dataset=waves game.wrong_labels=true",
    "game=c_rnn_gan game.feature_matching=false",
    "dataset=waves model=conv1d loss=wgan_gp",
    "dataset=ring solver=lookahead solver@solver.inner=extragradient",
    "dataset=ring solver=consensus loss=wgan_gp train.n_critic=1",
    "regularizer=[gradient_penalty,spectral_norm] augmentation=instance_noise",
]


def assert_equal_in_parts(cfg: DictConfig, rounds: int, *divisions: int) -> None:
    whole = numbers_in(play(cfg, 1, rounds))
    for parts in divisions:
        for kind, a, b in zip(("parameters", "buffers", "numbers"), whole, numbers_in(play(cfg, parts, rounds)), strict=True):
            assert (a - b).norm() <= LIMIT * a.norm(), f"{kind} in {parts} parts"


def numbers_in(played: tuple[Tensor, Tensor, dict[str, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    parameters, buffers, stats = played
    return parameters, buffers, flat([stats[name] for name in sorted(stats) if name not in OF_WHOLE_BATCHES])


@pytest.mark.slow
@pytest.mark.parametrize("words", [*PLAYED, *(pytest.param(words, marks=pytest.mark.long) for words in FURTHER)])
def test_solvers_and_much_else_play_the_same_in_two_parts(words):
    assert_equal_in_parts(config(words), 3, 2)


@pytest.mark.slow
@pytest.mark.parametrize("game", sorted(REFUSING))
def test_games_that_look_at_whole_batches_refuse_parts(game):
    with pytest.raises(UserError, match=r"^train\.accumulate=2: .*, so that the batch cannot be divided\.\nSet train"):
        play(config(f"game={game}"), 2, 1)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("group", "option"), configs.all_options("loss", "solver"))
def test_fifty_rounds_on_points_are_the_same_in_four_parts(group, option):
    on_points = "model/discriminator=autoencoder_mlp" if option == "ebgan" else ""
    assert_equal_in_parts(config(f"dataset=ring {group}={option} {on_points}"), 50, 4)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    ("group", "option"),
    [
        pair
        for pair in configs.all_options("regularizer", "augmentation", "game")
        if pair[0] != "game" or pair[1] not in REFUSING
    ],
)
def test_every_other_option_plays_the_same_in_four_parts(group, option):
    assert_equal_in_parts(config(configs.overrides_for(group, option)), 3, 4)


@pytest.mark.slow
@pytest.mark.long
def test_cyclegan_without_a_pool_plays_the_same_in_two_parts():
    # Adam would move parameters without a gradient by its rounding error
    assert_equal_in_parts(config("game=cyclegan game.pool=0 optimizer=sgd"), 2, 2)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("regularizer", configs.options("regularizer"))
def test_every_loss_with_every_regularizer_plays_the_same_in_two_parts(regularizer):
    """Solvers take turns with the losses; nothing is composed for each pair."""
    for loss, solver in zip(configs.options("loss"), cycle(configs.options("solver")), strict=False):
        if loss != "ebgan":  # for images
            cfg = config(f"dataset=ring loss={loss}")
            cfg.regularizer = config(f"dataset=ring regularizer={regularizer}").regularizer
            cfg.solver = config(f"dataset=ring solver={solver}").solver
            assert_equal_in_parts(cfg, 3, 2)


def test_sums_over_processes_lie_in_memory_as_the_gradients_do(monkeypatch):
    """Fused optimizers take the memory of a gradient for laid out as that of its parameter."""
    ranks = Ranks(0, 2)
    monkeypatch.setattr(ranks, "all_reduce", lambda flat: flat.mul_(2))
    gradient = torch.arange(24.0).reshape(1, 2, 3, 4).contiguous(memory_format=torch.channels_last)
    total, nothing = ranks.sum([gradient, None])
    assert nothing is None
    assert torch.equal(total, 2 * gradient)
    assert total.stride() == gradient.stride()
