"""linear, cosine: noise schedules of diffusion, from data to noise, and one step back (Ho et al., 2020; Song et al., 2021)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.parallel import draws


class Noise(nn.Module):
    """q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t I), t = 1 ... T, so that

        q(x_t | x_0) = N(sqrt(abar_t) x_0, (1 - abar_t) I),    abar_t = (1 - beta_1) ... (1 - beta_t), abar_0 = 1.

    Args:
        beta: Variances of the steps, in (0, 1), float64 ``[T]``.

    Attributes:
        abar: abar_0 ... abar_T as Python floats, in double precision on every device.
    """

    scale: Tensor
    spread: Tensor

    def __init__(self, beta: Tensor) -> None:
        super().__init__()
        abar = torch.cat([torch.ones(1, dtype=torch.float64), (1 - beta).cumprod(0)])
        self.abar: list[float] = abar.tolist()
        # they follow from the config, so that checkpoints need not hold them
        self.register_buffer("scale", abar.sqrt().float(), persistent=False)
        self.register_buffer("spread", (1 - abar).sqrt().float(), persistent=False)

    @property
    def steps(self) -> int:
        """T."""
        return len(self.abar) - 1

    def noisy(self, x_0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """Return x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps, for samples ``[B, ...]`` at times ``[B]``."""
        shape = -1, *[1] * (x_0.ndim - 1)
        return self.scale[t].reshape(shape) * x_0 + self.spread[t].reshape(shape) * eps

    def clean(self, x_t: Tensor, t: int, eps: Tensor) -> Tensor:
        """Return x_0, given that ``eps`` is the noise in ``x_t``: the inverse of ``noisy``."""
        return (x_t - math.sqrt(1 - self.abar[t]) * eps) / math.sqrt(self.abar[t])

    def back(self, x_t: Tensor, x_0: Tensor, t: int, s: int, eta: float = 1.0, variance: float = 0.0) -> Tensor:
        """Draw x_s given x_t and x_0, s < t; nothing random is drawn if eta = 0 or s = 0.

            x_s = sqrt(abar_s) x_0 + sqrt(1 - abar_s - eta^2 b) eps + eta sqrt(b^(1 - v) a^v) z,    z ~ N(0, I),
            eps = (x_t - sqrt(abar_t) x_0) / sqrt(1 - abar_t),
            a = 1 - abar_t / abar_s,    b = a (1 - abar_s) / (1 - abar_t).

        Args:
            x_t: Samples ``[B, ...]`` at time t.
            x_0: Their estimated data ``[B, ...]``.
            t: Time, 1 ... T.
            s: Earlier time, 0 ... t - 1.
            eta: 1 for ancestral sampling, with the posterior's mean (Ho et al., 2020, eq. 7); 0 for DDIM's deterministic
                step (Song et al., 2021, eq. 12).
            variance: v in [0, 1]: 0 for the posterior's variance b, the lower bound of the reverse step's variance; 1 for the
                upper bound a, which is beta_t between neighbours. In between the logarithm is interpolated (Nichol and
                Dhariwal, 2021, eq. 15).
        """
        a = 1 - self.abar[t] / self.abar[s]
        b = a * (1 - self.abar[s]) / (1 - self.abar[t])
        eps = (x_t - math.sqrt(self.abar[t]) * x_0) / math.sqrt(1 - self.abar[t])
        mean = math.sqrt(self.abar[s]) * x_0 + math.sqrt(max(0.0, 1 - self.abar[s] - eta**2 * b)) * eps
        if not eta or not s:
            return mean
        return mean + eta * math.sqrt(b ** (1 - variance) * a**variance) * draws.randn_like(x_t)

    def times(self, n: int) -> Sequence[int]:
        """Return ``n`` of the times 1 ... T, evenly spaced, in falling order (Song et al., 2021, appendix D.2: linear)."""
        return [1 + i * self.steps // n for i in reversed(range(n))]


class Linear(Noise):
    """beta_t rises linearly from ``first`` to ``last`` (Ho et al., 2020: T = 1000, 1e-4, 0.02, so that abar_T = 4.036e-5)."""

    def __init__(self, steps: int, first: float, last: float) -> None:
        checks.count("steps", steps)
        for name, value in (("first", first), ("last", last)):
            checks.number(name, value, above=0)
            if value >= 1:
                raise FieldError(name, value, "a variance must be below 1.")
        super().__init__(torch.linspace(first, last, steps, dtype=torch.float64))


class Cosine(Noise):
    """abar_t = f(t) / f(0), f(t) = cos^2((t/T + s) / (1 + s) pi/2) (Nichol and Dhariwal, 2021, eq. 17).

    Args:
        steps: T.
        offset: s >= 0; 0.008 in the paper.
        most: Largest allowed beta_t, below 1; 0.999 in the paper.
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
