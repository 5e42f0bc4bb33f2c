"""The GAN of Goodfellow et al., 2014, on finitely many points, with the optimal discriminator in every round."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gan_cli import drawing
from gan_cli.errors import FieldError
from gan_cli.games.base import Game, Turn
from gan_cli.games.protocols import History
from gan_cli.metrics.points.discrete import js
from gan_cli.parallel import draws
from gan_cli.types import Batch, Stats


class IdealGAN(Game):
    """min over q of C(q) = max over D of E_p log D + E_q log(1 - D) = -log 4 + 2 JS(p, q), for a table q = softmax(logits).

    D* = p / (p + q) is computed instead of learned, and held fixed in the gradient, which by the envelope theorem is that of C
    (the paper's proposition 2).

    C cannot rise under gradient steps of a rate below 2 / 3.2 = 0.62 (descent lemma). With c = log(1 - D*), which is at most
    0 with -log 2 <= E_q c (Jensen), J = diag q - q q' and v of length 1, its Hessian in the logits is

        v'Hv = E v^2 (c - Ec) - 2 Ev E v (c - Ec) + v'J diag(D*/q) Jv <= log 2 + 2 sqrt(2) log 2 + 1/2 < 3.2.

    Samples are the numbers of the points.

    Args:
        p: Probabilities of the data, all above 0.
        q: Probabilities of the generator at the start, all above 0.
    """

    p: Tensor

    def __init__(self, p: Sequence[float], q: Sequence[float]) -> None:
        super().__init__()
        for name, values in (("p", p), ("q", q)):
            if len(values) != len(p) or min(values) <= 0 or not math.isclose(sum(values), 1, rel_tol=1e-6):
                raise FieldError(name, list(values), f"it needs {len(p)} probabilities above 0 that sum to 1.")
        self.register_buffer("p", torch.tensor(list(p), dtype=torch.float64) / sum(p))
        self.logits = nn.Parameter(torch.tensor(list(q), dtype=torch.float64).log())

    def players(self) -> Mapping[str, nn.Module]:
        return {"generator": nn.ParameterList([self.logits])}

    def turns(self) -> Mapping[str, Turn]:
        return {"generator": self.turn("generator", loss=self.loss)}

    def tables(self) -> "Tables":
        """Return q and D*."""
        q = self.logits.softmax(0)
        return Tables(q, (self.p / (self.p + q)).detach())

    def loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return C(q) with D* fixed."""
        q, best = self.tables()
        return (self.p * best.log()).sum() + (q * (1 - best).log()).sum(), {}

    def latents(self, n: int) -> Tensor:
        return draws.rand(n, 1, device=self.device)

    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        cumulated = self.tables().q.cumsum(0).to(latents)
        return (latents > cumulated[:-1]).sum(1, keepdim=True).to(latents.dtype)

    def measure(self, step: int) -> Mapping[str, float]:
        """Return C by the value function and by 2 JS, the distance of D* to 1/2, and 2 JS, which is C's distance to -log 4."""
        q, best = self.tables()
        twice = 2 * js(self.p, q)
        value, _ = self.loss(Batch(self.p))
        return {
            "criterion/value": float(value),
            "criterion/js": twice - math.log(4),
            "criterion/above_minimum": twice,
            "discriminator/from_half": float((best - 0.5).abs().max()),
        }

    def picture(self, history: History) -> np.ndarray:
        """Plot p, q and D* on the points."""
        q, best = (table.detach().cpu().numpy() for table in self.tables())
        return drawing.tables(self.p.cpu().numpy(), q, best)


class Tables(NamedTuple):
    """The generator's probabilities and the optimal discriminator's outputs ``[n]``."""

    q: Tensor
    best: Tensor
