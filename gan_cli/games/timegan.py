"""timegan, timegan_paper: a GAN in a latent space of sequences that is learned along with it."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import mse_loss, softplus

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.errors import UserError
from gan_cli.games.base import Game, Turn, frozen, need_sequences
from gan_cli.games.reporting import reported
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.models.timegan import Embedder, LatentDiscriminator, LatentGenerator, Recovery, Supervisor
from gan_cli.parallel import draws
from gan_cli.parallel.share import whole_data, whole_rows
from gan_cli.precision import widened
from gan_cli.types import Batch, Critic, Stats


class TimeGAN(Game):
    """Embedder e, recovery r, generator g, supervisor s, discriminator d; samples are r(s(g(z))) (Yoon et al., 2019).

    z ~ U[0, 1] at every time step. With h = e(x), h^ = s(g(z)), x^ = r(h^), and means over batch, time and coordinates:

    * R = E (x - r(h))^2,  S = E (h_{t+1} - s(h)_t)^2
    * U = E softplus(-d(h^)),  U_e = E softplus(-d(g(z)))
    * V = E |mean x^ - mean x| + E |std x^ - std x|, mean and std over the batch
    * ``autoencoder`` moves e and r by a sqrt(R);  ``supervisor`` moves s by S
    * ``generator`` moves g and s by U + gamma U_e + eta sqrt(S) + v V
    * ``embedder`` moves e and r by a sqrt(R) + lambda S
    * ``discriminator`` moves d by E softplus(-d(h)) + E softplus(d(h^)) + gamma E softplus(d(g(z))), if that is above
      ``threshold``.

    The defaults of ``game=timegan``, the threshold and the law of z are those of the published code. The paper has no U_e, V
    or threshold, lambda = 1 and eta = 10 (``game=timegan_paper``).

    Each turn has its own optimizer, as in the published code: ``embedder`` does not continue with the moments of
    ``autoencoder``, nor ``generator`` with those of ``supervisor``. Two things differ from that code. There the embedder's
    step uses the batch of the generator's step before it, here every turn has a new one. There data are always scaled to fill
    [0, 1], here they are taken as they are; this matters for ``dataset=sines`` only, whose sequences with ``law=code`` lie in
    [0.5, 1], so that sqrt(R) and V are half as large relative to U.

    Args:
        reconstruction: a >= 0.
        gamma: Weight >= 0 of the fakes that the supervisor has not seen.
        supervised: eta >= 0.
        moments: v >= 0.
        embedder_supervised: lambda >= 0.
        threshold: The discriminator rests if its loss is not above it.
        norms: If true, R = E sum_t |x_t - r(h)_t| and S = E sum_t |h_{t+1} - s(h)_t|, Euclidean norms without a root, as in
            the paper.

    Raises:
        UserError: If a field is out of range, or the networks differ in ``hidden``.
    """

    follows: ClassVar[Mapping[str, str]] = {"latent_generator": "generator", "latent_discriminator": "discriminator"}

    def __init__(
        self,
        embedder: Embedder,
        recovery: Recovery,
        supervisor: Supervisor,
        latent_generator: LatentGenerator,
        latent_discriminator: LatentDiscriminator,
        reconstruction: float,
        gamma: float,
        supervised: float,
        moments: float,
        embedder_supervised: float,
        threshold: float,
        norms: bool,
    ) -> None:
        super().__init__()
        weights = {"reconstruction": reconstruction, "gamma": gamma, "supervised": supervised, "moments": moments}
        for name, value in (weights | {"embedder_supervised": embedder_supervised, "threshold": threshold}).items():
            checks.number(name, value, least=0)
        checks.flag("norms", norms)
        sizes = {embedder.outputs, recovery.inputs, supervisor.inputs, latent_generator.outputs, latent_discriminator.inputs}
        if len(sizes) > 1:
            raise UserError(f"model: the five networks have hidden={', '.join(map(str, sorted(sizes)))}: it must be the same.")
        self.embedder, self.recovery, self.supervisor = embedder, recovery, supervisor
        self.latent_generator, self.latent_discriminator = latent_generator, latent_discriminator
        self.a, self.gamma, self.eta, self.v = reconstruction, gamma, supervised, moments
        self.lam, self.threshold, self.norms = embedder_supervised, threshold, norms

    @classmethod
    def check(cls, data: Data) -> None:
        """Check that the data are sequences.

        Raises:
            UserError: If they are not.
        """
        need_sequences(data, "timegan")

    def turns(self) -> Mapping[str, Turn]:
        return {
            "autoencoder": self.turn("embedder", "recovery", loss=self.autoencoder_loss),
            "supervisor": self.turn("supervisor", loss=self.supervisor_loss),
            "generator": self.turn("latent_generator", "supervisor", loss=self.generator_loss),
            "embedder": self.turn("embedder", "recovery", loss=self.embedder_loss),
            "discriminator": self.turn("latent_discriminator", loss=self.discriminator_loss, should_step=self.above_threshold),
        }

    @property
    def law(self) -> str:
        return "U[0, 1]"

    def latents(self, n: int) -> Tensor:
        """Draw ``[n, T, latent_dim]`` from U[0, 1]."""
        return draws.rand(n, *self.latent_generator.latent_shape, device=self.device)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """Return latents on the straight line, which does not leave [0, 1]."""
        return torch.lerp(a, b, t)

    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        return self.recovery(self.supervisor(self.latent_generator(latents))).to(latents.dtype)

    def critic(self, y: Tensor | None = None) -> Critic:
        """Return x -> d(e(x)) ``[B, T]``."""
        return lambda x: self.latent_discriminator(self.embedder(x)).to(x.dtype)

    def autoencoder_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return a sqrt(R)."""
        return self.a * self.root(self.error(self.recovery(self.embedder(batch.x)), batch.x)), {}

    def supervisor_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return S."""
        with frozen():
            h = self.embedder(batch.x)
        return self.prediction_error(h, self.supervisor(h)), {}

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return U + gamma U_e + eta sqrt(S) + v V."""
        with frozen():
            h = self.embedder(batch.x)
        g = self.latent_generator(self.latents(len(batch.x)))
        predicted, faked = self.supervisor(torch.cat([h, g])).chunk(2)  # one pass through time for both
        d, d_e = self.latent_discriminator(torch.cat([faked, g])).to(batch.x.dtype).chunk(2)
        U, U_e = softplus(-d).mean(), softplus(-d_e).mean()
        S, x, fake = self.root(self.prediction_error(h, predicted)), batch.x, self.recovery(faked).to(batch.x.dtype)
        if self.v:
            x, fake = whole_data(x), whole_rows(fake, "TimeGAN compares moments of a whole batch (game.moments=0: none)")
        V = moments_apart(fake, x)
        loss = U + self.gamma * U_e + self.eta * S + self.v * V
        return loss, {"adversarial": U, "adversarial_unsupervised": U_e, "supervised": S, "moments": V}

    def embedder_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return a sqrt(R) + lambda S."""
        h = self.embedder(batch.x)
        R, S = self.root(self.error(self.recovery(h), batch.x)), self.prediction_error(h, self.supervisor(h))
        return self.a * R + self.lam * S, {"reconstruction": R, "supervised": S}

    def discriminator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Return the cross-entropy at every step, with both kinds of fakes."""
        with frozen():
            h, g = self.embedder(batch.x), self.latent_generator(self.latents(len(batch.x)))
            faked = self.supervisor(g)
        d_real, d, d_e = self.latent_discriminator(torch.cat([h, faked, g])).to(batch.x.dtype).chunk(3)
        adversarial, unsupervised = softplus(-d_real).mean() + softplus(d).mean(), softplus(d_e).mean()
        stats = {"adversarial": adversarial, "adversarial_unsupervised": unsupervised}
        loss = adversarial + self.gamma * unsupervised
        return loss, stats | reported(lambda: NonSaturating().judgement(d_real, d))

    def above_threshold(self, loss: Tensor, stats: Stats) -> bool:
        """Return whether the discriminator steps: its loss is above the threshold."""
        return bool(loss > self.threshold)

    def error(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Return the mean square error between sequences ``[B, T, d]``, or with ``norms`` E sum_t |.|."""
        predicted, target = widened(predicted), widened(target)
        return (predicted - target).norm(dim=2).sum(1).mean() if self.norms else mse_loss(predicted, target)

    def root(self, error: Tensor) -> Tensor:
        """Return the root of a mean square; a mean of norms is in the unit of the data already."""
        if self.norms:
            return error
        reason = "TimeGAN takes roots of means over a whole batch (not with game.norms=true and game.moments=0)"
        return whole_rows(error[None], reason).mean().clamp(min=1e-12).sqrt()  # the slope is unbounded at 0

    def prediction_error(self, h: Tensor, predicted: Tensor) -> Tensor:
        """Return S, the error of s(h) ``[B, T, hidden]`` against h one step later."""
        return self.error(predicted[:, :-1], h[:, 1:])

    def estimate(self, batch: Batch) -> Stats:
        """Return ``reconstruction`` and ``supervised``: root mean square errors of r(e(x)), in [0, 1], and of s(e(x))."""
        h = self.embedder(batch.x)
        predicted, target = widened(self.supervisor(h)[:, :-1]), widened(h[:, 1:])
        reconstruction, supervised = mse_loss(widened(self.recovery(h)), batch.x), mse_loss(predicted, target)
        return {"reconstruction": reconstruction.sqrt(), "supervised": supervised.sqrt()}


def moments_apart(fake: Tensor, real: Tensor) -> Tensor:
    """Return V = E |mean x^ - mean x| + E |std x^ - std x| over steps and features of ``[B, T, F]``; 1e-6 is added to std^2."""
    (v_fake, m_fake), (v_real, m_real) = (torch.var_mean(x, dim=0, correction=0) for x in (fake, real))
    return ((v_fake + 1e-6).sqrt() - (v_real + 1e-6).sqrt()).abs().mean() + (m_fake - m_real).abs().mean()
