"""Rounds of torchgan 0.1.0 and torch-mimicry 0.1.16 on their own networks, and of this package on the same networks.

Both are installed without their dependencies, so that parts of mimicry that a round does not need are stubs.
"""

import os
import sys
import tempfile
import types
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from benchmarks.bare_loops import LOSSES, Round, adversarial
from torch import Tensor, nn

from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.games.reporting import reporting
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.models.base import Discriminator, Generator
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.solvers.alternating import Alternating
from gan_cli.solvers.base import Problem
from gan_cli.types import Batch

BATCH = 64
N_CRITIC = 5
PENALTY = 10.0
ADAM: dict[str, Any] = {"lr": 1e-4, "betas": (0.0, 0.9)}
LATENT_DIM = 128
ORDER = ["discriminator"] * N_CRITIC + ["generator"]


class Peer(NamedTuple):
    """A library to compare with.

    Attributes:
        networks: Makes its generator and its critic for images of 32 x 32 pixels in three channels.
        round: Makes its round of WGAN-GP, given two such networks and the training images.
    """

    networks: Callable[[], tuple[nn.Module, nn.Module]]
    round: Callable[[nn.Module, nn.Module, Tensor], Round]


def images() -> Tensor:
    """Return a batch of images of noise."""
    return torch.rand(BATCH, 3, 32, 32) * 2 - 1


def mimicry_networks() -> tuple[nn.Module, nn.Module]:
    """Return the residual networks of its WGAN-GP; layers that torch would run in place are left as they are."""
    from torch_mimicry.nets.wgan_gp.wgan_gp_32 import WGANGPDiscriminator32, WGANGPGenerator32

    return WGANGPGenerator32(), WGANGPDiscriminator32()


def mimicry_round(G: Any, D: Any, x: Tensor) -> Round:
    """Return ``train_step`` of D and of G as its trainer calls them."""
    from torch_mimicry.training.metric_log import MetricLog

    g_adam, d_adam = (torch.optim.Adam(network.parameters(), **ADAM) for network in (G, D))
    batch, log = (x, torch.zeros(len(x))), MetricLog()

    def play(step: int) -> None:
        for _ in range(N_CRITIC):
            D.train_step(real_batch=batch, netG=G, optD=d_adam, log_data=log, device=x.device)
        G.train_step(real_batch=batch, netD=D, optG=g_adam, log_data=log, device=x.device)

    return play


def torchgan_networks() -> tuple[nn.Module, nn.Module]:
    """Return its DCGAN, the critic without batch norm."""
    from torchgan.models import DCGANDiscriminator, DCGANGenerator

    generator = DCGANGenerator(encoding_dims=LATENT_DIM, out_size=32, out_channels=3, step_channels=64)
    return generator, DCGANDiscriminator(in_size=32, in_channels=3, step_channels=64, batchnorm=False)


def torchgan_round(G: Any, D: Any, x: Tensor) -> Round:
    """Return the iterations of its trainer in which G steps once."""
    from torchgan import losses
    from torchgan.trainer import Trainer

    adam = {"name": torch.optim.Adam, "args": ADAM}
    folder = tempfile.mkdtemp()
    trainer = Trainer(
        {"generator": {"name": lambda: G, "optimizer": adam}, "discriminator": {"name": lambda: D, "optimizer": adam}},
        [losses.WassersteinGeneratorLoss(), losses.WassersteinDiscriminatorLoss(), losses.WassersteinGradientPenalty()],
        device=x.device,
        ncritic=N_CRITIC,
        checkpoints=f"{folder}/gan",
        recon=f"{folder}/images",
    )
    trainer.real_inputs, trainer.batch_size = x, len(x)

    def play(step: int) -> None:
        for _ in range(N_CRITIC):
            _, _, d_steps, g_steps = trainer.train_iter()
            trainer.loss_information["discriminator_iters"] += d_steps
            trainer.loss_information["generator_iters"] += g_steps

    return play


PEERS: Mapping[str, Peer] = {
    "torch-mimicry": Peer(mimicry_networks, mimicry_round),
    "torchgan": Peer(torchgan_networks, torchgan_round),
}


class Adopted(Generator, Discriminator):
    """Another library's network as a player."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.latent_dim = network, LATENT_DIM

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return self.network(x)


def our_round(G: nn.Module, D: nn.Module, x: Tensor) -> Round:
    """Return a round of this package on these networks, without an average, which neither library has."""
    game = GAN(Adopted(G), Adopted(D), Objective(Wasserstein(), {"gradient_penalty": GradientPenalty(weight=PENALTY)}))
    turns = game.turns()
    solver = Alternating(Problem(turns, {name: torch.optim.Adam(turn.parameters, **ADAM) for name, turn in turns.items()}))
    batches = repeat(Batch(x))

    def play(step: int) -> None:
        with reporting(step % 10 == 0):
            solver.round(ORDER, batches)

    return play


def bare(G: nn.Module, D: nn.Module, x: Tensor) -> Round:
    """Return a round written by hand on these networks."""
    adam = partial(torch.optim.Adam, **ADAM)
    steps = adversarial(G, D, LATENT_DIM, *LOSSES["Wasserstein"], PENALTY, N_CRITIC, adam, repeat(x))
    return lambda step: steps()


def repeat(batch: Any) -> Iterator[Any]:
    """Yield the same batch without end."""
    while True:
        yield batch


def find(folder: Path) -> list[str]:
    """Make the libraries in ``folder`` importable, and return the names of those that are there."""
    os.environ |= {"TENSORBOARD_LOGGING": "0", "CONSOLE_LOGGING": "0", "VISDOM_LOGGING": "0"}
    sys.path.append(str(folder))
    for name in ("skimage", "skimage.io", "torch_mimicry.metrics", "torch_mimicry.datasets"):
        sys.modules.setdefault(name, types.ModuleType(name))
    for name in ("compute_fid", "compute_is", "compute_kid"):
        setattr(sys.modules["torch_mimicry.metrics"], name, None)
    sys.modules["skimage"].io = sys.modules["skimage.io"]
    return [name for name in PEERS if (folder / name.replace("-", "_")).is_dir()]
