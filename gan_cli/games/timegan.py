"""TimeGAN (Yoon et al., 2019): a GAN in a latent space of sequences that is learnt along with it."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import mse_loss, softplus

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.errors import UserError
from gan_cli.games.base import Game, Turn, frozen, need_sequences
from gan_cli.models.timegan import Embedder, LatentDiscriminator, LatentGenerator, Recovery, Supervisor
from gan_cli.types import Batch, Critic, Stats


class TimeGAN(Game):
    """Embedder e, recovery r, generator g, supervisor s and discriminator d; samples are r(s(g(z))), z ~ U[0, 1] at every step.

    With h = e(x), h^ = s(g(z)), x^ = r(h^) and every mean taken over batch, time and coordinates:

    * R = E (x - r(h))^2,  S = E (h_{t+1} - s(h)_t)^2
    * U = E softplus(-d(h^)),  U_e = E softplus(-d(g(z)))
    * V = E |mean x^ - mean x| + E |std x^ - std x|, mean and std over the batch
    * ``autoencoder`` moves e and r by a sqrt(R);  ``supervisor`` moves s by S
    * ``generator`` moves g and s by U + gamma U_e + eta sqrt(S) + v V
    * ``embedder`` moves e and r by a sqrt(R) + lambda S
    * ``discriminator`` moves d by E softplus(-d(h)) + E softplus(d(h^)) + gamma E softplus(d(g(z))), if that is above
      ``threshold``.

    ``reconstruction`` a, ``gamma``, ``supervised`` eta, ``moments`` v, ``embedder_supervised`` lambda. The defaults, the
    threshold and z's law are those of the published code; the paper has no U_e, V or threshold, lambda = 1, eta = 10, and
    with ``norms`` its R = E sum_t |x_t - r(h)_t| and S = E sum_t |h_{t+1} - s(h)_t|, Euclidean norms without the root around.

    Each turn has an optimizer of its own, so that ``embedder`` does not go on with ``autoencoder``'s moments, nor ``generator``
    with ``supervisor``'s, as in the published code. There the embedder's step sees the batch of the generator's step before it;
    here every turn has a fresh one. And there data are scaled to fill [0, 1] whatever they are; here they are taken as they
    come, which is the same for all but ``dataset=sines``: those of ``law=code`` lie in [0.5, 1], so that sqrt(R) and V are half
    as large beside U.

    Raises UserError for data that are no sequences, fields out of range, and networks of different ``hidden``.
    """

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
        """UserError unless the data are sequences."""
        need_sequences(data, "timegan")

    def turns(self) -> Mapping[str, Turn]:
        coder = (*self.embedder.parameters(), *self.recovery.parameters())
        s = tuple(self.supervisor.parameters())
        return {
            "autoencoder": Turn(coder, self.autoencoder_loss),
            "supervisor": Turn(s, self.supervisor_loss),
            "generator": Turn((*self.latent_generator.parameters(), *s), self.generator_loss),
            "embedder": Turn(coder, self.embedder_loss),
            "discriminator": Turn(
                tuple(self.latent_discriminator.parameters()), self.discriminator_loss, should_step=self.loses
            ),
        }

    def latents(self, n: int) -> Tensor:
        """U[0, 1] ``[n, T, latent_dim]``."""
        return torch.rand(n, *self.latent_generator.latent_shape, device=self.device)

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """On the straight line, which does not leave [0, 1]."""
        return torch.lerp(a, b, t)

    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        return self.recovery(self.supervisor(self.latent_generator(latents))).to(latents.dtype)

    def critic(self, y: Tensor | None = None) -> Critic:
        """x -> d(e(x)) ``[B, T]``."""
        return lambda x: self.latent_discriminator(self.embedder(x)).to(x.dtype)

    def autoencoder_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """a sqrt(R)."""
        return self.a * self.root(self.error(self.recovery(self.embedder(batch.x)), batch.x)), {}

    def supervisor_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """S."""
        with frozen():
            h = self.embedder(batch.x)
        return self.prediction_error(h, self.supervisor(h)), {}

    def generator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """U + gamma U_e + eta sqrt(S) + v V."""
        with frozen():
            h = self.embedder(batch.x)
        g = self.latent_generator(self.latents(len(batch.x)))
        predicted, faked = self.supervisor(torch.cat([h, g])).chunk(2)  # one pass through time for both
        d, d_e = self.latent_discriminator(torch.cat([faked, g])).to(batch.x.dtype).chunk(2)
        U, U_e = softplus(-d).mean(), softplus(-d_e).mean()
        S, V = self.root(self.prediction_error(h, predicted)), moments_apart(self.recovery(faked).to(batch.x.dtype), batch.x)
        loss = U + self.gamma * U_e + self.eta * S + self.v * V
        return loss, {"adversarial": U, "supervised": S, "moments": V}

    def embedder_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """a sqrt(R) + lambda S."""
        h = self.embedder(batch.x)
        R, S = self.root(self.error(self.recovery(h), batch.x)), self.prediction_error(h, self.supervisor(h))
        return self.a * R + self.lam * S, {"reconstruction": R, "supervised": S}

    def discriminator_loss(self, batch: Batch) -> tuple[Tensor, Stats]:
        """Cross-entropy at every step, both kinds of fakes counting."""
        with frozen():
            h, g = self.embedder(batch.x), self.latent_generator(self.latents(len(batch.x)))
            faked = self.supervisor(g)
        d_real, d, d_e = self.latent_discriminator(torch.cat([h, faked, g])).to(batch.x.dtype).chunk(3)
        return softplus(-d_real).mean() + softplus(d).mean() + self.gamma * softplus(d_e).mean(), {}

    def loses(self, loss: Tensor, stats: Stats) -> bool:
        """Whether the discriminator has something to learn."""
        return bool(loss > self.threshold)

    def error(self, found: Tensor, wanted: Tensor) -> Tensor:
        """Between sequences ``[B, T, d]``: the mean square, or with ``norms`` E sum_t |.|."""
        found = found.to(wanted.dtype)
        return (found - wanted).norm(dim=2).sum(1).mean() if self.norms else mse_loss(found, wanted)

    def root(self, error: Tensor) -> Tensor:
        """The root of a mean square; a mean of norms is in the unit of the data as it is."""
        return error if self.norms else error.clamp(min=1e-12).sqrt()  # at 0 the slope has no bound

    def prediction_error(self, h: Tensor, predicted: Tensor) -> Tensor:
        """S, of s(h) ``[B, T, hidden]`` against h one step later."""
        return self.error(predicted[:, :-1].to(h.dtype), h[:, 1:])

    def estimate(self, batch: Batch) -> Stats:
        """``reconstruction``, ``supervised``: root mean square errors of r(e(x)), in [0, 1], and of s(e(x))."""
        h = self.embedder(batch.x)
        found = mse_loss(self.recovery(h), batch.x), mse_loss(self.supervisor(h)[:, :-1], h[:, 1:])
        return {"reconstruction": found[0].sqrt(), "supervised": found[1].sqrt()}


def moments_apart(fake: Tensor, real: Tensor) -> Tensor:
    """V = E |mean x^ - mean x| + E |std x^ - std x| over all steps and features, std^2 with 1e-6 more, ``[B, T, F]`` each."""
    (v_fake, m_fake), (v_real, m_real) = (torch.var_mean(x, dim=0, correction=0) for x in (fake, real))
    return ((v_fake + 1e-6).sqrt() - (v_real + 1e-6).sqrt()).abs().mean() + (m_fake - m_real).abs().mean()
