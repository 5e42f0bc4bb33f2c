"""Laws of whole sequences: fixed, seeded samples held in memory, every sequence drawn independently of the others.

Each function draws ``n`` sequences to train on and ``n_heldout`` others, from generators of their own, of shape
``(window, features)``.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data, generator
from gan_cli.data.points.toy import Points
from gan_cli.data.scaling import Scaling, Series
from gan_cli.errors import FieldError

PROTOCOL = "independent draws"
LAWS = {"code": (0.1, 0.0, 0.1), "paper": (2 * math.pi, -math.pi, math.pi)}
"""Of the sines: the largest angle of a step, and where phases begin and end."""

Law = Callable[[int, torch.Generator], Tensor]
"""(n, generator) -> n sequences float64 ``[n, T, F]`` in their own units."""


def sines(
    n: int = 10_000, n_heldout: int = 2000, seed: int = 0, window: int = 24, features: int = 5, law: str = "code"
) -> Data:
    """Sines, independent in all features: x_k(t) = sin(ω_k t + θ_k), t = 0 … T − 1 (Yoon et al. 2019, section 5.2).

    ``law="code"``: ω and θ ~ U(0, 0.1), as the authors' code draws them and as they confirmed that their results were made.
    ``law="paper"``: ω = 2πη with η ~ U(0, 1) and θ ~ U(−π, π), as the paper's text has it. Samples are (x + 1)/2.

    Raises UserError for a count out of range, or another law.
    """
    if law not in LAWS:
        raise FieldError("law", law, f"it must be one of {', '.join(LAWS)}.")
    checks.count("window", window, least=2)
    checks.count("features", features)
    fastest, first, last = LAWS[law]

    def draw(n: int, g: torch.Generator) -> Tensor:
        omega = fastest * torch.rand(n, 1, features, generator=g, dtype=torch.float64)
        theta = first + (last - first) * torch.rand(n, 1, features, generator=g, dtype=torch.float64)
        return (omega * torch.arange(window)[:, None] + theta).sin()

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
    """x_t = φ x_{t−1} + n_t, n_t ~ N(0, σ11ᵀ + (1 − σ)I): the Gaussian of table 1 of Yoon et al. (TimeGAN, 2019).

    φ is the correlation of neighbouring steps, σ that of the features. A sequence begins in the stationary law
    N(0, (σ11ᵀ + (1 − σ)I)/(1 − φ²)). Samples are scaled feature by feature so that the training part just fills [0, 1];
    nobody published what the paper did, so that errors in its units cannot be compared, only ranks.

    Raises UserError for a count out of range, φ outside (−1, 1) or σ outside [0, 1].
    """
    checks.count("window", window, least=2)
    checks.count("features", features)
    checks.number("phi", phi, above=-1)
    if phi >= 1:
        raise FieldError("phi", phi, "it must be below 1, or the sequences grow without bound.")
    checks.share("sigma", sigma)

    def draw(n: int, g: torch.Generator) -> Tensor:
        # σ11ᵀ + (1 − σ)I is the covariance of √σ times one common normal number and √(1 − σ) times one for each feature
        common = torch.randn(n, window, 1, generator=g, dtype=torch.float64)
        own = torch.randn(n, window, features, generator=g, dtype=torch.float64)
        noise = sigma**0.5 * common + (1 - sigma) ** 0.5 * own
        steps = [noise[:, 0] / (1 - phi**2) ** 0.5]
        for t in range(1, window):
            steps.append(phi * steps[-1] + noise[:, t])
        return torch.stack(steps, 1)

    return _data(draw, n, n_heldout, seed, tuple(f"x{k + 1}" for k in range(features)))


def _data(law: Law, n: int, n_heldout: int, seed: int, names: tuple[str, ...], scaling: Scaling | None = None) -> Data:
    """The law's training and held-out sample; without a ``scaling`` the training part says what it is."""
    for field, count in (("n", n), ("n_heldout", n_heldout)):
        checks.count(field, count)
    train, heldout = law(n, generator(seed, "train")), law(n_heldout, generator(seed, "heldout"))
    scaling = scaling or Scaling.learnt(train.flatten(0, 1), names)
    parts = (Points(scaling.from_units(part)) for part in (train, heldout))
    return Data(*parts, series=Series(names, scaling, PROTOCOL))
