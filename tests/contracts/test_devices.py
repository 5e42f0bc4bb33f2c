"""A round stays on the device of its players.

The ``meta`` device stands for any accelerator: tensors without values, so that nothing is computed and nothing can be
fetched. torch lets a CPU tensor through a meta layer unnoticed, so a dispatch mode watches every operation instead.
"""

import sys
import types
from dataclasses import dataclass

import pytest
import torch
from support import configs
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gan_cli.build import build
from gan_cli.config.identity import to_plain
from gan_cli.data.stream import Stream
from gan_cli.games.gan import GAN
from gan_cli.games.sampling import conditions, eval_mode, preserve_buffers
from gan_cli.losses.hinge import Hinge
from gan_cli.randomness import fork_rng
from gan_cli.training.callbacks import ScheduleLearningRates
from gan_cli.training.ema import EMA

pytestmark = pytest.mark.slow

META = torch.device("meta")
MODELS = [group for group in configs.groups() if group.startswith("model")]
LOOKING = ("backtracking", "linear_dual", "c_rnn_gan")
"""Options that decide by values whether a player moves, and on meta there are none."""
ANY_NETWORK = ("loss", "regularizer", "solver")
"""Groups that play on small perceptrons here, which have a tenth of a DCGAN's operations."""
OPTIONS = [
    (group, option) for group in (*MODELS, "augmentation", "game", *ANY_NETWORK) for option in configs.distinct_options(group)
]
"""Options with a class of their own; those that only set other values run the same operations."""
PLAYED: list[dict] = []
"""Configs that a test of this process has played on meta."""


class OneDevice(TorchDispatchMode):
    """Fails at an operation between tensors of several devices; 0-d tensors may come from anywhere, as torch has it."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and leaf.ndim]
        devices = sorted({str(tensor.device) for tensor in tensors})
        assert len(devices) < 2, f"{func} mixes {' and '.join(devices)}"
        return func(*args, **(kwargs or {}))


def play(cfg, device: torch.device) -> None:
    """One round, and all that looks at the players after it, on ``device`` and nowhere else."""
    parts = build(cfg, device)
    data, game, solver, schedule = parts.data, parts.game, parts.solver, parts.schedule
    batches = Stream(data.train, cfg.train.batch_size, cfg.seed, device)
    average, set_learning_rates = EMA(game, parts.averaging), ScheduleLearningRates(solver, parts.learning_rate)
    y = conditions(data, 3, seed=0)
    with OneDevice():
        stats = solver.round(schedule(1), batches)
        average(1, stats)
        set_learning_rates(1, stats)
        batch = next(batches)
        with torch.no_grad(), preserve_buffers(game), fork_rng(0, device):
            estimate = game.estimate(batch)
        with eval_mode(average.game), fork_rng(0, device):
            fake = average.game.sample(average.game.latents(3), None if y is None else y.to(device))
    assert fake.shape == (3, *data.shape)
    assert {value.device.type for value in (fake, *stats.values(), *estimate.values())} == {device.type}
    assert {tensor.device.type for tensor in average.game.state_dict().values()} <= {device.type}  # one may hold nothing


@pytest.mark.parametrize(("group", "option"), [(group, option) for group, option in OPTIONS if option not in LOOKING])
def test_a_round_on_meta(group, option):
    own = group not in ANY_NETWORK or "override /model" in configs.option_text(group, option)
    cfg = configs.config(f"{'' if own else 'dataset=ring '}{configs.overrides_for(group, option)}", "train.n_critic=1")
    if (content := to_plain(cfg)) not in PLAYED:  # a game and its own networks compose the same config
        play(cfg, META)
        PLAYED.append(content)


def test_a_dual_on_meta():
    play(configs.config("game=linear_dual solver=alternating"), META)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("game", configs.options("game"))
def test_a_round_on_cuda(game, precision):
    play(configs.config(f"game={game}", f"precision={precision}"), torch.device("cuda"))


class Elsewhere(GAN):
    """Its latents are drawn on the CPU."""

    def latents(self, n: int) -> Tensor:
        return torch.randn(n, self.generator.latent_dim)


@dataclass(frozen=True)
class Targets(Hinge):
    """Compares with targets on the CPU."""

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return (fake - torch.ones(len(fake))).square().mean()


@pytest.fixture
def mine(monkeypatch):
    module = types.ModuleType("mine")
    module.Elsewhere, module.Targets = Elsewhere, Targets
    monkeypatch.setitem(sys.modules, "mine", module)


def test_a_latent_on_the_cpu_is_noticed(mine):
    cfg = configs.config("", "game._target_=mine.Elsewhere")
    play(cfg, torch.device("cpu"))
    with pytest.raises(AssertionError, match="mixes cpu and meta"):
        play(cfg, META)


@pytest.mark.parametrize("options", ["model=mlp", "dataset=ring", "model=dcgan"])
def test_a_target_on_the_cpu_is_noticed(mine, options):
    cfg = configs.config(f"loss=hinge {options}", "loss._target_=mine.Targets")
    play(cfg, torch.device("cpu"))
    with pytest.raises((AssertionError, RuntimeError), match="cpu"):
        play(cfg, META)
