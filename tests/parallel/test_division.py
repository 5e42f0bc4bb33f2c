"""A batch in parts: in double precision the game stays the same, whatever is played; or the parts are refused in a line."""

from collections.abc import Iterator

import pytest
import torch
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


def play(words: str, parts: int, rounds: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the parameters, buffers and last numbers of a game in double precision; batch norm does not look at the batch."""
    cfg = configs.config(words, "train.batch_size=8")
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


def assert_equal_in_parts(words: str, rounds: int, *divisions: int) -> None:
    whole = play(words, 1, rounds)
    for parts in divisions:
        for kind, a, b in zip(("parameters", "buffers", "numbers"), whole, play(words, parts, rounds), strict=True):
            assert (a - b).norm() <= LIMIT * a.norm(), f"{kind} in {parts} parts"


def words_for(group: str, option: str) -> str:
    """Return words under which an option is used, on points where it can be."""
    on_points = f"dataset=ring {group}={option}"
    return on_points if group in ("loss", "solver") and configs.can_build(on_points) else configs.overrides_for(group, option)


@pytest.mark.slow
@pytest.mark.parametrize("words", [*(f"dataset=ring solver={solver}" for solver in configs.options("solver")), *FURTHER])
def test_solvers_and_much_else_play_the_same_in_two_parts(words):
    assert_equal_in_parts(words, 3, 2)


@pytest.mark.slow
@pytest.mark.parametrize("game", sorted(REFUSING))
def test_games_that_look_at_whole_batches_refuse_parts(game):
    with pytest.raises(UserError, match=r"^train\.accumulate=2: .*, so that the batch cannot be divided\.\nSet train"):
        play(f"game={game}", 2, 1)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    "words",
    [
        *FURTHER,
        "game=cyclegan game.pool=0 optimizer=sgd",  # Adam moves parameters without a gradient by its rounding error
        *(
            words_for(group, option)
            for group, option in configs.all_options("loss", "regularizer", "augmentation", "game", "solver")
            if group != "game" or option not in REFUSING
        ),
    ],
)
def test_every_option_plays_fifty_rounds_the_same_in_two_and_four_parts(words):
    assert_equal_in_parts(words, 50, 2, 4)


def covering_pairs() -> list[str]:
    """Return words that name every loss with every regularizer; solvers and augmentations take turns."""
    losses, regularizers = configs.options("loss"), configs.options("regularizer")
    solvers = [name for name in configs.options("solver") if name not in ("simultaneous", "optimistic")]
    augmentations = [name for name in configs.options("augmentation") if "adaptive" not in name]
    return [
        f"loss={loss} regularizer={regularizer} solver={solvers[(i + j) % len(solvers)]} train.n_critic=1 "
        f"augmentation={augmentations[(i + 2 * j) % len(augmentations)]} model=dcgan_small"
        for i, loss in enumerate(losses)
        for j, regularizer in enumerate(regularizers)
    ]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("words", covering_pairs())
def test_pairs_play_the_same_in_parts(words):
    assert_equal_in_parts(words, 3, 2)
