"""Games in float64 whose geometry is known in closed form."""

from itertools import repeat

import torch
from torch import Tensor, nn

from gan_cli.games.base import Game, Turn
from gan_cli.types import Batch

DUMMY_BATCH = Batch(torch.zeros(2, 1))
"""Batch for quadratic games, which do not use data."""
DUMMY_BATCHES = repeat(DUMMY_BATCH)


class Quadratic(Game):
    """Game min over θ, max over φ of M = ½θᵀAθ + θᵀBφ − ½φᵀCφ.

    Hessians A and C, Jacobian [[A, B], [−Bᵀ, C]], duality gap ½θᵀ(A + BC⁻¹Bᵀ)θ + ½φᵀ(C + BᵀA⁻¹B)φ.
    """

    def __init__(self, A: Tensor, B: Tensor, C: Tensor, theta: Tensor | None = None, phi: Tensor | None = None):
        super().__init__()
        self.A, self.B, self.C = A.double(), B.double(), C.double()
        self.theta = nn.Parameter(torch.ones(len(A)).double() if theta is None else theta.double())
        self.phi = nn.Parameter(torch.ones(len(C)).double() if phi is None else phi.double())

    def value(self) -> Tensor:
        theta, phi = self.theta, self.phi
        return theta @ self.A @ theta / 2 + theta @ self.B @ phi - phi @ self.C @ phi / 2

    def turns(self):
        return {
            "phi": Turn({"phi": [self.phi]}, lambda batch: (-self.value(), {})),
            "theta": Turn({"theta": [self.theta]}, lambda batch: (self.value(), {})),
        }

    def jacobian(self) -> Tensor:
        """Return the Jacobian, its players in the order of the turns."""
        return torch.cat([torch.cat([self.C, -self.B.T], 1), torch.cat([self.B, self.A], 1)])

    def gap(self) -> float:
        theta, phi = self.theta.detach(), self.phi.detach()
        outer = self.A + self.B @ torch.linalg.inv(self.C) @ self.B.T
        inner = self.C + self.B.T @ torch.linalg.inv(self.A) @ self.B
        return float(theta @ outer @ theta / 2 + phi @ inner @ phi / 2)

    def latents(self, n):
        return torch.zeros(n, 1)

    def sample(self, latents, y=None):
        return latents


def diagonal(*values: float) -> Tensor:
    return torch.diag(torch.tensor(values))


def random_quadratic(n: int, m: int, seed: int = 0) -> Quadratic:
    """Return a game with positive definite A and C; B and the players are normal."""
    draw = torch.Generator().manual_seed(seed)
    A, B, C, theta, phi = (torch.randn(*shape, generator=draw).double() for shape in ((n, n), (n, m), (m, m), (n,), (m,)))
    return Quadratic(A @ A.T + torch.eye(n), B, C @ C.T + torch.eye(m), theta, phi)


class CyclicGame(Game):
    """Three players on the line; the loss of each is u_i · u_(i+1), so that they chase each other."""

    def __init__(self, *u: float):
        super().__init__()
        self.u = nn.ParameterList([nn.Parameter(torch.tensor([x], dtype=torch.float64)) for x in u])

    def turns(self):
        def turn(i: int) -> Turn:
            return Turn({str(i): [self.u[i]]}, lambda batch: ((self.u[i] * self.u[(i + 1) % 3]).sum(), {}))

        return {name: turn(i) for i, name in enumerate("abc")}

    def latents(self, n):
        return torch.zeros(n, 1)

    def sample(self, latents, y=None):
        return latents


class Regression(Game):
    """One player, a network, that learns its own initial outputs: it starts at a minimum."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        with torch.no_grad():
            self.x = torch.randn(200, 2)
            self.target = network(self.x)

    def turns(self):
        return {"student": self.turn("network", loss=self.loss)}

    def loss(self, batch: Batch):
        return (self.network(self.x) - self.target).square().mean(), {}

    def latents(self, n):
        return torch.zeros(n, 2)

    def sample(self, latents, y=None):
        return self.network(latents)
