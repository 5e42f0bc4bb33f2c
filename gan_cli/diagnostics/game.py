"""All diagnostics of a game at once."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch.optim import Adam

from gan_cli import checks
from gan_cli.data.base import Data, Dataset, seeded_generator
from gan_cli.diagnostics.base import DiagnosticReport, Diagnostics, skipped
from gan_cli.diagnostics.duality import best_response, duality_gap, estimate_gain, still_gains
from gan_cli.diagnostics.gradients import critic_slopes, gradient_norms
from gan_cli.diagnostics.spectrum import Eigenvalue, hessian_extremes, jacobian_spectrum
from gan_cli.games.base import Game
from gan_cli.games.protocols import HasDualityGap
from gan_cli.games.sampling import choose
from gan_cli.losses.estimates import meaning
from gan_cli.metrics.base import Value
from gan_cli.regularizers.weight_clipping import WeightClipping
from gan_cli.types import Batch


@dataclass(frozen=True)
class GameDiagnostics(Diagnostics):
    """Gradients, curvature, rotation, the duality gap, and the critic's slope and optimality.

    Args:
        batch_size: Size of every batch. Gradients, spectra and slopes are taken on one batch of training data.
        eigenvalues: Number of leading eigenvalues of the game's Jacobian; 0 skips all spectra, which are the most
            expensive part.
        tol: Tolerance as a share of the largest eigenvalue, both for residuals and for calling a direction flat.
        restarts: Restarts of ARPACK, about 20 Hessian-vector products each, before an eigenvalue is reported as NaN.
        steps: Steps of every best response, taken by Adam on training data; 0 skips the duality gap and the critic's gain.
        lr: Learning rate of the best responses.
        batches: Number of held-out batches on which the best responses are evaluated.
        critic: Name of the player whose best response gives the critic's gain.

    Raises:
        UserError: If a field is out of range.
    """

    family: ClassVar[str] = "game"
    batch_size: int = 256
    eigenvalues: int = 6
    tol: float = 0.001
    restarts: int = 50
    steps: int = 200
    lr: float = 1e-3
    batches: int = 8
    critic: str = "discriminator"

    def __post_init__(self) -> None:
        for name in ("batch_size", "batches"):
            checks.count(name, getattr(self, name), least=2)
        for name in ("eigenvalues", "steps"):
            checks.count(name, getattr(self, name), least=0)
        checks.count("restarts", self.restarts)
        for name in ("tol", "lr"):
            checks.number(name, getattr(self, name), above=0)

    @property
    def size(self) -> int:
        """``batch_size``."""
        return self.batch_size

    def diagnose(self, game: Game, data: Data, seed: int) -> DiagnosticReport:
        """Return every number that this game has, and the reason for each that it does not have."""
        batch = choose(data.train, self.batch_size, seed)
        parts = (self.first_order(game, batch, seed), self.curvature(game, batch, seed), self.responses(game, data, seed))
        return DiagnosticReport.joined(report for part in parts for report in part)

    def first_order(self, game: Game, batch: Batch, seed: int) -> Iterator[DiagnosticReport]:
        """Yield ``game/grad_norm/<player>``, ``game/critic_slope…`` and ``game/weights_at_bound/<player>``."""
        yield DiagnosticReport(
            {f"game/grad_norm/{p}": Value(norm) for p, norm in gradient_norms(game, batch, seed).items()}, {}
        )
        slope = critic_slopes(game, batch, seed)
        if slope is None:
            yield skipped("critic_slope", "this game has no critic of samples")
        else:
            values = {"": Value(slope.mean, slope.std / slope.n**0.5), "_std": Value(slope.std)}
            values["_above_1"] = Value(slope.share_above_1)
            yield DiagnosticReport({f"game/critic_slope{name}": value for name, value in values.items()}, {})
        shares = {
            player: regularizer.share_at_bound(network.parameters())
            for player, network in game.players().items()
            for regularizer in game.regularizers_of(player).values()
            if isinstance(regularizer, WeightClipping)
        }
        if not shares:
            yield skipped("weights_at_bound", "no weights are clipped")
        yield DiagnosticReport({f"game/weights_at_bound/{player}": Value(share) for player, share in shares.items()}, {})

    def curvature(self, game: Game, batch: Batch, seed: int) -> Iterator[DiagnosticReport]:
        """Yield ``game/hessian_min/<player>``, ``game/hessian_max/<player>`` and ``game/jacobian_{re_min,im_max}``."""
        if not self.eigenvalues:
            yield skipped("spectra", "eigenvalues=0")
            return
        for player in game.turns():
            ends = hessian_extremes(game, player, batch, seed, self.tol, self.restarts)
            yield DiagnosticReport(
                {
                    f"game/hessian_min/{player}": Value(ends.smallest.value.real, higher_is_better=True),
                    f"game/hessian_max/{player}": Value(ends.largest.value.real),
                },
                {
                    f"hessian/{player}": {
                        "verdict": ends.verdict(self.tol),
                        "residuals": [ends.smallest.residual, ends.largest.residual],
                        "reason": ends.reason,
                    }
                },
            )
        if len(game.turns()) < 2:
            yield skipped("jacobian", "a game of one player has no Jacobian beside that player's Hessian")
            return
        spectrum = jacobian_spectrum(game, batch, self.eigenvalues, seed, self.tol, self.restarts)
        yield DiagnosticReport(
            {
                "game/jacobian_re_min": Value(spectrum.re_min, higher_is_better=True),
                "game/jacobian_im_max": Value(spectrum.im_max),
            },
            {
                "jacobian": {
                    "leading": eigenvalue_records(spectrum.leading),
                    "least_attracting": eigenvalue_records(spectrum.least_attracting),
                    "reason": spectrum.reason,
                }
            },
        )

    def responses(self, game: Game, data: Data, seed: int) -> Iterator[DiagnosticReport]:
        """Yield ``game/duality_gap_exact`` of a game that knows it, and what the best responses of the players say.

        ``game/duality_gap_at_least``, ``game/gain_at_least/<player>`` and ``game/critic_gain_at_least/<name>`` are lower
        bounds, because the responses take finitely many steps; ``game/estimate/<name>`` is an estimate of the players.
        """
        if isinstance(game, HasDualityGap):
            yield exact_gap(game.duality_gap())
        players = list(game.turns())
        if len(players) < 2 or not self.steps:
            reason = "steps=0" if len(players) > 1 else "a game of one player has no opponents to respond to"
            yield skipped("duality_gap", reason)
            return
        optimizer = partial(Adam, lr=self.lr)
        best = {}
        for player in players:
            training = random_batches(data.train, self.batch_size, seed, player)
            best[player] = best_response(game, player, training, optimizer, self.steps, seed)
        after = {player: response.game for player, response in best.items()}
        batches = random_batches(data.shown, self.batch_size, seed, "heldout")
        heldout = [next(batches) for _ in range(self.batches)]
        gap = duality_gap(game, after, heldout, seed)
        gains = {f"game/gain_at_least/{player}": Value(*gain) for player, gain in gap.gains.items()}
        gaining = [player for player in players if still_gains(player, best[player], gap.gains[player].value, heldout, seed)]
        yield DiagnosticReport(
            {"game/duality_gap_at_least": Value(*gap.total)} | gains,
            {"remarks": [self.remark(gaining)]} if gaining else {},
        )
        if self.critic not in best:
            yield skipped("critic_gain", f"this game has no player named {self.critic!r}")
            return
        estimates = estimate_gain(game, after[self.critic], heldout, seed)
        if not estimates:
            yield skipped("critic_gain", "these players estimate no distance")
        for name, (before, gain) in estimates.items():
            remarks = [f"estimate/{name} is negative. {meaning(name)}"] if before.value < 0 and meaning(name) else []
            yield DiagnosticReport(
                {f"game/estimate/{name}": Value(*before), f"game/critic_gain_at_least/{name}": Value(*gain)},
                {"remarks": remarks} if remarks else {},
            )

    def remark(self, gaining: Sequence[str]) -> str:
        """Return the remark on players that had not come to the end of their best responses."""
        return (
            f"duality_gap_at_least: {' and '.join(gaining)} {'were' if len(gaining) > 1 else 'was'} still gaining after "
            f"{self.steps} steps: the gap is larger, or has no bound; raise diagnostics.steps"
        )


def exact_gap(value: float) -> DiagnosticReport:
    """Return the exact duality gap, with a remark if it is infinite."""
    remarks = {"remarks": ["duality_gap_exact: infinite, as a player can lower its loss without a bound"]}
    return DiagnosticReport({"game/duality_gap_exact": Value(value)}, {} if math.isfinite(value) else remarks)


def random_batches(dataset: Dataset, size: int, *words: int | str) -> Iterator[Batch]:
    """Yield batches of ``size`` samples drawn with replacement, forever, from a random stream seeded by ``words``."""
    stream = seeded_generator(*words, "diagnostics")
    while True:
        yield dataset.batch(torch.randint(len(dataset) or 1, (size,), generator=stream))


def eigenvalue_records(eigenvalues: tuple[Eigenvalue, ...]) -> list[dict[str, float]]:
    """Return eigenvalues as plain data."""
    return [{"re": each.value.real, "im": each.value.imag, "residual": each.residual} for each in eigenvalues]
