"""Samples of a game and of its data: seeded, in chunks, leaving everything as it was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypedDict, Unpack, cast

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.data.base import Data, Dataset, seeded_generator
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.randomness import fork_rng
from gan_cli.types import Batch

CHUNK = 250
"""Samples generated at a time: a constant, so that equal seeds give equal samples whatever the training batch is."""


class Sampling(TypedDict, total=False):
    """How samples are drawn, where it is not as in training; None stands for nothing else.

    ``truncation``: normal latents are drawn within this of 0. Of diffusion: ``sampling_steps`` back from noise, the share
    ``eta`` of fresh noise in each, and ``guidance``, the weight w of the labels. ``standing_statistics``: the number of
    batches of 250 such samples from which batch norm's statistics are taken anew.
    """

    truncation: float | None
    sampling_steps: int | None
    eta: float | None
    guidance: float | None
    standing_statistics: int | None


def sampling_of(cfg: DictConfig) -> Sampling:
    """What a config of gan-sample or gan-eval asks for."""
    return cast(Sampling, {key: cfg[key] for key in Sampling.__annotations__ if cfg[key] is not None})


def set_sampling(game: Game, classes: int, **sampling: Unpack[Sampling]) -> None:
    """From now on ``game``, of data with ``classes``, draws its samples so. UserError where it cannot."""
    given: dict[str, Any] = {name: value for name, value in sampling.items() if value is not None}
    if unknown := given.keys() - Sampling.__annotations__:
        raise TypeError(f"{', '.join(sorted(unknown))}: samples are drawn by {', '.join(Sampling.__annotations__)}.")
    for name in [name for name in Sampling.__annotations__ if name in given]:
        if name == "truncation":
            truncate(game, given[name])
        elif name == "standing_statistics":
            set_standing_statistics(game, given[name], classes)
        else:
            game.set_sampling(name, given[name])


@contextmanager
def eval_mode(game: nn.Module) -> Iterator[None]:
    """Inside, ``game`` is in eval mode and builds no graph; then every part is back in the mode that it was in."""
    modes = [(module, module.training) for module in game.modules()]
    game.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def preserve_buffers(game: nn.Module) -> Iterator[None]:
    """Inside, forward passes may move buffers (batch norm's averages, spectral norm's vectors); then they are put back."""
    before = [buffer.clone() for buffer in game.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(game.buffers(), before, strict=True):
                buffer.copy_(value)


def generate(game: Game, n: int, seed: int, y: Tensor | None = None) -> Tensor:
    """``n`` samples ``[n, *shape]`` on the CPU from latents drawn with ``seed``, given labels ``[n]`` where there are any.

    ``y`` may also be the sources ``[n, *source]`` of a translator. A game that draws while it samples draws from ``seed`` too.
    """
    with fork_rng(seed, game.device):
        return decode(game, game.latents(n), y)


def decode(game: Game, latents: Tensor, y: Tensor | None = None) -> Tensor:
    """The samples ``[n, *shape]`` of these latents, on the CPU."""
    return _in_chunks(game, lambda *given: (game.sample(*given),), latents, y)[0]


def panels(game: Game, latents: Tensor, y: Tensor | None = None) -> tuple[Tensor, ...]:
    """The same samples, and what the game shows beside them."""
    return _in_chunks(game, game.panels, latents, y)


def _in_chunks(
    game: Game, made: Callable[[Tensor, Tensor | None], tuple[Tensor, ...]], latents: Tensor, y: Tensor | None
) -> tuple[Tensor, ...]:
    parts = []
    with eval_mode(game):
        for start in range(0, len(latents), CHUNK):
            chunk = slice(start, start + CHUNK)
            found = made(latents[chunk], None if y is None else y[chunk].to(game.device))
            parts.append([part.float().cpu() for part in found])
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))


def picture_strips(game: Game, latents: Tensor, y: Tensor | None, targets: Tensor | None = None) -> list[Tensor]:
    """What a picture of a translator's samples shows in strips, each ``[n, C, H, W]``: sources, samples, targets if any.

    Of another game: the samples alone.
    """
    found = list(panels(game, latents, y))
    if y is None or y.ndim < 4:
        return found
    return [y.float().cpu(), *found, *([] if targets is None else [targets])]


def truncate(game: Game, threshold: float) -> None:
    """From now on ``game`` draws its normal latents with every coordinate within ``threshold`` > 0 of 0 (Brock et al., 2019).

    The smaller, the more typical the samples and the less varied. UserError where the latents are not normal.
    """
    checks.number("truncation", threshold, above=0)
    with fork_rng(0, game.device):  # refused now rather than after an hour of real features
        if not game.truncated(1, threshold).numel():
            raise UserError("truncation: this game's samples are decided by their sources, there is no latent to truncate.")
    game.latents = partial(game.truncated, threshold=threshold)  # type: ignore[method-assign]


def set_standing_statistics(game: Game, batches: int, classes: int) -> None:
    """Batch norm's running mean and variance, taken anew: their means over ``batches`` batches of ``CHUNK`` samples.

    Those of training belong to latents that are not truncated, and to weights on their way (Brock et al., 2019, section 4.2).
    Where batch norm follows the latents' linear layer at once, as in DCGAN, they take a truncation's effect back.
    Labels are equally frequent. Only layers that samples pass through change; UserError where none does.
    """
    norms = [module for module in game.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    seen: set[nn.Module] = set()
    hooks = [norm.register_forward_pre_hook(lambda norm, _: seen.add(norm)) for norm in norms]
    with fork_rng("standing statistics", game.device), eval_mode(game):
        for norm in norms:
            norm.train()
            norm.momentum = None  # the plain mean over all batches since the counter was at 0
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked.zero_()
        for start in range(0, batches * CHUNK, CHUNK):
            y = torch.arange(start, start + CHUNK, device=game.device) % classes if classes else None
            game.sample(game.latents(CHUNK), y)
    for norm, momentum, hook in zip(norms, momenta, hooks, strict=True):
        norm.momentum = momentum
        hook.remove()
    if not seen:
        raise UserError(
            "standing statistics are batch norm's, and no sample of this run passes through one: leave standing_statistics out."
        )


def choose(dataset: Dataset, n: int, seed: int) -> Batch:
    """``n`` samples of ``dataset`` drawn without replacement, or all of them in a random order where it has fewer."""
    return dataset.batch(dataset.draw_rows(n, seeded_generator(seed, "choose")))


def conditions(data: Data, n: int, seed: int) -> Tensor | None:
    """What ``n`` samples of a game of this data are given: labels in turn, ``examples``' sources, or nothing (None)."""
    return cycling_labels(n, data.classes) if data.source is None else examples(data, n, seed).y


def examples(data: Data, n: int, seed: int) -> Batch:
    """``n`` held-out samples, drawn with ``seed``; over and over where there are fewer."""
    x, y = choose(data.heldout, n, seed)
    turn = torch.arange(n) % len(x)
    return Batch(x[turn], None if y is None else y[turn])


def cycling_labels(n: int, classes: int) -> Tensor | None:
    """0, 1, 2, ... over and over; None where the data has no classes."""
    return torch.arange(n) % classes if classes else None
