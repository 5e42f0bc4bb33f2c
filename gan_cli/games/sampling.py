"""Samples of a game and of its data: seeded, in chunks, leaving everything as it was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypedDict, Unpack, cast

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from gan_cli import checks
from gan_cli.activity import activity
from gan_cli.data.base import Data, Dataset, seeded_generator
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.games.protocols import HasPanels, HasSamplingOptions, Truncatable
from gan_cli.randomness import fork_rng, random_state, set_random_state
from gan_cli.types import Batch

CHUNK = 250
"""Samples generated at a time: a constant, so that equal seeds give equal samples whatever the training batch is."""
BLOCK = 1 << 26
"""Numbers in all the latents that are in memory at a time: a constant for the same reason."""


class Sampling(TypedDict, total=False):
    """Options of sampling that differ from training; None keeps what training had.

    Attributes:
        truncation: Normal latents are drawn within this distance of 0.
        sampling_steps: Number of steps back from noise, for diffusion.
        eta: Share in [0, 1] of fresh noise in each of these steps.
        guidance: Weight w of the labels, for diffusion.
        standing_statistics: Number of batches of 250 samples from which batch norm's statistics are computed anew.
    """

    truncation: float | None
    sampling_steps: int | None
    eta: float | None
    guidance: float | None
    standing_statistics: int | None


def sampling_of(cfg: DictConfig) -> Sampling:
    """Return the sampling options of a config of gan-sample or gan-eval."""
    return cast(Sampling, {key: cfg[key] for key in Sampling.__annotations__ if cfg[key] is not None})


def set_sampling(game: Game, classes: int, **sampling: Unpack[Sampling]) -> None:
    """Make ``game``, of data with ``classes``, draw its samples with these options from now on.

    Raises:
        UserError: If the game does not have one of the options.
    """
    given: dict[str, Any] = {name: value for name, value in sampling.items() if value is not None}
    if unknown := given.keys() - Sampling.__annotations__:
        raise TypeError(f"{', '.join(sorted(unknown))}: sampling has the options {', '.join(Sampling.__annotations__)}.")
    for name in [name for name in Sampling.__annotations__ if name in given]:
        if name == "truncation":
            truncate(game, given[name])
        elif name == "standing_statistics":
            set_standing_statistics(game, given[name], classes)
        elif isinstance(game, HasSamplingOptions):
            game.set_sampling(name, given[name])
        else:
            raise UserError(f"{name} is for diffusion, which samples step by step: game=ddpm and its variants. Leave it out.")


@contextmanager
def eval_mode(game: nn.Module) -> Iterator[None]:
    """Put ``game`` in eval mode, without a graph; on exit every module returns to the mode that it was in."""
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
    """Restore on exit all buffers that forward passes move (batch norm's averages, spectral norm's vectors)."""
    before = [buffer.clone() for buffer in game.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(game.buffers(), before, strict=True):
                buffer.copy_(value)


def generate(game: Game, n: int, seed: int, y: Tensor | None = None) -> Tensor:
    """Return ``n`` samples ``[n, *shape]`` on the CPU, from latents drawn with ``seed``.

    Args:
        game: The game; if it draws while it samples, it draws from ``seed`` too.
        n: Number of samples.
        seed: Seed of all draws; torch's own random streams stay as they are.
        y: Labels ``[n]``, or the sources ``[n, *source]`` of a translator.
    """
    return torch.cat([*chunks(game, n, seed, y)])


def chunks(game: Game, n: int, seed: int, y: "Tensor | Readable | None" = None) -> Iterator[Tensor]:
    """Yield the same samples ``CHUNK`` at a time, so that the memory they take does not grow with ``n``.

    Latents are drawn in blocks of about ``BLOCK`` numbers, each of them twice: once at the beginning, because the draws of the
    samples follow those of all latents, and once more when its samples are made. Between two chunks, torch's own random streams
    are as they were, too.
    """
    sizes = _block_sizes(game, n)
    with fork_rng(seed, game.device):
        blocks = [(random_state(game.device), len(game.latents(size))) for size in sizes]
        state = random_state(game.device)
    done = 0
    with activity("generating samples", n) as generating:
        for before, size in blocks:
            with fork_rng(seed, game.device):
                set_random_state(before, game.device)
                latents = game.latents(size)
            for start in range(0, size, CHUNK):
                part = latents[start : start + CHUNK]
                given = None if y is None else y[done : done + len(part)]
                with fork_rng(seed, game.device):
                    set_random_state(state, game.device)
                    made = decode(game, part, given)
                    state = random_state(game.device)
                done += len(part)
                generating.advance(len(made))
                yield made


def _block_sizes(game: Game, n: int) -> list[int]:
    """Return the sizes of blocks of ``n`` latents.

    On the CPU torch draws normal numbers 16 at a time. Blocks of whole groups of 16 numbers are equal to one draw of them all.
    """
    with fork_rng(0, game.device):
        numbers = max(1, game.latents(1).numel())
    unit = CHUNK * (8 if 8 * CHUNK * numbers <= BLOCK else 1)
    size = max(unit, BLOCK // numbers // unit * unit)
    sizes = [size] * (n // size)
    rest = n - sum(sizes)
    if sizes and rest < 16:  # fewer than 16 numbers would be drawn in another way
        return [*sizes[:-1], size + rest]
    return [*sizes, rest] if rest else sizes


class Readable:
    """Conditions of samples, such as sources to be translated, that are read when their turn comes.

    Args:
        n: Their number.
        read: Returns the conditions of these indices.
    """

    def __init__(self, n: int, read: Callable[[range], Tensor]) -> None:
        self.n, self.read = n, read

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, part: slice) -> Tensor:
        return self.read(range(*part.indices(self.n)))


def decode(game: Game, latents: Tensor, y: Tensor | None = None) -> Tensor:
    """Return the samples ``[n, *shape]`` of these latents, on the CPU."""
    return _in_chunks(game, lambda *given: (game.sample(*given),), latents, y)[0]


def panels(game: Game, latents: Tensor, y: Tensor | None = None) -> tuple[Tensor, ...]:
    """Return the same samples, and the images that the game shows beside them."""
    return _in_chunks(game, game.panels, latents, y) if isinstance(game, HasPanels) else (decode(game, latents, y),)


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


def picture_strips(
    game: Game, latents: Tensor, y: Tensor | None, targets: Tensor | None = None, made: tuple[Tensor, ...] | None = None
) -> list[Tensor]:
    """Return the strips of a picture of samples, each ``[n, C, H, W]``.

    They are sources, samples and targets, if there are any, of a translator, and the samples alone of any other game.
    ``made`` is what ``panels`` would return, if it is known already.
    """
    with activity("generating samples"):
        strips = list(panels(game, latents, y) if made is None else made)
    if y is None or y.ndim < 4:
        return strips
    return [y.float().cpu(), *strips, *([] if targets is None else [targets])]


def truncate(game: Game, threshold: float) -> None:
    """Make ``game`` draw its normal latents with every coordinate within ``threshold`` of 0 (Brock et al., 2019).

    The smaller the threshold, the more typical and the less varied the samples.

    Raises:
        UserError: If the threshold is not above 0, or the game has no normal latents.
    """
    checks.number("truncation", threshold, above=0)
    if not isinstance(game, Truncatable):
        raise UserError("truncation is for games whose generator takes latents from N(0, I) and nothing else. Leave it out.")
    with fork_rng(0, game.device):  # refused now rather than after an hour of computing features
        if not game.truncated(1, threshold).numel():
            raise UserError("truncation: this game's samples are decided by their sources, there is no latent to truncate.")
    game.latents = partial(game.truncated, threshold=threshold)  # type: ignore[method-assign]


def set_standing_statistics(game: Game, batches: int, classes: int) -> None:
    """Compute batch norm's running mean and variance anew, as means over ``batches`` batches of ``CHUNK`` samples.

    The running statistics of training belong to latents that are not truncated, and to earlier weights (Brock et al., 2019,
    section 4.2). If batch norm follows the linear layer of the latents directly, as in DCGAN, the new statistics undo the
    effect of a truncation. Labels are equally frequent. Only layers that samples pass through change.

    Raises:
        UserError: If samples pass through no batch norm.
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
            "standing statistics are batch norm's, and this run's samples pass through none: leave standing_statistics out."
        )


def choose(dataset: Dataset, n: int, seed: int) -> Batch:
    """Draw ``n`` samples of ``dataset`` without replacement, or all of them in random order if it has fewer."""
    return dataset.batch(dataset.draw_rows(n, seeded_generator(seed, "choose")))


def conditions(data: Data, n: int, seed: int) -> Tensor | None:
    """Return the conditions of ``n`` samples: labels in turn, the sources of ``examples``, or None for unconditional data."""
    return cycling_labels(n, data.classes) if data.source is None else examples(data, n, seed).y


def examples(data: Data, n: int, seed: int) -> Batch:
    """Draw ``n`` held-out samples with ``seed``, or training samples if none are held out; they repeat if there are fewer."""
    x, y = choose(data.shown, n, seed)
    turn = torch.arange(n) % len(x)
    return Batch(x[turn], None if y is None else y[turn])


def cycling_labels(n: int, classes: int) -> Tensor | None:
    """Return labels 0, 1, 2, ... repeatedly; None if the data has no classes."""
    return torch.arange(n) % classes if classes else None
