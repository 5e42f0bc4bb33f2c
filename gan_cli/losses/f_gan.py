"""f_gan_kl, f_gan_reverse_kl, f_gan_pearson, f_gan_hellinger, f_gan_js: variational bounds of five f-divergences."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan_cli import checks
from gan_cli.losses.base import Loss
from gan_cli.types import Stats

TAME = 10.0
"""Logits within +-TAME are used as they are; beyond, they grow as a logarithm, so that their exponential grows linearly."""


@dataclass(frozen=True)
class FGAN(Loss):
    """D_f(P || Q) = E_Q f(p / q) >= E_P T - E_Q f*(T) for any T within the domain of f* (Nowozin et al., 2016).

    T = g_f(D(x)) with the paper's output activation g_f, which is increasing and maps logits onto that domain.
    L_D = -E T(x) + E f*(T(G(z))).  L_G = -E T(G(z)).  The estimate is -L_D; its expectation over samples that D was
    not trained on is a lower bound of D_f.

    Args:
        saturating: If true, L_G = -E f*(T(G(z))), as in the paper's algorithm 1; otherwise the paper's practical form.

    Attributes:
        divergence: Name of D_f among the estimates.
    """

    boundary: ClassVar[float | None] = 0.0
    saturating: bool = False
    divergence: ClassVar[str]

    def __post_init__(self) -> None:
        checks.flag("saturating", self.saturating)

    @abstractmethod
    def activation(self, logits: Tensor) -> Tensor:
        """Return T = g_f(D(x)), of the shape of the logits."""

    @abstractmethod
    def conjugate(self, logits: Tensor) -> Tensor:
        """Return f*(g_f(D(x))), written as a function of the logits in which nothing cancels."""

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.conjugate(fake).mean() - self.activation(real).mean()

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -(self.conjugate(fake) if self.saturating else self.activation(fake)).mean()

    def estimate(self, real: Tensor, fake: Tensor) -> Stats:
        return {self.divergence: -self.discriminator_loss(real, fake)}

    @abstractmethod
    def log_ratio(self, logits: Tensor) -> Tensor:
        """Return log p / q from T* = f'(p / q)."""


@dataclass(frozen=True)
class KL(FGAN):
    """KL(P || Q): f(u) = u log u, g_f(v) = v, f*(t) = exp(t - 1); T* = 1 + log(p / q)."""

    boundary: ClassVar[float | None] = 1.0
    divergence: ClassVar[str] = "kl"

    def activation(self, logits: Tensor) -> Tensor:
        return tamed(logits)

    def conjugate(self, logits: Tensor) -> Tensor:
        return torch.exp(tamed(logits) - 1)

    def log_ratio(self, logits: Tensor) -> Tensor:
        return tamed(logits) - 1


@dataclass(frozen=True)
class ReverseKL(FGAN):
    """KL(Q || P): f(u) = -log u, g_f(v) = -exp(-v), f*(t) = -1 - log(-t); T* = -q / p."""

    divergence: ClassVar[str] = "reverse_kl"

    def activation(self, logits: Tensor) -> Tensor:
        return -torch.exp(-tamed(logits))

    def conjugate(self, logits: Tensor) -> Tensor:
        return tamed(logits) - 1

    def log_ratio(self, logits: Tensor) -> Tensor:
        return tamed(logits)


@dataclass(frozen=True)
class Pearson(FGAN):
    """The integral of (p - q)^2 / q: f(u) = (u - 1)^2, g_f(v) = v, f*(t) = t^2 / 4 + t; T* = 2 (p / q - 1)."""

    divergence: ClassVar[str] = "pearson"

    def activation(self, logits: Tensor) -> Tensor:
        return logits

    def conjugate(self, logits: Tensor) -> Tensor:
        return logits.square() / 4 + logits

    def log_ratio(self, logits: Tensor) -> Tensor:
        return (1 + logits / 2).clamp(min=1e-12).log()


@dataclass(frozen=True)
class SquaredHellinger(FGAN):
    """The integral of (sqrt p - sqrt q)^2, within [0, 2]: f(u) = (sqrt u - 1)^2, g_f(v) = 1 - exp(-v), f*(t) = t / (1 - t).

    T* = 1 - sqrt(q / p). Some authors define it with a factor 1/2.
    """

    divergence: ClassVar[str] = "squared_hellinger"

    def activation(self, logits: Tensor) -> Tensor:
        return -torch.expm1(-tamed(logits))

    def conjugate(self, logits: Tensor) -> Tensor:
        return torch.expm1(tamed(logits))

    def log_ratio(self, logits: Tensor) -> Tensor:
        return 2 * tamed(logits)


@dataclass(frozen=True)
class JensenShannon(FGAN):
    """KL(P || M) + KL(Q || M), M = (P + Q) / 2, within [0, 2 log 2]: twice the JS that other losses estimate.

    f(u) = u log u - (u + 1) log((u + 1) / 2), g_f(v) = log 2 - log(1 + exp(-v)), f*(t) = -log(2 - exp(t));
    T* = log(2 p / (p + q)).
    """

    divergence: ClassVar[str] = "twice_js"

    def activation(self, logits: Tensor) -> Tensor:
        return math.log(2) - softplus(-logits)

    def conjugate(self, logits: Tensor) -> Tensor:
        return softplus(logits) - math.log(2)

    def log_ratio(self, logits: Tensor) -> Tensor:
        return logits


def tamed(logits: Tensor) -> Tensor:
    """Return v within +-TAME, and sign(v) (TAME + log(1 + |v| - TAME)) beyond.

    The function is continuously differentiable, maps onto all of R and is nowhere flat. Its exponential never overflows, and
    because it is a part of g_f the bound holds for every logit.
    """
    beyond = (logits.abs() - TAME).clamp(min=0)
    return logits.clamp(-TAME, TAME) + logits.sign() * beyond.log1p()
