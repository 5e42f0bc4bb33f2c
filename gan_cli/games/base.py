"""Game and Turn: everything that solvers, the loop and its callbacks may ask of a game."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from itertools import chain
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from gan_cli.contracts import TENSOR, Contract, instance_of
from gan_cli.data.base import Data
from gan_cli.device import differentiable_twice
from gan_cli.errors import UserError
from gan_cli.games.objective import Objective, Part
from gan_cli.models.base import first_parameter
from gan_cli.regularizers.base import Judged, Regularizer
from gan_cli.types import Batch, Critic, Stats

Shape = tuple[int, ...]


def nothing() -> None:
    """Do nothing, after a turn that needs nothing more."""


def always(loss: Tensor, stats: Stats) -> bool:
    """Return True: step, whatever the loss is."""
    return True


def unconstrained(player: str) -> None:
    """Leave the player's weights as they are."""


class Turn(NamedTuple):
    """One move of a round, as much of it as a solver may know.

    Attributes:
        players: Player name -> the parameters that move. The gradient is taken with respect to these alone.
        loss: Maps a batch to (the loss that the players minimize, further numbers to log). A solver may call it any number
            of times.
        after: Called after the parameters have moved and the constraints have been applied.
        should_step: Maps (loss value, statistics of the turn) to whether the optimizer steps this time. TimeGAN's
            discriminator does not step below a loss of 0.15, for example. The statistics have the names that
            ``Solver.turn_stats`` gives them.
        constrain: Applies the constraints of a player, such as weight clipping.
    """

    players: Mapping[str, Sequence[nn.Parameter]]
    loss: Callable[[Batch], tuple[Tensor, Stats]]
    after: Callable[[], None] = nothing
    should_step: Callable[[Tensor, Stats], bool] = always
    constrain: Callable[[str], None] = unconstrained

    @property
    def parameters(self) -> tuple[nn.Parameter, ...]:
        """The parameters of all players of the turn, player by player."""
        return tuple(chain.from_iterable(self.players.values()))

    def finish(self) -> None:
        """Apply the constraints of every player that has moved, then ``after``; called after each step."""
        for player in self.players:
            self.constrain(player)
        self.after()

    def without(self, frozen: Iterable[nn.Parameter]) -> "Turn":
        """Return the same turn with these parameters frozen; a player whose parameters are all frozen is left out."""
        ids = {id(parameter) for parameter in frozen}
        players: dict[str, Sequence[nn.Parameter]] = {}
        fixed: dict[str, Sequence[nn.Parameter]] = {}
        for name, own in self.players.items():
            if moving := [parameter for parameter in own if id(parameter) not in ids]:
                players[name], fixed[name] = moving, [parameter for parameter in own if id(parameter) in ids]
        constrain = partial(_constrain_moving, self.constrain, fixed) if any(fixed.values()) else self.constrain
        return self._replace(players=players, constrain=constrain)


@torch.no_grad()
def _constrain_moving(constrain: Callable[[str], None], frozen: Mapping[str, Sequence[nn.Parameter]], player: str) -> None:
    """Apply the constraints of a player, and put back its frozen parameters."""
    before = [parameter.clone() for parameter in frozen[player]]
    constrain(player)
    for parameter, value in zip(frozen[player], before, strict=True):
        parameter.copy_(value)


class Game(Contract, nn.Module, ABC):
    """A game owns its players and returns losses; it never steps an optimizer.

    The arguments of a game's constructor say what it needs: networks by the keys of ``conf/model/*.yaml`` (``generator``),
    ``objective``, the number of ``classes``, and the fields of its own yaml. What it does not name it does not use.

    A player is a network that is trained. Its name is the same everywhere: in ``init_players``, ``frozen``,
    ``optimizer.PLAYER`` and the ``players`` of a regularizer.

    Args:
        objective: Loss, regularizers and augmentation, as many of them as ``uses`` lists.
    """

    contract: ClassVar = {"turns": instance_of(Mapping, "a mapping from names to Turns"), "latents": TENSOR, "sample": TENSOR}
    uses: ClassVar[tuple[Part, ...]] = ()
    """The config groups among loss, regularizer and augmentation that the game uses; naming any other is an error."""
    follows: ClassVar[Mapping[str, str]] = {}
    """Player -> the name in the config whose optimizer settings it takes, unless it has settings of its own."""
    instead: ClassVar[Mapping[str, str]] = {}
    """Config group that the game does not use -> the words that play the like with it."""

    def __init__(self, objective: Objective | None = None) -> None:
        super().__init__()
        self.objective = objective or Objective()

    @classmethod
    def check(cls, data: Data) -> None:
        """Check that the game can be played on ``data``.

        Raises:
            UserError: If it cannot.
        """
        return

    @classmethod
    def shapes(cls, player: str, shape: Shape, source: Shape | None) -> tuple[Shape, Shape | None]:
        """Return the shapes of (samples, sources) as ``player`` sees them, for data of these shapes."""
        return shape, source

    def players(self) -> Mapping[str, nn.Module]:
        """Return the players by name: by default every child module that has parameters, under its attribute's name."""
        return {name: child for name, child in self.named_children() if first_parameter(child) is not None}

    @abstractmethod
    def turns(self) -> Mapping[str, Turn]:
        """Return the turns by name, the names that a schedule uses; empty in a game that only measures."""

    @abstractmethod
    def latents(self, n: int) -> Tensor:
        """Draw ``n`` latents ``[n, ...]`` from the prior, on the game's device, from torch's default generator."""

    @abstractmethod
    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the samples ``[n, *shape]`` of these latents.

        Args:
            latents: ``[n, ...]``, as ``latents`` draws them.
            y: Labels ``[n]``, or sources ``[n, *source]`` of a translator, if the players use them.
        """

    @property
    def law(self) -> str:
        """The law of the latents in words or symbols, for whoever draws them elsewhere."""
        return "as the game draws them"

    @property
    def conditional(self) -> bool:
        """True if samples depend on the labels passed to ``sample``; otherwise ``sample`` ignores them.

        The sources of a translator are no labels: ``sample`` needs them whatever this says.
        """
        return False

    def interpolate(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """Return latents ``[T, *shape]`` on the way from ``a`` to ``b``, ``[*shape]`` each, at ``t`` in [0, 1] ``[T, 1, ...]``.

        The default follows the great circle, where a Gaussian prior has its mass.
        """
        return slerp(a, b, t)

    def critic(self, y: Tensor | None = None) -> Critic | None:
        """Return the function x -> logits, given labels if the players use them; None in a game without a critic."""
        return None

    def estimate(self, batch: Batch) -> Stats:
        """Return what the players say about the distance to this batch, without any penalty; empty if they say nothing."""
        return {}

    @property
    def device(self) -> torch.device:
        """The device of the players, or of the buffers in a game without players."""
        first = first_parameter(self)
        return (next(self.buffers()) if first is None else first).device

    def turn(
        self,
        *players: str,
        loss: Callable[[Batch], tuple[Tensor, Stats]],
        after: Callable[[], None] = nothing,
        should_step: Callable[[Tensor, Stats], bool] = always,
    ) -> Turn:
        """Return a turn that moves all parameters of these players and then applies their constraints."""
        networks = self.players()
        moves = {player: tuple(networks[player].parameters()) for player in players}
        return Turn(moves, loss, after, should_step, self.constrain)

    def add_players(self, **networks: nn.Module) -> None:
        """Register each network as the player of that name, transformed by its regularizers."""
        for player, network in self.regularized(**networks).items():
            setattr(self, player, network)

    def regularized_as(self, player: str) -> tuple[str, ...]:
        """Return the names by which the ``players`` of a regularizer may mean ``player``."""
        return (player,)

    def regularizers_of(self, player: str) -> dict[str, Regularizer]:
        """Return the regularizers that act on ``player``, by their names in the config."""
        names = set(self.regularized_as(player))
        return {name: one for name, one in self.objective.regularizers.items() if names.intersection(one.players)}

    def regularized(self, **networks: nn.Module) -> dict[str, nn.Module]:
        """Return the networks of these players as their regularizers transform them."""
        for regularizer in self.objective.regularizers.values():
            # in the order in which the regularizer lists them, because transformations may draw random numbers
            listed = [player for name in regularizer.players for player in networks if name in self.regularized_as(player)]
            for player in dict.fromkeys(listed):
                networks[player] = regularizer.transform(networks[player])
        return networks

    def penalties(self, player: str, critic: Critic, judged: Judged) -> Stats:
        """Return the penalties to be added to the loss of ``player``, as ``penalty_<name of the regularizer>``."""
        penalizing = {name: one for name, one in self.regularizers_of(player).items() if one.penalizes}
        if not penalizing:
            return {}
        network = self.players()[player]
        return {f"penalty_{name}": one.penalty(network, critic, judged) for name, one in penalizing.items()}

    def constrain(self, player: str) -> None:
        """Apply the constraints of the player's regularizers to its weights."""
        for regularizer in self.regularizers_of(player).values():
            if regularizer.constrains:
                regularizer.constrain(self.players()[player])

    def begin_round(self, step: int) -> None:
        """Tell every part of the objective that depends on the round that round ``step`` begins."""
        for part in self.objective.followers:
            part.begin_round(step)


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Return the spherical interpolation between two latents (Shoemake, 1985).

    sin((1 - t) w) / sin w a + sin(t w) / sin w b, where w is the angle between a and b; a straight line if they are parallel.

    Args:
        a: ``[*shape]``.
        b: ``[*shape]``.
        t: In [0, 1], ``[T, 1, ...]``.

    Returns:
        ``[T, *shape]``.
    """
    cosine = torch.dot(a.flatten(), b.flatten()) / (a.norm() * b.norm()).clamp(min=1e-12)
    angle = cosine.clamp(-1, 1).arccos()
    if angle.sin() < 1e-6:
        return torch.lerp(a, b, t)
    return (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()


def need_sequences(data: Data, game: str) -> None:
    """Check that samples are sequences ``[T, F]``.

    Raises:
        UserError: If they are not.
    """
    if len(data.shape) != 2:
        raise UserError(
            f"game={game} is played on sequences, and this data set's samples have shape {tuple(data.shape)}.\n"
            "Take a data set of sequences, such as dataset=sines."
        )


def penalized(loss: Tensor, penalties: Stats) -> Tensor:
    """Return the loss plus the sum of the penalties."""
    if not penalties:
        return loss
    first, *others = penalties.values()
    return loss + sum(others, first)


_all_players: ContextVar[bool] = ContextVar("all_players", default=False)


@contextmanager
def differentiable_in_all_players() -> Iterator[None]:
    """Make losses differentiable with respect to the opponents too, for as long as the context lasts.

    Consensus optimization and the game's Jacobian need it; elsewhere opponents are frozen, which saves their graph.
    """
    token = _all_players.set(True)
    try:
        with differentiable_twice():  # whoever asks for this differentiates the gradient
            yield
    finally:
        _all_players.reset(token)


def frozen() -> AbstractContextManager[None]:
    """Return the context of a turn's use of its opponents: no graph, unless ``differentiable_in_all_players`` is active."""
    return nullcontext() if _all_players.get() else torch.no_grad()
