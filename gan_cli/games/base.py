"""What a game is: players, their turns, and samples."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gan_cli.data.base import Data
from gan_cli.device import differentiable_twice
from gan_cli.errors import UserError
from gan_cli.types import Batch, Critic, Stats


def nothing() -> None:
    """What follows a turn that leaves nothing to put right."""


Shape = tuple[int, ...]

History = Callable[[], Sequence[Mapping[str, Any]]]
"""Reads what the run has logged so far, a row for each time: ``step`` and the numbers by their tags."""


def always(loss: Tensor, stats: Stats) -> bool:
    """Plays whatever the loss is."""
    return True


class Turn(NamedTuple):
    """One player's move, as much of it as a solver may know.

    ``parameters``: what the player moves; the gradient is taken with respect to these alone.
    ``loss``: batch -> (what the player minimises, further numbers to log). It may be called any number of times.
    ``after``: called once the parameters have moved (weight clipping).
    ``should_step``: (loss value, the turn's statistics) -> whether the optimizer steps this time. TimeGAN's discriminator does
    not step below a loss of 0.15, C-RNN-GAN's players do not while the other's loss is much higher. The statistics have the
    names that ``Solver.turn_stats`` gives them.
    """

    parameters: Sequence[nn.Parameter]
    loss: Callable[[Batch], tuple[Tensor, Stats]]
    after: Callable[[], None] = nothing
    should_step: Callable[[Tensor, Stats], bool] = always


class Traversal(NamedTuple):
    """Latents laid out in rows and columns, along which one of their codes moves.

    ``title``: the code; ``latents``: ``[rows * columns, ...]``, row by row; ``rows``, ``columns``: what is the same in each.
    """

    title: str
    latents: Tensor
    rows: Sequence[str]
    columns: Sequence[str]


class Game(nn.Module, ABC):
    """A game owns its players and returns losses; it never steps an optimizer.

    A game's constructor names what it needs from the config (``generator``, ``discriminator``, ``loss``, ``regularizers``,
    ...) and from the data (``classes``); what it does not name it does not use, and the command line says so.
    """

    @property
    def conditional(self) -> bool:
        """Whether its samples are to show the labels that they are asked for; elsewhere ``sample`` takes no notice of them.

        The sources of a translator are no labels: ``sample`` is given them whatever this says.
        """
        return False

    @classmethod
    def check(cls, data: Data) -> None:
        """UserError where this game cannot be played on such data."""
        return

    @classmethod
    def shapes(cls, player: str, shape: Shape, source: Shape | None) -> tuple[Shape, Shape | None]:
        """(sample, source) as ``player`` sees them, of data with samples of ``shape`` translated from ``source``, if any."""
        return shape, source

    @abstractmethod
    def turns(self) -> Mapping[str, Turn]:
        """Player name -> turn, every one with parameters of its own or shared; empty in a game that only measures."""

    @abstractmethod
    def latents(self, n: int) -> Tensor:
        """``n`` draws from the prior ``[n, ...]`` on the game's device, from torch's default generator."""

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """Latents on the way from ``a`` to ``b``, ``[*shape]`` each, at ``t`` in [0, 1] ``[T, 1, ...]`` -> ``[T, *shape]``.

        Along the great circle, where a Gaussian prior has its mass; a game with another prior has another way.
        """
        return slerp(a, b, t)

    def truncated(self, n: int, threshold: float) -> Tensor:
        """``n`` latents, given that no coordinate is further than ``threshold`` from 0: BigGAN's truncation trick.

        UserError in a game whose latents are anything else than a generator's draws from N(0, I).
        """
        raise UserError("truncation is for games whose generator takes latents from N(0, I) and nothing else. Leave it out.")

    def set_sampling(self, name: str, value: float) -> None:
        """From now on samples are drawn with another value of this field of the game. UserError where it has none such."""
        raise UserError(f"{name} is for diffusion, which samples step by step: game=ddpm and its like. Leave it out.")

    @abstractmethod
    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        """Samples ``[n, *shape]`` for these latents, given labels ``[n]`` or sources ``[n, *source]`` if players use them."""

    def panels(self, latents: Tensor, y: Tensor | None = None) -> tuple[Tensor, ...]:
        """The samples, and what a picture should show beside each of them, images all."""
        return (self.sample(latents, y),)

    def inverse(self) -> "Game":
        """The game that translates the other way, with the same players. UserError where there is no way back."""
        raise UserError(f"{type(self).__name__} has no way back: only a game that translates both ways, as cyclegan, does.")

    def traversals(self, n: int) -> Sequence[Traversal]:
        """What each code does to about ``n`` samples; empty where latents have no codes. Draws as ``latents`` does."""
        return ()

    def critic(self, y: Tensor | None = None) -> Critic | None:
        """x -> logits, given labels where the players use them; None in a game without a critic of samples."""
        return None

    def estimate(self, batch: Batch) -> Stats:
        """What the players say about the distance to this batch, without any penalty; empty where they say nothing."""
        return {}

    def measure(self, step: int) -> Mapping[str, float]:
        """What a game that knows its own mathematics can say after round ``step``, by full tags; empty where it is silent.

        Called in eval mode and without a graph; draws from streams that are put back, and leaves the players as they are.
        """
        return {}

    def picture(self, history: History) -> np.ndarray | None:
        """A picture of the game itself, uint8 ``[H, W, 3]``, instead of one of its samples; None: samples are drawn.

        Called as ``measure`` is.
        """
        return None

    @property
    def device(self) -> torch.device:
        """Where the players are; a game that has only buffers is where they are."""
        return next(chain(self.parameters(), self.buffers())).device


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Spherical interpolation between two latents of equal shape at ``t`` in [0, 1] ``[T, 1, ...]`` -> ``[T, *shape]``.

    sin((1 - t) w) / sin w a + sin(t w) / sin w b with w the angle between a and b (Shoemake, 1985); a straight line where they
    are parallel.
    """
    cosine = torch.dot(a.flatten(), b.flatten()) / (a.norm() * b.norm()).clamp(min=1e-12)
    angle = cosine.clamp(-1, 1).arccos()
    if angle.sin() < 1e-6:
        return torch.lerp(a, b, t)
    return (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()


def need_sequences(data: Data, game: str) -> None:
    """UserError unless samples are sequences ``(T, F)``."""
    if len(data.shape) != 2:
        raise UserError(
            f"game={game} is played on sequences, and this data set's samples have shape {tuple(data.shape)}.\n"
            "Take a data set of sequences, such as dataset=sines."
        )


_all_players: ContextVar[bool] = ContextVar("all_players", default=False)


@contextmanager
def differentiable_in_all_players() -> Iterator[None]:
    """Inside, a turn's loss can be differentiated with respect to its opponents too.

    Consensus optimisation and the game's Jacobian need it; elsewhere opponents are frozen, which spares their graph.
    """
    token = _all_players.set(True)
    try:
        with differentiable_twice():  # whoever asks for this differentiates the gradient
            yield
    finally:
        _all_players.reset(token)


def frozen() -> AbstractContextManager:
    """Around a turn's use of its opponents: no graph, unless ``differentiable_in_all_players``."""
    return nullcontext() if _all_players.get() else torch.no_grad()
