"""The denoising diffusion model of Ho et al., 2020: one player, who tells the noise from the data."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.games.base import Game, Turn
from gan_cli.games.noise_schedule import Noise
from gan_cli.models.base import Denoiser
from gan_cli.types import Batch, Stats

SAMPLING = ("sampling_steps", "eta", "guidance")
"""Fields that only say how samples are drawn."""
QUARTERS = 4
"""Parts of the time in which the loss is told on held-out data."""


class DDPM(Game):
    """min over theta of E |eps - eps_theta(x_t, t)|^2 per coordinate, t uniform on 1 ... T, x_t = noisy(x_0, t, eps).

    Samples start from x_T ~ N(0, I), the latents, and come back to x_0 in ``sampling_steps`` of the T steps, each as
    ``Noise.back`` has it with ``eta`` and ``variance``: eta = 1 in all T steps is the paper's ancestral sampling, eta = 0 in
    few of them DDIM, which draws nothing. ``clip``: whether estimates of x_0 are kept in [-1, 1], of images only.

    A denoiser that looks at classes has a share ``label_dropout`` of its labels hidden in training, so that it knows the
    data without labels too, and samples with the noise (1 + w) eps(x, t, y) - w eps(x, t), w = ``guidance`` (Ho and Salimans,
    2022): 0 is the conditional model, -1 the unconditional one, 1 and more the classes at their most typical.

    Raises UserError for fields out of range, and for guidance of a denoiser that looks at no classes or never learns without.
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
        """Whether the denoiser looks at labels."""
        return self.denoiser.classes > 0

    def set_sampling(self, name: str, value: float) -> None:
        assert name in SAMPLING
        self._check(name, value)
        setattr(self, name, value)

    def _check(self, name: str, value: float) -> None:
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
                    "the denoiser must know the data without labels, too.\n"
                    "Train one that has some hidden from it, for instance with game.label_dropout=0.1.",
                )

    def turns(self) -> Mapping[str, Turn]:
        return {"denoiser": Turn(tuple(self.denoiser.parameters()), self.loss)}

    def loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """The mean of ``errors`` at times drawn here, some labels hidden."""
        t = torch.randint(1, self.noise.steps + 1, (len(batch.x),), device=batch.x.device)
        return self.errors(batch.x, t, self.hidden(batch.y)).mean(), {}

    def errors(self, x_0: Tensor, t: Tensor, y: Tensor | None) -> Tensor:
        """|eps - eps_theta(x_t, t, y)|^2 per coordinate ``[B]``, for noise drawn here."""
        eps = torch.randn_like(x_0)
        found = self.denoiser(self.noise.noisy(x_0, t, eps), t, y).to(x_0.dtype)  # autocast leaves it in bfloat16
        return F.mse_loss(found, eps, reduction="none").flatten(1).mean(1)

    def hidden(self, y: Tensor | None) -> Tensor | None:
        """Labels of which a share ``label_dropout`` says "no label"; nothing is drawn where nobody looks at them."""
        if y is None or not self.denoiser.classes:
            return None
        return y.masked_fill(torch.rand(len(y), device=y.device) < self.label_dropout, self.denoiser.classes)

    def latents(self, n: int) -> Tensor:
        return torch.randn(n, *self.denoiser.shape, device=self.device)

    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        x, times = latents, self.noise.times(self.sampling_steps)
        for t, s in zip(times, [*times[1:], 0], strict=True):
            x_0 = self.noise.clean(x, t, self.guided(x, t, y))
            x = self.noise.back(x, x_0.clamp(-1, 1) if self.bounded else x_0, t, s, self.eta, self.variance)
        return x

    def guided(self, x: Tensor, t: int, y: Tensor | None) -> Tensor:
        """(1 + w) eps(x, t, y) - w eps(x, t), or eps(x, t, y) alone where w = 0 or there is nothing to guide to."""
        times = torch.full((len(x),), t, device=x.device)
        eps = self.denoiser(x, times, y).to(x.dtype)
        if not self.guidance or y is None:
            return eps
        return torch.lerp(self.denoiser(x, times).to(x.dtype), eps, 1 + self.guidance)

    def estimate(self, batch: Batch) -> Stats:
        """``loss_t1`` ... ``loss_t4``: the loss on parts of this batch in each quarter of the times, noise growing.

        Of batches of fewer than four samples only the first quarters.
        """
        quarter = torch.arange(len(batch.x), device=batch.x.device) % QUARTERS
        t = 1 + ((quarter + torch.rand(len(batch.x), device=batch.x.device)) * self.noise.steps / QUARTERS).long()
        t = t.clamp(max=self.noise.steps)  # 3 + the number just below 1 is 4 in single precision
        errors = self.errors(batch.x, t, batch.y)
        return {f"loss_t{i + 1}": errors[i::QUARTERS].mean() for i in range(min(QUARTERS, len(errors)))}
