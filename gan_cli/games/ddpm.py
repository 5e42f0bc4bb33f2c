"""ddpm, ddpm_ancestral, ddpm_cosine, ddpm_guided: denoising diffusion, whose only player predicts the noise."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.games.base import Game, Turn
from gan_cli.games.noise_schedule import Noise
from gan_cli.models.base import Denoiser
from gan_cli.parallel import draws
from gan_cli.types import Batch, Stats

SAMPLING = ("sampling_steps", "eta", "guidance")
"""Fields that only concern sampling."""
QUARTERS = 4
"""Number of parts of the time for which the loss on held-out data is reported separately."""


class DDPM(Game):
    """min over theta of E |eps - eps_theta(x_t, t)|^2 per coordinate, t uniform on 1 ... T (Ho et al., 2020).

    x_t = ``noise.noisy(x_0, t, eps)``. Samples start from latents x_T ~ N(0, I) and return to x_0 in ``sampling_steps`` of
    the T steps, each one a ``Noise.back``. A conditional denoiser samples with the noise
    (1 + w) eps(x, t, y) - w eps(x, t) (Ho and Salimans, 2022).

    Args:
        denoiser: eps_theta; conditional if it has classes.
        noise: Noise schedule of T steps.
        sampling_steps: Number of steps of sampling, 1 ... T.
        eta: Share in [0, 1] of fresh noise in each step back: 1 in all T steps is the paper's ancestral sampling, 0 in few
            of them is DDIM, which draws nothing.
        variance: Variance of that noise, in [0, 1], see ``Noise.back``.
        clip: If true, estimates of x_0 are clipped to [-1, 1]; images only.
        label_dropout: Share in [0, 1] of labels hidden in training, so that a conditional denoiser also learns the data
            without labels.
        guidance: w >= -1: 0 is the conditional model, -1 the unconditional one; from 1 on samples are the most typical ones.

    Raises:
        UserError: If a field is out of range, or guidance is set for a denoiser without classes or without label dropout.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        noise: Noise,
        sampling_steps: int,
        eta: float,
        variance: float,
        clip: bool,
        label_dropout: float,
        guidance: float,
    ) -> None:
        super().__init__()
        for name, value in (("variance", variance), ("label_dropout", label_dropout)):
            checks.share(name, value)
        checks.flag("clip", clip)
        self.denoiser, self.noise, self.variance, self.label_dropout = denoiser, noise, variance, label_dropout
        self.bounded = clip and len(denoiser.shape) == 3
        self.sampling_steps, self.eta, self.guidance = sampling_steps, eta, guidance
        for name in SAMPLING:
            self._check(name, getattr(self, name))

    @property
    def conditional(self) -> bool:
        return self.denoiser.classes > 0

    def set_sampling(self, name: str, value: float) -> None:
        assert name in SAMPLING
        self._check(name, value)
        setattr(self, name, value)

    def _check(self, name: str, value: float) -> None:
        """Check a sampling option."""
        if name == "eta":
            checks.share(name, value)
        elif name == "sampling_steps":
            checks.count(name, value)
            if value > self.noise.steps:
                raise FieldError(name, value, f"there are only {self.noise.steps} steps (game.noise.steps).")
        else:
            checks.number(name, value, least=-1)
            if value and not self.denoiser.classes:
                raise FieldError(
                    name, value, "this denoiser looks at no classes. Train one with model.denoiser.conditional=true."
                )
            if value and not self.label_dropout:
                raise FieldError(
                    *(name, value),
                    "the denoiser must know the data without labels too.\n"
                    "Train it with some labels hidden, for instance with game.label_dropout=0.1.",
                )

    def turns(self) -> Mapping[str, Turn]:
        return {"denoiser": self.turn("denoiser", loss=self.loss)}

    def loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return the mean of ``errors`` at random times, with some labels hidden."""
        t = draws.randint(1, self.noise.steps + 1, len(batch.x), device=batch.x.device)
        return self.errors(batch.x, t, self.hidden(batch.y)).mean(), {}

    def errors(self, x_0: Tensor, t: Tensor, y: Tensor | None) -> Tensor:
        """Return |eps - eps_theta(x_t, t, y)|^2 per coordinate ``[B]``, for random noise."""
        eps = draws.randn_like(x_0)
        predicted = self.denoiser(self.noise.noisy(x_0, t, eps), t, y).to(x_0.dtype)  # autocast leaves it in bfloat16
        return F.mse_loss(predicted, eps, reduction="none").flatten(1).mean(1)

    def hidden(self, y: Tensor | None) -> Tensor | None:
        """Return labels of which a share ``label_dropout`` is "no label"; draws nothing if the denoiser uses no labels."""
        if y is None or not self.denoiser.classes:
            return None
        return y.masked_fill(draws.rand(len(y), device=y.device) < self.label_dropout, self.denoiser.classes)

    @property
    def law(self) -> str:
        return "N(0, I)"

    def latents(self, n: int) -> Tensor:
        return draws.randn(n, *self.denoiser.shape, device=self.device)

    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        x, times = latents, self.noise.times(self.sampling_steps)
        for t, s in zip(times, [*times[1:], 0], strict=True):
            x_0 = self.noise.clean(x, t, self.guided(x, t, y))
            x = self.noise.back(x, x_0.clamp(-1, 1) if self.bounded else x_0, t, s, self.eta, self.variance)
        return x

    def guided(self, x: Tensor, t: int, y: Tensor | None) -> Tensor:
        """Return (1 + w) eps(x, t, y) - w eps(x, t), or eps(x, t, y) alone if w = 0 or there are no labels."""
        times = torch.full((len(x),), t, device=x.device)
        eps = self.denoiser(x, times, y).to(x.dtype)
        if not self.guidance or y is None:
            return eps
        return torch.lerp(self.denoiser(x, times).to(x.dtype), eps, 1 + self.guidance)

    def estimate(self, batch: Batch) -> Stats:
        """Return ``loss_t1`` ... ``loss_t4``, the loss on a part of this batch in each quarter of the times, noise growing.

        A batch of fewer than four samples gives the first quarters only.
        """
        quarter = torch.arange(len(batch.x), device=batch.x.device) % QUARTERS
        t = 1 + ((quarter + draws.rand(len(batch.x), device=batch.x.device)) * self.noise.steps / QUARTERS).long()
        t = t.clamp(max=self.noise.steps)  # 3 + the number just below 1 is 4 in single precision
        errors = self.errors(batch.x, t, batch.y)
        return {f"loss_t{i + 1}": errors[i::QUARTERS].mean() for i in range(min(QUARTERS, len(errors)))}
