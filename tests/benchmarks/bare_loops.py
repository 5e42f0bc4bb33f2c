"""Training loops as one writes them by hand for a single paper, with nothing but what the training needs.

They do the work of a run of this package with the same networks, in the same order of random draws: the steps of all players
and their average. They log nothing, check nothing and save nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan_cli.data.base import Dataset
from gan_cli.data.images.arrays import ImageArray
from gan_cli.models.mlp import MLPDiscriminator, MLPGenerator
from gan_cli.training.run import Run

Round = Callable[[int], None]
"""Plays the round of this number, from 1."""


def bare_round(run: Run, batches: Iterator[Tensor]) -> Round:
    """Return the round of the run's game, played by a loop on the run's own networks.

    Args:
        run: A run of ``game=gan`` with one of the losses of ``LOSSES``, or of ``game=ddpm``, whose optimizers are Adam.
        batches: Training batches without end.
    """
    cfg = run.cfg
    average = Average(run.game, run.ema.game, cfg.ema)
    adam = partial(torch.optim.Adam, lr=cfg.optimizer.lr, betas=tuple(cfg.optimizer.betas))
    if "denoiser" in run.game.players():
        noise = run.game.noise
        steps = diffusion(run.game.denoiser, noise.scale, noise.spread, adam, batches)
    else:
        G, D = plain(run.game.generator), plain(run.game.discriminator)
        penalty = cfg.regularizer.gradient_penalty.weight if "gradient_penalty" in cfg.regularizer else 0.0
        losses = LOSSES[cfg.loss._target_.rpartition(".")[2]]
        steps = adversarial(G, D, run.game.generator.latent_dim, *losses, penalty, cfg.train.n_critic, adam, batches)

    def play(step: int) -> None:
        steps()
        average(step)

    return play


def adversarial(
    G: nn.Module,
    D: nn.Module,
    latent_dim: int,
    d_loss: Callable[[Tensor, Tensor], Tensor],
    g_loss: Callable[[Tensor], Tensor],
    penalty: float,
    n_critic: int,
    adam: Callable[..., torch.optim.Optimizer],
    batches: Iterator[Tensor],
) -> Callable[[], None]:
    """Return ``n_critic`` steps of D and one of G, with the gradient penalty of WGAN-GP unless its weight is 0."""
    g_parameters, d_parameters = list(G.parameters()), list(D.parameters())
    g_adam, d_adam = adam(g_parameters), adam(d_parameters)

    def steps() -> None:
        for _ in range(n_critic):
            x = next(batches)
            with torch.no_grad():
                fake = G(torch.randn(len(x), latent_dim))
            loss = d_loss(D(x), D(fake))
            if penalty:
                between = torch.lerp(fake, x, torch.rand(len(x), *[1] * (x.ndim - 1))).requires_grad_()
                (slope,) = torch.autograd.grad(D(between).sum(), between, create_graph=True)
                loss = loss + penalty * (slope.flatten(1).norm(dim=1) - 1).square().mean()
            d_adam.zero_grad()
            loss.backward(inputs=d_parameters)
            d_adam.step()
        x = next(batches)
        loss = g_loss(D(G(torch.randn(len(x), latent_dim))))
        g_adam.zero_grad()
        loss.backward(inputs=g_parameters)
        g_adam.step()

    return steps


def diffusion(
    denoiser: nn.Module,
    scale: Tensor,
    spread: Tensor,
    adam: Callable[..., torch.optim.Optimizer],
    batches: Iterator[Tensor],
) -> Callable[[], None]:
    """Return a step of the denoiser at random times, for x_t = scale_t x_0 + spread_t eps."""
    optimizer = adam(denoiser.parameters())

    def steps() -> None:
        x = next(batches)
        t = torch.randint(1, len(scale), (len(x),))
        eps = torch.randn_like(x)
        noisy = scale[t].view(-1, 1, 1, 1) * x + spread[t].view(-1, 1, 1, 1) * eps
        loss = F.mse_loss(denoiser(noisy, t), eps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return steps


class Average:
    """The exponential moving average of parameters, and of the statistics of batch norm, in a copy of the networks."""

    def __init__(self, live: nn.Module, average: nn.Module, decay: float) -> None:
        self.decay = decay
        self.live, self.average = ([*one.parameters(), *statistics(one)] for one in (live, average))

    @torch.no_grad()
    def __call__(self, step: int) -> None:
        torch._foreach_lerp_(self.average, self.live, 1 - min(self.decay, (1 + step) / (10 + step)))


def statistics(network: nn.Module) -> Sequence[Tensor]:
    """Return the running means and variances of batch norm."""
    return [b for name, b in network.named_buffers() if name.endswith(("running_mean", "running_var"))]


def plain(network: nn.Module) -> nn.Module:
    """Return the network as its bare layers, which one writes by hand for points; other networks as they are."""
    if isinstance(network, MLPDiscriminator):
        return nn.Sequential(*network.body, nn.Flatten(0))
    return network.body if isinstance(network, MLPGenerator) and len(network.shape) == 1 else network


LOSSES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "NonSaturating": (
        lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
        lambda fake: F.softplus(-fake).mean(),
    ),
    "Wasserstein": (lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean()),
    "Hinge": (lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(), lambda fake: -fake.mean()),
}
"""The losses of D and G by the class that the config names."""


def shuffled(dataset: Dataset, batch_size: int) -> Iterator[Tensor]:
    """Yield batches of a data set in memory without end, each epoch in a new order and without its incomplete last batch."""
    is_image = isinstance(dataset, ImageArray)
    samples = torch.from_numpy(dataset.images) if is_image else dataset.x
    while True:
        order = torch.randperm(len(samples))
        for start in range(0, len(samples) - batch_size + 1, batch_size):
            x = samples[order[start : start + batch_size]]
            yield x.float().div_(127.5).sub_(1) if is_image else x
