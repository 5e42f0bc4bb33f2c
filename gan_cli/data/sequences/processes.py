"""sines, ar1: stochastic processes, with every sequence drawn independently of the others.

Samples are drawn once and held in memory: ``n`` training and ``n_heldout`` held-out sequences of shape
``(window, features)``, from separate generators seeded by ``seed``.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data, seeded_generator
from gan_cli.data.points.toy import Points
from gan_cli.data.scaling import Scaling, Series
from gan_cli.errors import FieldError

PROTOCOL = "independent draws"


class SineLaw(NamedTuple):
    """Law of the sines of a data set, in radians; each number is uniform between its bounds.

    Attributes:
        steps: Bounds of the angle per step of a sequence of ``window`` steps, as a function of ``window``.
        phases: Bounds of the phase.
        amplitudes: Bounds of the amplitude.
    """

    steps: Callable[[int], tuple[float, float]]
    phases: tuple[float, float]
    amplitudes: tuple[float, float] = (1.0, 1.0)


LAWS = {
    "code": SineLaw(lambda window: (0.0, 0.1), (0.0, 0.1)),
    "paper": SineLaw(lambda window: (0.0, 2 * math.pi), (-math.pi, math.pi)),
    "rcgan": SineLaw(lambda window: (2 * math.pi / window, 10 * math.pi / window), (-math.pi, math.pi), (0.1, 0.9)),
}

Sampler = Callable[[int, torch.Generator], Tensor]
"""(n, generator) -> n sequences float64 ``[n, T, F]`` in their own units."""


def sines(
    n: int = 10_000, n_heldout: int = 2000, seed: int = 0, window: int = 24, features: int = 5, law: str = "code"
) -> Data:
    """Return independent sines in all features: x_k(t) = sin(ω_k t + θ_k), t = 0 … T − 1 (Yoon et al. 2019, section 5.2).

    Samples are (x + 1)/2.

    Args:
        n: Number of training sequences.
        n_heldout: Number of held-out sequences.
        seed: Seed of the samples.
        window: Number of time steps T, at least 2.
        features: Number of features.
        law: ``code`` draws ω and θ from U(0, 0.1), as the authors' code does (they confirmed that their results were made with
            it). ``paper`` draws ω = 2πη, η ~ U(0, 1), and θ ~ U(−π, π), as in the paper's text. ``rcgan`` draws 1 to 5 periods
            per sequence, ω = 2πf/T with f ~ U(1, 5), and θ ~ U(−π, π), and multiplies the sine by an amplitude from
            U(0.1, 0.9), as the code of Hyland et al. (2017) does.

    Raises:
        UserError: If an argument is out of its range.
    """
    if law not in LAWS:
        raise FieldError("law", law, f"it must be one of {', '.join(LAWS)}.")
    checks.count("window", window, least=2)
    checks.count("features", features)
    steps, phases, amplitudes = LAWS[law]

    def draw(n: int, g: torch.Generator) -> Tensor:
        def uniform(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(n, 1, features, generator=g, dtype=torch.float64)

        omega, theta, amplitude = uniform(*steps(window)), uniform(*phases), uniform(*amplitudes)
        return amplitude * (omega * torch.arange(window)[:, None] + theta).sin()

    names = tuple(f"sine {k + 1}" for k in range(features))
    return _data(draw, n, n_heldout, seed, names, Scaling((-1.0,) * features, (1.0,) * features))


def ar1(
    n: int = 10_000,
    n_heldout: int = 2000,
    seed: int = 0,
    window: int = 24,
    features: int = 5,
    phi: float = 0.8,
    sigma: float = 0.8,
) -> Data:
    """Return x_t = φ x_{t−1} + n_t, n_t ~ N(0, σ11ᵀ + (1 − σ)I): the Gaussian of table 1 of Yoon et al. (TimeGAN, 2019).

    A sequence starts from the stationary distribution N(0, (σ11ᵀ + (1 − σ)I)/(1 − φ²)). Samples are scaled in each feature so
    that the training part exactly fills [0, 1]. The paper's scaling is not published, so that only ranks can be compared, no
    errors in its units.

    Args:
        n: Number of training sequences.
        n_heldout: Number of held-out sequences.
        seed: Seed of the samples.
        window: Number of time steps T, at least 2.
        features: Number of features.
        phi: φ, the correlation of neighbouring steps, in (−1, 1).
        sigma: σ, the correlation of the features, in [0, 1].

    Raises:
        UserError: If an argument is out of its range.
    """
    checks.count("window", window, least=2)
    checks.count("features", features)
    checks.number("phi", phi, above=-1)
    if phi >= 1:
        raise FieldError("phi", phi, "it must be below 1, or the sequences grow without bound.")
    checks.share("sigma", sigma)

    def draw(n: int, g: torch.Generator) -> Tensor:
        # √σ times a common normal number plus √(1 − σ) times one of each feature has the covariance σ11ᵀ + (1 − σ)I
        common = torch.randn(n, window, 1, generator=g, dtype=torch.float64)
        own = torch.randn(n, window, features, generator=g, dtype=torch.float64)
        noise = sigma**0.5 * common + (1 - sigma) ** 0.5 * own
        steps = [noise[:, 0] / (1 - phi**2) ** 0.5]
        for t in range(1, window):
            steps.append(phi * steps[-1] + noise[:, t])
        return torch.stack(steps, 1)

    return _data(draw, n, n_heldout, seed, tuple(f"x{k + 1}" for k in range(features)))


def _data(draw: Sampler, n: int, n_heldout: int, seed: int, names: tuple[str, ...], scaling: Scaling | None = None) -> Data:
    """Draw the training and the held-out sample; without ``scaling`` it is fitted to the training part."""
    for field, count in (("n", n), ("n_heldout", n_heldout)):
        checks.count(field, count)
    train, heldout = draw(n, seeded_generator(seed, "train")), draw(n_heldout, seeded_generator(seed, "heldout"))
    scaling = scaling or Scaling.fit(train.flatten(0, 1), names)
    parts = (Points(scaling.from_units(part)) for part in (train, heldout))
    return Data(*parts, series=Series(names, scaling, PROTOCOL))
