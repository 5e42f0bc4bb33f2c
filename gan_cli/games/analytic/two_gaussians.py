"""A discriminator and a critic that are trained to optimality between two Gaussians."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from gan_cli import checks, drawing
from gan_cli.data.base import Data
from gan_cli.errors import UserError
from gan_cli.games.base import Game, Turn, penalized
from gan_cli.games.objective import Objective, Part
from gan_cli.games.protocols import History
from gan_cli.games.reporting import reported
from gan_cli.losses.minimax import Minimax
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.models.base import Discriminator
from gan_cli.parallel import draws
from gan_cli.precision import widened
from gan_cli.regularizers.base import Judged
from gan_cli.regularizers.weight_clipping import WeightClipping
from gan_cli.types import Batch, Stats

Curve = Callable[[Tensor], Tensor]
"""Points of the line ``[n]`` -> values ``[n]``."""


class TwoGaussians(Game):
    """Real N(real, std^2) against fake N(fake, std^2), both fixed and drawn here (Arjovsky et al., 2017, figure 2).

    The ``discriminator`` learns by cross-entropy: D* = p / (p + q) = s((real - fake)(x - (real + fake) / 2) / std^2), which is
    flat wherever one law has all the mass. The ``critic`` starts as a copy of it and learns by the Wasserstein loss under the
    regularizers: W_1 = |real - fake|, and under a gradient penalty its slope stays near 1. Samples are fakes.

    Args:
        discriminator: Network of both players.
        real: Mean of the real law.
        fake: Mean of the fake law.
        std: Standard deviation > 0 of both.
    """

    uses: ClassVar[tuple[Part, ...]] = ("regularizer",)

    def __init__(self, discriminator: Discriminator, objective: Objective, real: float, fake: float, std: float) -> None:
        super().__init__(objective)
        checks.number("real", real)
        checks.number("fake", fake)
        checks.number("std", std, above=0)
        self.real, self.fake, self.std = real, fake, std
        self.discriminator = discriminator
        self.wasserstein_critic = self.regularized(critic=deepcopy(discriminator))["critic"]

    @classmethod
    def check(cls, data: Data) -> None:
        """Check that samples are points on a line.

        Raises:
            UserError: If they are not.
        """
        if data.shape != (1,):
            raise UserError("game=two_gaussians draws its own points on a line: it takes dataset=nothing.")

    def players(self) -> Mapping[str, nn.Module]:
        return {"discriminator": self.discriminator, "critic": self.wasserstein_critic}

    def regularized_as(self, player: str) -> tuple[str, ...]:
        """Return the names of the critic, the only player that is regularized; ``discriminator`` is the config's default."""
        return ("critic", "discriminator") if player == "critic" else ()

    def turns(self) -> Mapping[str, Turn]:
        return {
            "discriminator": self.turn("discriminator", loss=self.discriminator_loss),
            "critic": self.turn("critic", loss=self.critic_loss),
        }

    def draw(self, n: int) -> tuple[Tensor, Tensor]:
        """Draw ``n`` real and ``n`` fake points ``[n, 1]``."""
        return self.real + self.std * self.latents(n), self.fake + self.std * self.latents(n)

    def discriminator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return the cross-entropy, and report the estimate of JS and D's judgement."""
        logits = [widened(self.discriminator(x)) for x in self.draw(len(batch.x))]
        estimate = {"estimate/js": Minimax().estimate(*logits)["js"]}
        return Minimax().discriminator_loss(*logits), estimate | reported(lambda: Minimax().judgement(*logits))

    def critic_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return the Wasserstein loss + penalties, and report the estimate of W_1."""
        network = self.wasserstein_critic
        real, fake = self.draw(len(batch.x))
        judged = Judged(real, fake, widened(network(real)), widened(network(fake)))
        loss = Wasserstein().discriminator_loss(judged.real_logits, judged.fake_logits)
        penalties = self.penalties("critic", network, judged)
        judgement = reported(lambda: Wasserstein().judgement(judged.real_logits, judged.fake_logits))
        stats = {"adversarial": loss} | penalties | {"estimate/wasserstein": -loss} | judgement
        return penalized(loss, penalties), stats

    def latents(self, n: int) -> Tensor:
        return draws.randn(n, 1, device=self.device)

    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        return self.fake + self.std * latents

    def optimum(self, x: Tensor) -> Tensor:
        """Return D*(x)."""
        return torch.sigmoid((self.real - self.fake) * (x.double() - (self.real + self.fake) / 2) / self.std**2)

    def curves(self) -> dict[str, Curve]:
        """Return D as a probability, the critic f, and D*, as functions on the line."""
        return {
            "discriminator": lambda x: torch.sigmoid(self.discriminator(x[:, None]).double()),
            "critic": lambda x: self.wasserstein_critic(x[:, None]),
            "optimum": self.optimum,
        }

    def measure(self, step: int) -> Mapping[str, float]:
        """Return slopes and errors of the curves discriminator, critic and optimum (D*).

        * ``slope/<curve>``: |d/dx| at the mean of the fakes
        * ``mean_slope/<curve>``: its mean over the fakes
        * ``least_slope/<curve>``: its minimum between the two means
        * ``error/discriminator``: mean |D - D*| over both laws
        * ``w/critic``: E f(real) - E f(fake); ``w/exact``: W_1
        * ``at_bound/critic``: share of the critic's weights at the bound, if weights are clipped
        """
        numbers = {}
        fakes, reals = (_quantiles(mean, self.std, self.device) for mean in (self.fake, self.real))
        between = torch.linspace(self.fake, self.real, 201, device=self.device)
        curves = self.curves()
        for name, curve in curves.items():
            numbers[f"slope/{name}"] = float(slope(curve, between[:1]))
            numbers[f"mean_slope/{name}"] = float(slope(curve, fakes).mean())
            numbers[f"least_slope/{name}"] = float(slope(curve, between).min())
        both = torch.cat([fakes, reals])
        numbers["error/discriminator"] = float((curves["discriminator"](both) - self.optimum(both)).abs().mean())
        numbers["w/critic"] = float(curves["critic"](reals).mean() - curves["critic"](fakes).mean())
        for regularizer in self.regularizers_of("critic").values():
            if isinstance(regularizer, WeightClipping):
                numbers["at_bound/critic"] = regularizer.share_at_bound(self.wasserstein_critic.parameters())
        return numbers | {"w/exact": abs(self.real - self.fake)}

    def picture(self, history: History) -> np.ndarray:
        """Plot both densities with D and f, and below them their slopes."""
        low, high = sorted((self.real, self.fake))
        across = torch.linspace(low - 4 * self.std, high + 4 * self.std, 400, device=self.device)
        peaks = (_quantiles(mean, self.std, self.device) for mean in (low, high))  # narrow ones lie between the other points
        x = torch.cat([across, *peaks]).sort().values
        real, fake = (Normal(mean, self.std).log_prob(x).exp().cpu().numpy() for mean in (self.real, self.fake))
        curves = (self.curves()[name] for name in ("discriminator", "critic"))
        discriminator, critic = (
            drawing.Judge(curve(x).detach().cpu().numpy(), slope(curve, x).cpu().numpy()) for curve in curves
        )
        return drawing.judges(x.cpu().numpy(), real, fake, discriminator, critic, slope(self.optimum, x).cpu().numpy())


def slope(curve: Curve, x: Tensor) -> Tensor:
    """Return |d curve / dx| at the points ``x``, ``[n]``."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(curve(x).sum(), x)
    return gradient.abs()


def _quantiles(mean: float, std: float, device: torch.device) -> Tensor:
    """Return a thousand quantiles of the law, which give means of smooth functions without sampling noise."""
    u = (torch.arange(1000, device=device) + 0.5) / 1000
    return mean + std * torch.special.ndtri(u)
