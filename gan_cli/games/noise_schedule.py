"""How data become noise, step by step, and one step back (Ho et al., 2020; Song et al., 2021)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.errors import FieldError


class Noise(nn.Module):
    """q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t I), t = 1 ... T, so that

        q(x_t | x_0) = N(sqrt(abar_t) x_0, (1 - abar_t) I),    abar_t = (1 - beta_1) ... (1 - beta_t), abar_0 = 1.

    ``beta``: in (0, 1) ``[T]``, float64. ``abar``: abar_0 ... abar_T as Python's numbers, double precision on every device.
    """

    scale: Tensor
    spread: Tensor

    def __init__(self, beta: Tensor) -> None:
        super().__init__()
        abar = torch.cat([torch.ones(1, dtype=torch.float64), (1 - beta).cumprod(0)])
        self.abar: list[float] = abar.tolist()
        # they follow from the config, and need no place in a checkpoint
        self.register_buffer("scale", abar.sqrt().float(), persistent=False)
        self.register_buffer("spread", (1 - abar).sqrt().float(), persistent=False)

    @property
    def steps(self) -> int:
        """T."""
        return len(self.abar) - 1

    def noisy(self, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps, for samples ``[B, ...]`` at times ``[B]``."""
        shape = -1, *[1] * (x_0.ndim - 1)
        return self.scale[t].reshape(shape) * x_0 + self.spread[t].reshape(shape) * eps

    def clean(self, x_t: Tensor, t: int, eps: Tensor) -> Tensor:
        """x_0, if ``eps`` is the noise in ``x_t``: the inverse of ``noisy``."""
        return (x_t - math.sqrt(1 - self.abar[t]) * eps) / math.sqrt(self.abar[t])

    def back(self, x_t: Tensor, x_0: Tensor, t: int, s: int, eta: float = 1.0, variance: float = 0.0) -> Tensor:
        """A draw of x_s given x_t and x_0, s < t, none where there is nothing to be drawn (eta = 0, or s = 0).

            x_s = sqrt(abar_s) x_0 + sqrt(1 - abar_s - eta^2 b) eps + eta sqrt(b^(1 - v) a^v) z,    z ~ N(0, I),
            eps = (x_t - sqrt(abar_t) x_0) / sqrt(1 - abar_t),
            a = 1 - abar_t / abar_s,    b = a (1 - abar_s) / (1 - abar_t).

        ``eta`` = 1: ancestral, with the posterior's mean (Ho et al., 2020, eq. 7) and, for ``variance`` v = 0, its variance b,
        the lower bound of the reverse step's; for v = 1 the upper one a, which is beta_t between neighbours; between them
        the logarithm is interpolated (Nichol and Dhariwal, 2021, eq. 15). ``eta`` = 0: DDIM's straight way (Song et al.,
        2021, eq. 12).
        """
        a = 1 - self.abar[t] / self.abar[s]
        b = a * (1 - self.abar[s]) / (1 - self.abar[t])
        eps = (x_t - math.sqrt(self.abar[t]) * x_0) / math.sqrt(1 - self.abar[t])
        mean = math.sqrt(self.abar[s]) * x_0 + math.sqrt(max(0.0, 1 - self.abar[s] - eta**2 * b)) * eps
        if not eta or not s:
            return mean
        return mean + eta * math.sqrt(b ** (1 - variance) * a**variance) * torch.randn_like(x_t)

    def times(self, n: int) -> Sequence[int]:
        """``n`` of the times 1 ... T, evenly spaced from 1 on, falling (Song et al., 2021, appendix D.2: linear)."""
        return [1 + i * self.steps // n for i in reversed(range(n))]


class Linear(Noise):
    """beta_t rises linearly from ``first`` to ``last`` (Ho et al., 2020: T = 1000, 1e-4, 0.02; then abar_T = 4.036e-5)."""

    def __init__(self, steps: int, first: float, last: float) -> None:
        checks.count("steps", steps)
        for name, value in (("first", first), ("last", last)):
            checks.number(name, value, above=0)
            if value >= 1:
                raise FieldError(name, value, "a variance must be below 1.")
        super().__init__(torch.linspace(first, last, steps, dtype=torch.float64))


class Cosine(Noise):
    """abar_t = f(t) / f(0), f(t) = cos^2((t/T + s) / (1 + s) pi/2), s = ``offset``, no beta_t above ``most``.

    Nichol and Dhariwal, 2021, eq. 17: s = 0.008, at most 0.999.
    """

    def __init__(self, steps: int, offset: float, most: float) -> None:
        checks.count("steps", steps)
        checks.number("offset", offset, least=0)
        checks.number("most", most, above=0)
        if most >= 1:
            raise FieldError("most", most, "a variance must be below 1.")
        t = torch.arange(steps + 1, dtype=torch.float64) / steps
        f = torch.cos((t + offset) / (1 + offset) * math.pi / 2).square()
        super().__init__((1 - f[1:] / f[:-1]).clamp(max=most))
