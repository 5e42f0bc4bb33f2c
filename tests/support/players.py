"""Small players and games whose behaviour is known in closed form."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.data.base import Dataset
from gan_cli.games.base import Game, Turn
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.models.base import Discriminator, Generator
from gan_cli.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_cli.models.mlp import MLPDiscriminator, MLPGenerator
from gan_cli.solvers.alternating import Alternating
from gan_cli.solvers.base import Problem
from gan_cli.types import Batch, Stats


class Dirac(Generator):
    """Generator whose samples all equal theta ``[d]``, for any z."""

    latent_dim = 1

    def __init__(self, *theta: float):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(theta))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.theta.expand(len(z), -1)


class Noisy(Generator):
    """Generator that draws random numbers while it samples, as diffusion does; the mean is a hundred times the label."""

    conditional = True
    latent_dim = 2

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        shift = 0 if y is None else 100 * y[:, None]
        return self.scale * (z + torch.randn_like(z)) + shift


class Numbers(Dataset):
    """Data set with x = (i, i) and y = i mod 3."""

    shape, classes = (2,), 3

    def __init__(self, n: int):
        self.n = n

    def __len__(self):
        return self.n

    def batch(self, indices: Tensor) -> Batch:
        return Batch(indices[:, None].float().expand(-1, 2), indices % 3)


class Linear(Discriminator):
    """Critic D(x) = psi . x, for x of any shape."""

    def __init__(self, *psi: float):
        super().__init__()
        self.psi = nn.Parameter(torch.tensor(psi))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return x.flatten(1) @ self.psi


class Bilinear(Game):
    """Game min over theta, max over phi of theta phi."""

    def __init__(self, theta: float, phi: float, should_step: Callable[[Tensor, Stats], bool] = lambda loss, stats: True):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([theta], dtype=torch.float64))
        self.phi = nn.Parameter(torch.tensor([phi], dtype=torch.float64))
        self.should_step, self.moves, self.batches = should_step, [], []

    def turns(self):
        return {
            "theta": Turn({"theta": [self.theta]}, self.loss(1), lambda: self.moves.append("theta")),
            "phi": Turn({"phi": [self.phi]}, self.loss(-1), lambda: self.moves.append("phi"), self.should_step),
        }

    def loss(self, sign: int):
        def value(batch: Batch) -> tuple[Tensor, Stats]:
            self.batches.append(batch.x)
            return sign * (self.theta * self.phi).sum(), {}

        return value

    def latents(self, n):
        return torch.zeros(n, 1)

    def sample(self, latents, y=None):
        return latents


def by_class_name(regularizers) -> dict:
    """Return regularizers keyed by their class names in lower case; a second one of a class gets a number."""
    found: dict = {}
    for regularizer in regularizers:
        name = type(regularizer).__name__.lower()
        found[f"{name}_{len(found) + 1}" if name in found else name] = regularizer
    return found


def points_gan(loss=None, regularizers=(), width: int = 16) -> GAN:
    """Return a GAN of two perceptrons in the plane."""
    players = MLPGenerator((2,), 0, 3, width, 3), MLPDiscriminator((2,), 0, width, 3)
    return GAN(*players, Objective(loss or NonSaturating(), by_class_name(regularizers)))


class LabelledDiscriminator(MLPDiscriminator):
    """A perceptron that counts as one that looks at labels."""

    conditional = True


def noisy_gan() -> GAN:
    """Return a GAN in the plane whose generator draws random numbers while it samples."""
    return GAN(Noisy(), LabelledDiscriminator((2,), 0, 4, 2), Objective(NonSaturating()))


def images_gan(loss=None, regularizers=(), width: int = 4, size: int = 16) -> GAN:
    """Return a thin DCGAN on grey images, with batch norm in both players."""
    shape = (1, size, size)
    return GAN(
        DCGANGenerator(shape, 0, 5, width),
        DCGANDiscriminator(shape, 0, width),
        Objective(loss or NonSaturating(), by_class_name(regularizers)),
    )


def alternating(game: Game, optimizer=torch.optim.SGD, lr: float = 0.1, **arguments) -> Alternating:
    """Return an alternating solver with equal learning rates."""
    return make_solver(Alternating, game, optimizer, lr, **arguments)


def make_solver(
    kind: Callable[..., Any], game: Game, optimizer=torch.optim.SGD, lr: float = 0.1, autocast=nullcontext, **arguments
) -> Any:
    """Return a solver of this kind with equal learning rates; ``arguments`` are the solver's own."""
    return kind(make_problem(game, optimizer, autocast, lr=lr), **arguments)


def make_problem(game: Game, optimizer=torch.optim.Adam, autocast=nullcontext, **settings) -> Problem:
    """Return the problem of this game, with an ``optimizer`` of these ``settings`` for every turn."""
    turns = game.turns()
    return Problem(turns, {name: optimizer(turn.parameters, **settings) for name, turn in turns.items()}, autocast)
