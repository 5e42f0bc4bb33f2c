"""linear_primal, linear_dual: a generator against a log-linear discriminator, as a game and as one ascent (Dualing GANs)."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan_cli import checks, drawing
from gan_cli.errors import UserError
from gan_cli.games.base import Turn, frozen
from gan_cli.games.generator_game import IndependentLatents
from gan_cli.games.protocols import History
from gan_cli.games.reporting import reported
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.models.base import Discriminator, Generator
from gan_cli.models.conditional import refuse_labels
from gan_cli.models.log_linear import LogLinear
from gan_cli.parallel.share import need_whole_batch
from gan_cli.types import Batch, Critic, Stats

NEWTON_STEPS = 15
"""Newton steps of the dual's ascent in the multipliers; a few reach 1e-12 if C is of the order of the number of samples."""
LENGTHS = 2.0 ** -torch.arange(12)
"""Lengths of a Newton step, of which the best is taken: backtracking in one batch, without waiting for the device."""


class LinearDiscriminatorGame(IndependentLatents):
    """max over theta, min over w of f = C/2 ||w||^2 + sum softplus(-w . phi(x)) + sum softplus(w . phi(G(z))).

    f is D's cross-entropy, summed, so that C scales with the number of samples (Li et al., 2017). With rows a = phi(x) of the
    data and a = -phi(G(z)) of the fakes it is C/2 ||w||^2 + sum softplus(-a . w), which is convex in w.

    Args:
        C: Weight > 0 of ||w||^2 / 2.
        fixed: Number of latents that are drawn once, at the start, so that with all the data in one batch f is a function of
            (w, theta); None: fresh ones in each turn, as many as there are data.

    Raises:
        UserError: If the discriminator is not log-linear, or the generator looks at labels.
    """

    fixed: Tensor

    def __init__(self, generator: Generator, discriminator: Discriminator, C: float, fixed: int | None = None) -> None:
        super().__init__()
        if not isinstance(discriminator, LogLinear):
            raise UserError("this game must know the discriminator's features: it takes model/discriminator=log_linear.")
        refuse_labels("this game compares samples without their labels", generator)
        checks.number("C", C, above=0)
        if fixed is not None:
            checks.count("fixed", fixed)
        self.generator, self.discriminator, self.C = generator, discriminator, C
        self.register_buffer("fixed", torch.randn(fixed or 0, *generator.latent_shape))
        self.seen: Tensor | None = None  # the data of the newest turn, for the picture only

    def set_latent(self, latent: str) -> None:
        super().set_latent(latent)
        self.fixed.copy_(self.latents(len(self.fixed)))

    def critic(self, y: Tensor | None = None) -> Critic:
        return lambda x: self.discriminator(x, y).to(x.dtype)

    def estimate(self, batch: Batch) -> Stats:
        fake = self.sample(self.latents(len(batch.x)))
        return NonSaturating().estimate(*map(self.critic(), (batch.x, fake)))

    def fakes(self, batch: Batch) -> Tensor:
        """Return G(z) for the fixed latents, or for as many fresh ones as the batch has samples."""
        need_whole_batch("this game sums over a whole batch")
        return self.sample(self.fixed if len(self.fixed) else self.latents(len(batch.x)))

    def rows(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the rows a, float64 ``[n + m, F]``: phi(x), then -phi(G(z))."""
        features = self.discriminator.features
        return torch.cat([features(real.double()), -features(fake.double())])

    @torch.no_grad()
    def dual_stats(self, a: Tensor, w: Tensor, alpha: Tensor, n: int) -> Stats:
        """Return both values and their difference, the largest distance of the multipliers s(alpha) from those that w implies,
        s(-a . w), and ``distance/moments``, ||sum phi(x) - sum phi(G(z))|| / N, which is all that D at w = 0 can learn from;
        D's judgement of the ``n`` data, which are the first rows, and of the fakes.
        """
        f, g = primal(a, w, self.C), dual(a, alpha, self.C)
        margins = a @ w
        apart = (torch.sigmoid(alpha) - torch.sigmoid(-margins)).abs().max()
        values = {"value/primal": f, "value/dual": g, "duality/gap": f - g, "duality/multipliers": apart}
        judgement = NonSaturating().judgement(margins[:n], -margins[n:])
        return values | {"distance/moments": a.sum(0).norm() / len(a)} | judgement

    def picture(self, history: History) -> np.ndarray | None:
        """Draw data and fakes coloured by their multipliers over D, and f and its dual so far; points of the plane only."""
        if self.seen is None or self.seen.shape[1:] != (2,):
            return None
        fake = self.fakes(Batch(self.seen))
        lambdas = [torch.sigmoid(self.discriminator(x)).cpu() for x in (self.seen, fake)]
        rows = [row for row in history() if row.get("value/dual") is not None]
        figure = drawing.new_figure(11, 5)
        plane, values = figure.subplots(1, 2, width_ratios=[1.2, 1])
        shown = drawing.contours(plane, self.seen.cpu(), self.critic_on_cpu())
        for x, colours, marker, name in zip((self.seen, fake), lambdas, "os", ("data, λ_x", "G(z), λ_z"), strict=True):
            kind = {"cmap": "coolwarm", "vmin": 0, "vmax": 1, "marker": marker, "edgecolors": "black", "linewidths": 0.4}
            dots = plane.scatter(*x.cpu().T, s=26, c=colours, label=name, **kind)
        figure.colorbar(shown, ax=plane, label="D(x), logit", shrink=0.8)
        figure.colorbar(dots, ax=plane, label="λ = s(D)", shrink=0.8)
        plane.legend(loc="upper right", framealpha=0.9)
        for tag, colour in (("value/primal", drawing.BLUE), ("value/dual", drawing.ORANGE)):
            values.plot([row["step"] for row in rows], [row[tag] for row in rows], color=colour, label=tag)
        values.set(xlabel="round", ylabel="value of the game, nats")
        values.axhline(math.log(2) * (len(self.seen) + len(fake)), color=drawing.GREY, linestyle=":", label="D knows nothing")
        values.grid(alpha=0.3)
        values.legend()
        return drawing.render(figure)

    def critic_on_cpu(self) -> Critic:
        """Return the critic for points that are on the CPU."""
        critic = self.critic()
        return lambda x: critic(x.to(self.device)).cpu()


class LinearPrimal(LinearDiscriminatorGame):
    """The game itself: D descends f in w, G ascends it in theta.

    With data at 0, one fake at theta and D(x) = w x, the field (-df/dw, df/dtheta) at the equilibrium has the eigenvalues
    -C/2 +- sqrt(C^2/4 - 1/4), so that the players spiral below C = 1. For n data and n fakes they are n times those at C/n.
    """

    def turns(self) -> Mapping[str, Turn]:
        return {
            "discriminator": self.turn("discriminator", loss=self.discriminator_loss),
            "generator": self.turn("generator", loss=self.generator_loss),
        }

    def discriminator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return f; ``value/dual`` is the dual at the multipliers s(-a . w), a lower bound of min over w of f."""
        with frozen():
            fake = self.fakes(batch)
        self.seen = batch.x
        a, w = self.rows(batch.x, fake), self.discriminator.weight.double()
        return primal(a, w, self.C), reported(lambda: self.dual_stats(a, w, -a @ w, len(batch.x)))

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return -f without the terms that do not depend on G."""
        return -softplus(self.critic()(self.fakes(batch).double())).sum(), {}


class LinearDual(LinearDiscriminatorGame):
    """The dual of the game, max over theta and 0 <= lambda <= 1 of

    g = -1/2C ||sum (1 - lambda_x) phi(x) - sum lambda_z phi(G(z))||^2 + sum H(lambda_x) + sum H(lambda_z).

    Both players maximize it, so that no rotation is left. At the optimum in lambda g equals min over w of f, with
    lambda_x = s(w . phi(x)), lambda_z = s(w . phi(G(z))) and w = (sum (1 - lambda_x) phi(x) - sum lambda_z phi(G(z))) / C.

    In each turn the lambdas of the batch are found by Newton's ascent of g, then G ascends g, and D's weights are set to w.
    The discriminator has no turn of its own.
    """

    def turns(self) -> Mapping[str, Turn]:
        return {"generator": self.turn("generator", loss=self.generator_loss, after=self.set_discriminator)}

    def set_discriminator(self) -> None:
        """Set D's weights to the w of the last computed loss."""
        with torch.no_grad():
            self.discriminator.weight.copy_(self.w)

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return -g at the optimal multipliers."""
        self.seen = batch.x
        a = self.rows(batch.x, self.fakes(batch))
        alpha = maximised(a, self.C)
        self.w = (a.T @ torch.sigmoid(alpha) / self.C).detach()
        return -dual(a, alpha, self.C), reported(lambda: self.dual_stats(a, self.w, alpha, len(batch.x)))


def primal(a: Tensor, w: Tensor, C: float) -> Tensor:
    """Return f(w) = C/2 ||w||^2 + sum softplus(-a . w) for rows ``a`` ``[N, F]``."""
    return C / 2 * w.square().sum() + softplus(-a @ w).sum()


def dual(a: Tensor, alpha: Tensor, C: float) -> Tensor:
    """Return g = -1/2C ||sum mu a||^2 + sum H(mu) for mu = s(alpha), ``alpha`` ``[..., N]``; H in nats, exact near 0 and 1.

    mu is 1 - lambda for data and lambda for fakes: the probability that D assigns to the wrong answer.
    """
    mu = torch.sigmoid(alpha)
    entropy = mu * softplus(-alpha) + (1 - mu) * softplus(alpha)
    return entropy.sum(-1) - (mu @ a).square().sum(-1) / (2 * C)


def maximised(a: Tensor, C: float) -> Tensor:
    """Return the alpha ``[N]`` that maximizes the dual, as a differentiable function of ``a`` ``[N, F]``.

    Newton's ascent from lambda = 1/2, each step with the best of ``LENGTHS`` (or 0). The last step is taken inside the graph,
    which makes the derivative of alpha in ``a`` right; the derivative of g would be right without it (envelope theorem).
    """
    fixed, alpha = a.detach(), torch.zeros_like(a[:, 0])
    lengths = torch.cat([LENGTHS.new_zeros(1), LENGTHS]).to(a)[:, None]
    for _ in range(NEWTON_STEPS):
        candidates = alpha + lengths * newton(fixed, alpha, C)
        alpha = candidates.index_select(0, dual(fixed, candidates, C).argmax(0, keepdim=True))[0]
    return alpha + newton(a, alpha, C)


def newton(a: Tensor, alpha: Tensor, C: float) -> Tensor:
    """Return Newton's step for the optimality condition alpha + a . w = 0, w = sum s(alpha) a / C; an ascent direction of g.

    -(I + a a' D / C)^-1 (alpha + a . w) with D = diag mu (1 - mu), by Woodbury's identity in the space of the features.
    """
    mu = torch.sigmoid(alpha)
    residual = alpha + a @ (mu @ a) / C
    weighted = (mu * (1 - mu))[:, None] * a
    inner = C * torch.eye(a.shape[1], dtype=a.dtype, device=a.device) + a.T @ weighted
    return a @ torch.linalg.solve(inner, residual @ weighted) - residual
