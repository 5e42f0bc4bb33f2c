"""A batch in parts: in double precision the game stays the same, whatever is played; or the parts are refused in a line."""

from collections.abc import Iterator
from itertools import cycle

import pytest
import torch
from omegaconf import DictConfig
from support import configs
from torch import Tensor, nn

from gan_cli.build import build
from gan_cli.data.stream import Stream
from gan_cli.errors import UserError
from gan_cli.randomness import seed_all
from gan_cli.types import Batch

CPU = torch.device("cpu")
LIMIT = 1e-10
"""Largest relative difference: rounding in double precision, after 50 rounds."""
REFUSING = {"cyclegan", "ebgan", "gmmn", "linear_dual", "linear_primal", "mmd_gan", "sliced", "sliced_gan", "timegan"}
"""Games that look at whole batches with the settings that they have by default."""
OF_WHOLE_BATCHES = ("moments/generator", "pull_away/generator")
"""Numbers that look at whole batches and have weight 0 where parts are not refused."""
FURTHER = [
    "game=ebgan game.pull_away=0",
    "game=timegan_paper",
    "game=rcgan model=rcgan_labels dataset=waves game.wrong_labels=true",
    "game=c_rnn_gan game.feature_matching=false",
    "dataset=waves model=conv1d loss=wgan_gp",
    "game=infogan augmentation=diff_augment",
    "game=gaussian_gan regularizer=gradient_penalty",
    "dataset=ring solver=lookahead solver@solver.inner=extragradient",
    "dataset=ring solver=consensus loss=wgan_gp train.n_critic=1",
    "regularizer=[gradient_penalty,spectral_norm] augmentation=instance_noise",
]


def doubled(batches: Iterator[Batch]) -> Iterator[Batch]:
    for x, y in batches:
        yield Batch(x.double(), y.double() if y is not None and y.is_floating_point() else y)


def config(words: str) -> DictConfig:
    return configs.config(words, "train.batch_size=8")


def play(cfg: DictConfig, parts: int, rounds: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the parameters, buffers and last numbers of a game in double precision; batch norm does not look at the batch."""
    cfg.train.accumulate, cfg.train.n_critic = parts, 1  # rounding grows with every turn
    torch.set_default_dtype(torch.float64)
    try:
        seed_all(0)
        built = build(cfg, CPU)
        game = built.game.double()
        for module in game.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        stream = Stream(built.data.train, cfg.train.batch_size, 0)
        batches, stats = doubled(stream), {}
        for step in range(1, rounds + 1):
            game.begin_round(step)
            stats |= built.solver.round(built.schedule(step), batches)
        stream.close()
    finally:
        torch.set_default_dtype(torch.float32)
    numbers = [stats[name] for name in sorted(stats) if name not in OF_WHOLE_BATCHES]
    return tuple(
        torch.cat([torch.zeros(1, dtype=torch.float64), *(tensor.detach().double().flatten() for tensor in tensors)])
        for tensors in (game.parameters(), game.buffers(), numbers)
    )


def assert_equal_in_parts(cfg: DictConfig, rounds: int, *divisions: int) -> None:
    whole = play(cfg, 1, rounds)
    for parts in divisions:
        for kind, a, b in zip(("parameters", "buffers", "numbers"), whole, play(cfg, parts, rounds), strict=True):
            assert (a - b).norm() <= LIMIT * a.norm(), f"{kind} in {parts} parts"


@pytest.mark.slow
@pytest.mark.parametrize("words", [*(f"dataset=ring solver={solver}" for solver in configs.options("solver")), *FURTHER])
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
