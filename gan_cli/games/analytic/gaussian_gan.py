"""A GAN on the line whose optimal discriminator is known at every step (Goodfellow et al., 2014, figure 1)."""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gan_cli import checks, drawing
from gan_cli.errors import UserError
from gan_cli.games.analytic.normal_laws import Law, js, mean_over, quadrature, wasserstein
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective, Part
from gan_cli.games.protocols import History
from gan_cli.models.affine import Affine
from gan_cli.models.base import Discriminator, Generator
from gan_cli.parallel import draws
from gan_cli.types import Batch, Stats


class GaussianGAN(GAN):
    """Data N(mean, std^2), drawn anew for each batch, against an affine generator of a Gaussian z, so that p_g is known.

    The discriminator should approach D* = p_data / (p_data + p_g) while the generator rests, and 1/2 in the end.

    Args:
        mean: Mean of the data.
        std: Standard deviation > 0 of the data.

    Raises:
        UserError: If the generator is not affine.
    """

    uses: ClassVar[tuple[Part, ...]] = ("loss", "regularizer")

    def __init__(
        self, generator: Generator, discriminator: Discriminator, objective: Objective, mean: float, std: float
    ) -> None:
        if not isinstance(generator, Affine) or generator.latent_dim != 1:
            raise UserError(
                "this game needs a generator whose law on the line is known: model/generator=affine, with dataset=nothing."
            )
        checks.number("mean", mean)
        checks.number("std", std, above=0)
        super().__init__(generator, discriminator, objective)
        self.mean, self.std = mean, std

    def set_latent(self, latent: str) -> None:
        """Refuse another law.

        Raises:
            UserError: Always.
        """
        raise UserError(f"latent={latent}: game=gaussian_gan needs a Gaussian z, so that p_g is known. Leave it out.")

    def data(self, n: int) -> Batch:
        """Draw ``n`` new points ``[n, 1]``."""
        return Batch(self.mean + self.std * draws.randn(n, 1, device=self.device))

    def discriminator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        return super().discriminator_loss(self.data(len(batch.x)))

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        return super().generator_loss(self.data(len(batch.x)))

    def estimate(self, batch: Batch) -> Stats:
        return super().estimate(self.data(len(batch.x)))

    def affine(self) -> tuple[float, float]:
        """Return the generator's mean and factor: G(z) = mean + factor z."""
        assert isinstance(self.generator, Affine)
        return float(self.generator.mean), float(self.generator.std)

    def laws(self) -> tuple[Law, Law]:
        """Return the laws of the data and of the fakes, both in units of the data: (x - ``mean``) / ``std``.

        These units keep all digits of narrow laws that are far from 0. A generator of standard deviation 0 has a tiny one.
        """
        mean, std = self.affine()
        mean, std = (mean - self.mean) / self.std, abs(std) / self.std
        return Law(0.0, 1.0), Law(mean, max(std, 1e-9 * max(1.0, abs(mean))))

    def curves(self, units: Tensor) -> "Curves":
        """Return both densities, D and D* at these points of the line ``[n]``, in units of the data."""
        log_p, log_q = (law.log_density(units) for law in self.laws())
        x = self.mean + self.std * units
        D = torch.sigmoid(self.discriminator(x[:, None].float().to(self.device)).double().cpu())
        return Curves(x, log_p.exp() / self.std, log_q.exp() / self.std, D, torch.sigmoid(log_p - log_q))

    def measure(self, step: int) -> Mapping[str, float]:
        """Return errors of the discriminator, exact distances and the generator's moments.

        ``discriminator/error`` = E |D - D*| and ``discriminator/from_half`` = E |D - 1/2| over half data, half fakes;
        ``js/exact`` and ``w/exact`` between the laws; the generator's mean and standard deviation.
        """
        p, q = self.laws()
        points = quadrature(p, q)
        curves = self.curves(points.x)
        error, from_half = (curves.D - curves.best).abs(), (curves.D - 0.5).abs()
        return {
            "discriminator/error": (mean_over(p, error, points) + mean_over(q, error, points)) / 2,
            "discriminator/from_half": (mean_over(p, from_half, points) + mean_over(q, from_half, points)) / 2,
            "js/exact": js(p, q),
            "w/exact": wasserstein(p, q) * self.std,
            "generator/mean": self.affine()[0],
            "generator/std": abs(self.affine()[1]),
        }

    def picture(self, history: History) -> np.ndarray:
        """Plot p_data, p_g, D and D*, and below them the generator's map of z, as in the paper's figure 1."""
        low, high = self.window()
        across = (torch.linspace(low, high, 2001, dtype=torch.float64) - self.mean) / self.std
        points = torch.cat([across, quadrature(*self.laws()).x]).sort().values  # narrow peaks lie between the first ones
        x, p, q, D, best = (values.numpy() for values in self.curves(points))
        return drawing.densities(x, p, q, D, best, self.affine(), self.window())

    def window(self) -> tuple[float, float]:
        """Return the range of the picture, the same at every step: it covers z and the data."""
        return min(-3.0, self.mean - 3 * self.std), max(3.0, self.mean + 3 * self.std)


class Curves(NamedTuple):
    """Densities p of the data and q of the generator, D and D* at the points ``x``; float64 ``[n]`` each."""

    x: Tensor
    p: Tensor
    q: Tensor
    D: Tensor
    best: Tensor
