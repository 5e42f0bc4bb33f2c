"""Two heaps of earth on a line: a worked example of the earth mover's distance, and a critic that finds it."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from gan_cli import drawing
from gan_cli.errors import UserError
from gan_cli.games.base import Game, Turn
from gan_cli.games.protocols import History
from gan_cli.metrics.points.discrete import kantorovich_rubinstein, optimal_transport, transport_by_cdf
from gan_cli.parallel import draws
from gan_cli.types import Batch, Stats


class EarthMover(Game):
    """Two heaps of equal total on the line: the shovelfuls to be moved, and W_1 of the normalized heaps.

    The only player is the critic of the Kantorovich-Rubinstein dual, max over 1-Lipschitz f of E_p f - E_q f. f is piecewise
    linear between neighbouring positions; its slopes are learned and clipped to [-1, 1] after each step. The dual is linear
    in the slopes, so that the estimate never falls and reaches W_1 exactly. Samples follow q.

    Args:
        p: Shovelfuls of the first heap at each position.
        q: Shovelfuls of the second heap at each position.
        positions: Positions on the line, increasing.
    """

    t: Tensor
    p: Tensor
    q: Tensor

    def __init__(self, p: Sequence[float], q: Sequence[float], positions: Sequence[float]) -> None:
        super().__init__()
        if not len(p) == len(q) == len(positions) > 1 or sorted(set(positions)) != list(positions):
            raise UserError("game: p, q and positions must be of one length, at least 2, and the positions must rise.")
        for name, values in (("t", positions), ("p", p), ("q", q)):
            self.register_buffer(name, torch.tensor([float(value) for value in values], dtype=torch.float64))
        cost = (self.t[:, None] - self.t).abs()
        self.plan = optimal_transport(self.p, self.q, cost).plan
        self.total = float(self.p.sum())
        shares = self.p / self.total, self.q / self.total
        self.exact = {
            "w/shovelfuls": optimal_transport(self.p, self.q, cost).value,
            "w/plan": optimal_transport(*shares, cost).value,
            "w/dual": kantorovich_rubinstein(*shares, cost).value,
            "w/cdf": transport_by_cdf(*shares, self.t),
        }
        self.critic_slopes = nn.Parameter(torch.zeros(len(p) - 1, dtype=torch.float64))

    def players(self) -> Mapping[str, nn.Module]:
        return {"critic": nn.ParameterList([self.critic_slopes])}

    def turns(self) -> Mapping[str, Turn]:
        return {"critic": self.turn("critic", loss=self.loss, after=self.clip)}

    def heights(self) -> Tensor:
        """Return f at the positions, 0 at the first."""
        return torch.cat([self.t.new_zeros(1), (self.critic_slopes * self.t.diff()).cumsum(0)])

    def loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return E_q f - E_p f."""
        return (self.heights() * (self.q - self.p)).sum() / self.p.sum(), {}

    @torch.no_grad()
    def clip(self) -> None:
        """Make f 1-Lipschitz again."""
        self.critic_slopes.clamp_(-1, 1)

    def latents(self, n: int) -> Tensor:
        return draws.rand(n, 1, device=self.device)

    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the quantile function of q at ``latents``."""
        cumulated = (self.q.cumsum(0) / self.q.sum()).to(latents)
        return self.t.to(latents)[(latents > cumulated[:-1]).sum(1, keepdim=True)]

    def measure(self, step: int) -> Mapping[str, float]:
        """Return ``w/critic``, the critic's estimate, and the exact values by plan, dual and cumulated shares."""
        loss, _ = self.loss(Batch(self.t))
        return {"w/critic": -float(loss), **self.exact}

    def picture(self, history: History) -> np.ndarray:
        """Plot the heaps with the optimal plan, the critic, and its estimate over the rounds."""
        return drawing.earth_mover(
            self.t.cpu().numpy(),
            (self.p.cpu().numpy(), self.q.cpu().numpy()),
            self.plan.cpu().numpy(),
            self.heights().detach().cpu().numpy(),
            {row["step"]: row["w/critic"] for row in history() if "w/critic" in row},
            shovelfuls=self.exact["w/shovelfuls"],
            exact=self.exact["w/plan"],
        )
