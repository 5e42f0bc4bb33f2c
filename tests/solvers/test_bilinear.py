"""Every solver on min max theta phi, where its course is known: F(w) = A w with A = [[0, 1], [-1, 0]]."""

from functools import partial
from itertools import repeat

import pytest
import torch
from support.players import Bilinear, make_solver
from torch import Tensor

from gan_cli.solvers.alternating import Alternating
from gan_cli.solvers.consensus import Consensus
from gan_cli.solvers.extragradient import Extragradient
from gan_cli.solvers.lookahead import Lookahead
from gan_cli.solvers.optimistic import Optimistic
from gan_cli.solvers.simultaneous import Simultaneous
from gan_cli.types import Batch

NOTHING = repeat(Batch(torch.zeros(1)))
ORDER = ["theta", "phi"]
I = torch.eye(2, dtype=torch.float64)  # noqa: E741
A = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)


def alternation(eta: float) -> Tensor:
    return torch.tensor([[1, -eta], [eta, 1 - eta**2]], dtype=torch.float64)


def going_back(step: Tensor, alpha: float, k: int) -> Tensor:
    return (1 - alpha) * I + alpha * torch.linalg.matrix_power(step, k)


PAST = partial(Extragradient, past=True)
OPERATORS = {
    "simultaneous": (Simultaneous, 1, lambda eta: I - eta * A),
    "alternating": (Alternating, 1, alternation),
    "extragradient": (Extragradient, 1, lambda eta: I - eta * A @ (I - eta * A)),
    "consensus": (partial(Consensus, weight=2.0), 1, lambda eta: I - eta * A - eta * 2.0 * A.T @ A),
    "lookahead": (partial(Lookahead, k=7, alpha=0.3), 7, lambda eta: going_back(alternation(eta), 0.3, 7)),
    "around simultaneous": (partial(Lookahead, k=6, inner=Simultaneous), 6, lambda eta: going_back(I - eta * A, 0.5, 6)),
    "around extragradient": (
        partial(Lookahead, k=4, inner=Extragradient),
        4,
        lambda eta: going_back(I - eta * A - eta**2 * I, 0.5, 4),
    ),
    "nested": (
        partial(Lookahead, k=12, alpha=0.8, inner=partial(Lookahead, k=3)),
        12,
        lambda eta: going_back(going_back(alternation(eta), 0.5, 3), 0.8, 4),
    ),
}
"""Solver, rounds, and the matrix by which these rounds multiply (theta, phi)."""


def course(kind, rounds: int, start=(1.0, 2.0), eta: float = 0.1) -> Tensor:
    """(theta, phi) after each round ``[rounds + 1, 2]``."""
    game = Bilinear(*start)
    solver, points = make_solver(kind, game, lr=eta), [[game.theta.item(), game.phi.item()]]
    for _ in range(rounds):
        solver.round(ORDER, NOTHING)
        points.append([game.theta.item(), game.phi.item()])
    return torch.tensor(points, dtype=torch.float64)


@pytest.mark.parametrize("eta", [0.1, 0.7])
@pytest.mark.parametrize("name", OPERATORS)
def test_operator(name, eta):
    kind, rounds, expected = OPERATORS[name]
    columns = [course(kind, 2 * rounds, start, eta) for start in ((1.0, 0.0), (0.0, 1.0))]
    for times in (1, 2):
        found = torch.stack([column[times * rounds] for column in columns], dim=1)
        torch.testing.assert_close(found, torch.linalg.matrix_power(expected(eta), times), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "factor"),
    [
        (Simultaneous, lambda eta: (1 + eta**2) ** 0.5),
        (Extragradient, lambda eta: (1 - eta**2 + eta**4) ** 0.5),
        (partial(Consensus, weight=2.0), lambda eta: ((1 - 2 * eta) ** 2 + eta**2) ** 0.5),
    ],
)
def test_factor_of_every_step(kind, factor):
    for eta in (0.05, 0.4):
        radii = course(kind, 50, eta=eta).norm(dim=1)
        torch.testing.assert_close(radii[1:] / radii[:-1], torch.full_like(radii[1:], factor(eta)), rtol=1e-12, atol=0)


def optimistic_roots(eta: float) -> Tensor:
    """z = theta + i phi obeys z'' = (1 + 2 i eta) z' - i eta z."""
    companion = torch.tensor([[1 + 2j * eta, -1j * eta], [1, 0]], dtype=torch.complex128)
    return torch.linalg.eigvals(companion)


@pytest.mark.parametrize("kind", [Optimistic, PAST])
def test_factor_that_optimism_comes_to(kind):
    for eta in (0.1, 0.4):
        radii = course(kind, 60, eta=eta).norm(dim=1)
        assert (radii[-1] / radii[-2]).item() == pytest.approx(optimistic_roots(eta).abs().max().item(), rel=1e-9)


def test_optimism_by_its_recursion():
    points = course(Optimistic, 40)
    z = torch.complex(points[:, 0], points[:, 1])
    assert z[1] == pytest.approx(z[0] * (1 + 0.1j)), "the first step is a plain one"
    torch.testing.assert_close(z[2:], (1 + 0.2j) * z[1:-1] - 0.1j * z[:-2], rtol=0, atol=1e-14)


def test_optimism_is_extragradient_with_past_gradients():
    """Seen from where the gradients are taken: at optimism's iterates, at the other's half steps."""

    class GradientCosine(Bilinear):
        def loss(self, sign):
            value = super().loss(sign)

            def watching(batch):
                self.points.append((self.theta.item(), self.phi.item()))
                return value(batch)

            return watching

    seen = {}
    for kind, rounds in ((Optimistic, 30), (PAST, 29)):
        game = GradientCosine(1.0, 2.0)
        game.points = []
        solver = make_solver(kind, game)
        for _ in range(rounds):
            solver.round(ORDER, NOTHING)
        seen[kind] = torch.tensor(game.points, dtype=torch.float64)
    torch.testing.assert_close(seen[Optimistic], seen[PAST], rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("kind", "radius"),
    [
        (Simultaneous, 44.0),
        (Alternating, 2.2),
        (Extragradient, 0.11),
        (PAST, 0.11),
        (Optimistic, 0.11),
        (partial(Lookahead, k=20), 2e-8),
        (partial(Lookahead, k=5), 0.05),
    ],
    ids=lambda value: str(value) if isinstance(value, float) else "",
)
@pytest.mark.slow
@pytest.mark.long
def test_where_600_rounds_lead(kind, radius):
    """From radius 2.24, at step 0.1."""
    assert course(kind, 600)[-1].norm().item() == pytest.approx(radius, rel=0.1)
