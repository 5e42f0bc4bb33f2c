"""The density of the data that the discriminator implies, D / (1 - D) p_g, beside the data."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from gan_cli import checks, drawing
from gan_cli.data.base import Data
from gan_cli.diagnostics.base import DiagnosticReport, Diagnostics
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.games.sampling import choose, eval_mode, generate, preserve_buffers
from gan_cli.metrics.base import Value

LARGEST = 30.0
"""Bound of log p / q, so that its exponential stays finite."""
MARGIN = 0.1
"""Margin around the real points, as a share of their range."""


@dataclass(frozen=True)
class ImpliedDensity(Diagnostics):
    """p = q D / (1 - D), the density that D takes the data for, given the density q of the generator.

    An optimal D has D / (1 - D) = p / q (Goodfellow et al., 2014, proposition 1). For other losses p / q follows from the
    logits in the same way, see ``Loss.log_ratio``. p and q are histograms of samples on the line or in the plane.

    Args:
        batch_size: Number of points of each kind; all of the data if there are fewer.
        bins: Cells of the histograms along each axis.

    Raises:
        UserError: If a field is below 2.
    """

    family: ClassVar[str] = "density"
    batch_size: int = 10_000
    bins: int = 40

    def __post_init__(self) -> None:
        checks.count("batch_size", self.batch_size, 2)
        checks.count("bins", self.bins, 2)

    @property
    def size(self) -> int:
        return self.batch_size

    def diagnose(self, game: Game, data: Data, seed: int) -> DiagnosticReport:
        """Return ``density/tv``, ``density/tv_generator`` and ``density/mass``, and the picture ``density``.

        ``density/tv`` is the total variation between the data and the density that D implies, ``density/tv_generator`` that
        between the data and the generator, each of histograms. ``density/mass`` is E p / q over the fakes: 1 for an optimal D.

        Raises:
            UserError: If the samples are no points of one or two coordinates, the players look at labels, or the logits of the
                loss do not tell p / q.
        """
        real, fake = self._samples(game, data, seed)
        edges = [_edges(real[:, axis], self.bins) for axis in range(real.shape[1])]
        cells = torch.cartesian_prod(*((edge[1:] + edge[:-1]) / 2 for edge in edges)).reshape(-1, len(edges))
        p, q = (_density(x, edges) for x in (real, fake))
        with torch.no_grad(), eval_mode(game), preserve_buffers(game):
            log_ratio, at_fakes = (_log_ratio(game, x) for x in (cells, fake))
        implied = q * log_ratio.exp().reshape(q.shape)
        volume = float(np.prod([float(edge[1] - edge[0]) for edge in edges]))
        mass = at_fakes.exp()
        values = {
            "density/tv": Value(float((p - implied).abs().sum()) * volume / 2),
            "density/tv_generator": Value(float((p - q).abs().sum()) * volume / 2),
            "density/mass": Value(float(mass.mean()), float(mass.std()) / len(mass) ** 0.5, higher_is_better=None),
        }
        D = log_ratio.sigmoid().reshape(q.shape)
        tables = [table.numpy() for table in (p, q, implied, D)]
        picture = drawing.implied_density([edge.numpy() for edge in edges], *tables)
        return DiagnosticReport(values, {"skipped": {}}, {"density": picture})

    def _samples(self, game: Game, data: Data, seed: int) -> tuple[Tensor, Tensor]:
        if len(data.shape) != 1 or data.shape[0] > 2 or data.train.unlimited:
            raise UserError("diagnostics=density is for points on the line or in the plane, such as dataset=ring.")
        if game.conditional or game.critic() is None:
            raise UserError("diagnostics=density needs a discriminator of samples alone, as game=gan has.")
        loss = game.objective.loss
        if loss is None or loss.log_ratio(torch.zeros(1)) is None:
            raise UserError(
                "diagnostics=density: the logits of this loss do not tell p / q, the density of the data over that of fakes.\n"
                "Those of loss=non_saturating, minimax, least_squares and f_gan_kl do, for instance."
            )
        real = choose(data.train, self.batch_size, seed).x
        return real.double(), generate(game, len(real), seed).double().cpu()


def _log_ratio(game: Game, x: Tensor) -> Tensor:
    """Return log p / q at the points ``[N, d]`` by the discriminator's logits, float64 ``[N]`` on the CPU."""
    critic, loss = game.critic(), game.objective.loss
    assert critic is not None
    assert loss is not None
    ratio = loss.log_ratio(critic(x.float().to(game.device)).reshape(len(x), -1).mean(1))
    assert ratio is not None
    return ratio.double().cpu().clamp(-LARGEST, LARGEST)


def _edges(x: Tensor, bins: int) -> Tensor:
    low, high = float(x.min()), float(x.max())
    margin = MARGIN * (high - low) or 1.0
    return torch.linspace(low - margin, high + margin, bins + 1, dtype=torch.float64)


def _density(x: Tensor, edges: list[Tensor]) -> Tensor:
    """Return the histogram of points ``[N, d]`` as a density; points outside count for no cell."""
    counts, _ = torch.histogramdd(x, edges)
    return counts / len(x) / float(np.prod([float(edge[1] - edge[0]) for edge in edges]))
