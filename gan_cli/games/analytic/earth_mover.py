"""Two heaps of earth on a line: the worked example of the earth mover's distance, and a critic that finds it."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor, nn

from gan_cli import drawing
from gan_cli.errors import UserError
from gan_cli.games.base import Game, History, Turn
from gan_cli.metrics.points.discrete import kantorovich_rubinstein, optimal_transport, transport_by_cdf
from gan_cli.types import Batch, Stats


class EarthMover(Game):
    """Heaps ``p`` and ``q`` of equal total at ``positions`` on the line: shovelfuls to be moved, and W_1 once normalised.

    One player, the critic of the Kantorovich-Rubinstein dual, max over 1-Lipschitz f of E_p f - E_q f: f is piecewise linear
    between neighbouring positions, its slopes are what is learnt, clipped to [-1, 1] after each step. The dual is linear in
    the slopes, so that the estimate never falls and comes to W_1 exactly. Samples follow q.
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

    def turns(self) -> Mapping[str, Turn]:
        return {"critic": Turn([self.critic_slopes], self.loss, self.clip)}

    def heights(self) -> Tensor:
        """f at the positions, 0 at the first."""
        return torch.cat([self.t.new_zeros(1), (self.critic_slopes * self.t.diff()).cumsum(0)])

    def loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """E_q f - E_p f."""
        return (self.heights() * (self.q - self.p)).sum() / self.p.sum(), {}

    @torch.no_grad()
    def clip(self) -> None:
        """Makes f 1-Lipschitz again."""
        self.critic_slopes.clamp_(-1, 1)

    def latents(self, n: int) -> Tensor:
        return torch.rand(n, 1, device=self.device)

    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        """The quantile function of q at ``latents``."""
        cumulated = (self.q.cumsum(0) / self.q.sum()).to(latents)
        return self.t.to(latents)[(latents > cumulated[:-1]).sum(1, keepdim=True)]

    def measure(self, step: int) -> Mapping[str, float]:
        """``w/critic``, the critic's estimate, beside the exact values by plan, dual and cumulated shares."""
        loss, _ = self.loss(Batch(self.t))
        return {"w/critic": -float(loss), **self.exact}

    def picture(self, history: History) -> np.ndarray:
        """The heaps with the optimal plan; the critic; its estimate over the rounds."""
        figure = drawing.new_figure(13, 4)
        heaps, critic, estimate = figure.subplots(1, 3)
        t = self.t.cpu().numpy()
        width = 0.35 * float(np.diff(t).min())
        heaps.bar(t - width / 2, self.p.cpu().numpy(), width, color=drawing.GREY, label="P")
        heaps.bar(t + width / 2, self.q.cpu().numpy(), width, color=drawing.ORANGE, label="Q")
        self._arrows(heaps, top=1.15 * float(torch.cat([self.p, self.q]).max()))
        heaps.set(title=f"{self.exact['w/shovelfuls']:g} shovelfuls times distance", xlabel="position", ylabel="shovelfuls")
        heaps.legend(loc="upper left", ncols=2)
        critic.plot(t, self.heights().detach().cpu().numpy(), color=drawing.BLUE, marker="o")
        critic.set(title="critic f, slopes within ±1", xlabel="position", ylabel="f")
        rows = [row for row in history() if "w/critic" in row]
        estimate.axhline(self.exact["w/plan"], color=drawing.GREY, linewidth=5, alpha=0.5, label="exact W₁")
        estimate.plot([row["step"] for row in rows], [row["w/critic"] for row in rows], color=drawing.BLUE, label="critic")
        estimate.set(title="E f(P) − E f(Q), the critic's estimate", xlabel="round", ylim=(0, 1.2 * self.exact["w/plan"]))
        estimate.legend(loc="lower right")
        for axes in (critic, estimate):
            axes.grid(alpha=0.3)
        return drawing.render(figure)

    def _arrows(self, axes: Axes, top: float) -> None:
        """What the plan moves, one above the other."""
        moves = [(i, j) for i, j in self.plan.nonzero().tolist() if i != j]
        for level, (i, j) in enumerate(moves):
            height = top + 0.5 * level
            start, end = float(self.t[i]), float(self.t[j])
            axes.annotate("", (end, height), (start, height), arrowprops={"arrowstyle": "->", "color": drawing.BLUE, "lw": 1.5})
            axes.text((start + end) / 2, height + 0.06, f"{float(self.plan[i, j]):g}", ha="center", color=drawing.BLUE)
        axes.set_ylim(0, top + 0.5 * len(moves) + 1)
