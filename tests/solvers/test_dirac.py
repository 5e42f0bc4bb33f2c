"""Dirac-GAN under R1, played by the solvers: how fast each comes to the equilibrium, or leaves it.

The field's Jacobian there is J = [[-gamma, -s], [s, 0]] in (psi, theta), s = |f'(0)| being 1/2 for the logistic losses and 1
for the linear ones (Mescheder et al., 2018); a solver's round is linear near by, with a known matrix.
"""

import cmath
from functools import partial
from itertools import repeat

import pytest
import torch
from support.players import Dirac, Linear, make_solver
from torch import Tensor

from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.regularizers.r1 import R1
from gan_cli.solvers.alternating import Alternating
from gan_cli.solvers.consensus import Consensus
from gan_cli.solvers.extragradient import Extragradient
from gan_cli.solvers.simultaneous import Simultaneous
from gan_cli.types import Batch

ETA, DISTANCE = 0.2, 1e-4


@pytest.fixture(autouse=True)
def _exactly():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def operator(kind, loss, gamma: float) -> Tensor:
    """The derivative at the equilibrium of one round, by central differences."""

    def after(psi: float, theta: float) -> Tensor:
        game = GAN(Dirac(theta), Linear(psi), Objective(loss, {"r1": R1(weight=gamma)}))
        make_solver(kind, game, lr=ETA).round(["discriminator", "generator"], repeat(Batch(torch.zeros(3, 1))))
        return torch.cat([game.discriminator.psi, game.generator.theta]).detach()

    h = DISTANCE
    return torch.stack([after(h, 0.0) - after(-h, 0.0), after(0.0, h) - after(0.0, -h)], dim=1) / (2 * h)


def jacobian(gamma: float, s: float) -> Tensor:
    return torch.tensor([[-gamma, -s], [s, 0.0]])


EXPECTED = {
    Simultaneous: lambda j: torch.eye(2) + ETA * j,
    # the discriminator first; the generator sees its move
    Alternating: lambda j: (torch.eye(2) + ETA * j.tril(-1)) @ (torch.eye(2) + ETA * j.triu()),
    Extragradient: lambda j: torch.eye(2) + ETA * j + ETA**2 * j @ j,
    partial(Consensus, weight=0.5): lambda j: torch.eye(2) + ETA * j - ETA * 0.5 * j.T @ j,
}


@pytest.mark.parametrize("gamma", [0.0, 0.3, 3.0])
@pytest.mark.parametrize(("loss", "s"), [(NonSaturating(), 0.5), (Wasserstein(), 1.0)])
@pytest.mark.parametrize("kind", EXPECTED, ids=["simultaneous", "alternating", "extragradient", "consensus"])
def test_operator_and_its_spectral_radius(kind, loss, s, gamma):
    found, expected = operator(kind, loss, gamma), EXPECTED[kind](jacobian(gamma, s))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-7)
    radii = [torch.linalg.eigvals(matrix).abs().max().item() for matrix in (found, expected)]
    assert radii[0] == pytest.approx(radii[1], abs=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.3, 0.8, 3.0])
@pytest.mark.parametrize(
    ("kind", "trace", "determinant"),
    [
        (Simultaneous, lambda gamma, s: 2 - ETA * gamma, lambda gamma, s: 1 - ETA * gamma + (ETA * s) ** 2),
        (Alternating, lambda gamma, s: 2 - ETA * gamma - (ETA * s) ** 2, lambda gamma, s: 1 - ETA * gamma),
    ],
    ids=["simultaneous", "alternating"],
)
def test_spectral_radius_in_closed_form(kind, trace, determinant, gamma):
    """The radius of rotations (gamma < 2 s) is sqrt(det): alternating converges for gamma > 0, simultaneous above eta s^2."""
    t, d = trace(gamma, 0.5), determinant(gamma, 0.5)
    root = cmath.sqrt(t**2 / 4 - d)
    expected = max(abs(t / 2 + root), abs(t / 2 - root))
    assert torch.linalg.eigvals(operator(kind, NonSaturating(), gamma)).abs().max().item() == pytest.approx(expected, abs=1e-6)
    if 0 < gamma < 1:
        assert expected == pytest.approx(d**0.5)
