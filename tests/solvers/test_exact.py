"""A solver that loads its state continues as if it had never stopped."""

import io
from functools import partial

import pytest
import torch
from support.players import Bilinear, images_gan, make_solver, points_gan

from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.regularizers.spectral_norm import SpectralNorm
from gan_cli.regularizers.weight_clipping import WeightClipping
from gan_cli.solvers.alternating import Alternating
from gan_cli.solvers.consensus import Consensus
from gan_cli.solvers.extragradient import Extragradient
from gan_cli.solvers.lookahead import Lookahead
from gan_cli.solvers.optimistic import Optimistic
from gan_cli.solvers.simultaneous import Simultaneous
from gan_cli.types import Batch

pytestmark = pytest.mark.slow

SOLVERS = {
    "alternating": Alternating,
    "simultaneous": Simultaneous,
    "optimistic": Optimistic,
    "extragradient": Extragradient,
    "past": partial(Extragradient, past=True),
    "consensus": Consensus,
    "lookahead": partial(Lookahead, k=3),
    "nested": partial(Lookahead, k=4, inner=partial(Lookahead, k=2, inner=partial(Extragradient, past=True))),
    "around optimistic": partial(Lookahead, k=2, inner=Optimistic),
}
LARGE = "batch and spectral norm"
ON_LARGE = ("alternating", "extragradient", "nested")
"""Solvers that `make test` plays on players with buffers; `make test-long` plays the others."""
GAMES = {
    "bilinear": (partial(Bilinear, 1.0, 2.0), (1,)),
    "points": (partial(points_gan, Wasserstein(), [WeightClipping(bound=0.05)]), (2,)),
    LARGE: (partial(images_gan, regularizers=[SpectralNorm(remove_norm=False)]), (1, 16, 16)),
}


class Batches:
    """Endless different batches that only their position decides."""

    def __init__(self, shape, position=0):
        self.shape, self.position = shape, position

    def __next__(self):
        generator = torch.Generator().manual_seed(self.position)
        self.position += 1
        return Batch(torch.randn(4, *self.shape, generator=generator))


def play(solver, batches, steps):
    """The numbers of all rounds; what they draw is decided by the step alone."""
    numbers = []
    for step in steps:
        torch.manual_seed(step)
        numbers.append(solver.round(list(solver.turns), batches))
    return numbers


@pytest.mark.parametrize(
    ("name", "game", "stop"),
    [
        pytest.param(name, game, stop, marks=pytest.mark.long if game == LARGE and name not in ON_LARGE else [])
        for name in SOLVERS
        for game, stop in [("bilinear", 0), ("bilinear", 1), *((game, 4) for game in GAMES)]
    ],
)
def test_stopping_changes_nothing(name, game, stop):
    kind, (make, shape) = SOLVERS[name], GAMES[game]
    torch.manual_seed(0)
    first = make()
    start = {key: value.clone() for key, value in first.state_dict().items()}
    solver = partial(make_solver, kind, optimizer=partial(torch.optim.Adam, betas=(0.5, 0.9), weight_decay=0.01))
    batches = Batches(shape)
    playing = solver(first, lr=0.01)
    numbers = play(playing, batches, range(stop))
    file = io.BytesIO()
    torch.save({"game": first.state_dict(), "solver": playing.state_dict(), "position": batches.position}, file)
    numbers += play(playing, batches, range(stop, 6))

    file.seek(0)
    state = torch.load(file, weights_only=True)
    second = make()
    second.load_state_dict(state["game"])
    resumed = solver(second, lr=0.5)
    play(resumed, Batches(shape), range(2))  # whatever it was, it takes the state
    second.load_state_dict(state["game"])
    resumed.load_state_dict(state["solver"])
    assert play(resumed, Batches(shape, state["position"]), range(stop, 6)) == numbers[stop:]
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), start.values(), strict=True))
