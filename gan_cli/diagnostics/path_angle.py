"""The game's vector field along the segment from an earlier checkpoint to the current one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gan_cli import checks, drawing
from gan_cli.activity import counted
from gan_cli.data.base import Data
from gan_cli.diagnostics.base import DiagnosticReport, Diagnostics
from gan_cli.diagnostics.field import cosine_similarity, game_vector, tensors_to_vector, training_copy
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.games.sampling import choose
from gan_cli.metrics.base import Value
from gan_cli.types import Batch

State = Mapping[str, Tensor]
"""A game's ``state_dict``."""


class Path(NamedTuple):
    """The game's vector field v along a segment.

    Attributes:
        alphas: Positions α on the line through both ends: 0 is the start, 1 the end.
        cosines: Cosines between v and the segment, in [-1, 1].
        norms: Norms ‖v‖.
    """

    alphas: tuple[float, ...]
    cosines: tuple[float, ...]
    norms: tuple[float, ...]


def path_angle(game: Game, start: State, end: State, batch: Batch, alphas: Sequence[float], seed: int | str = 0) -> Path:
    """Compute cos(v(w_t + α(w_T − w_t)), w_T − w_t) for the game vector field v and each α (Berard et al., 2020).

    If w_T merely attracts, the cosine jumps at α = 1 from −1 (the players move on) to 1 (they turn back); rotation makes a bump
    there. It is NaN where v or w_T − w_t is 0. Floating-point buffers are interpolated like parameters; other buffers are
    those of w_T.

    Args:
        game: The game whose states are given.
        start: The state w_t.
        end: The state w_T.
        batch: The data on which v is taken.
        alphas: Positions on the line through both states.
        seed: Decides the latents.

    Raises:
        UserError: If a state belongs to other players.
    """
    with training_copy(game, seed) as copy:
        w_start, w_end = (_parameters(copy, state) for state in (start, end))
        way = tensors_to_vector(w_end) - tensors_to_vector(w_start)
        points = [_at(copy, start, end, alpha, batch, seed) for alpha in counted("positions on the path", alphas)]
    return Path(tuple(alphas), tuple(cosine_similarity(v, way) for v in points), tuple(float(v.norm()) for v in points))


def _parameters(game: Game, state: State) -> list[Tensor]:
    """Return the parameters of ``state``, in the order of the game vector field."""
    try:
        game.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(f"A path's ends must be states of this game's players: {str(error).splitlines()[-1].strip()}") from None
    owned = dict.fromkeys(parameter for turn in game.turns().values() for parameter in turn.parameters)
    return [parameter.detach().clone() for parameter in owned]


def _at(game: Game, start: State, end: State, alpha: float, batch: Batch, seed: int | str) -> Tensor:
    mixed = {name: torch.lerp(start[name], to, alpha) if to.is_floating_point() else to for name, to in end.items()}
    game.load_state_dict(mixed)
    return tensors_to_vector(game_vector(game, batch, seed).vectors)


@dataclass(frozen=True)
class PathAngle(Diagnostics):
    """``path_angle`` from an earlier checkpoint, α = 0, through the measured one, α = 1, to α = 2.

    ``path_angle/jump`` is the rise of the cosine at α = 1, from the last position before it to the first one behind it: 2 if
    the players were merely attracted, 0 if they rotate. ``path_angle/before`` is the mean cosine for α < 1: −1 if the players
    moved straight along −v. A picture shows both curves, and the details hold their numbers.

    Args:
        batch_size: Size of the batch of training data on which v is taken.
        start: Step of the earlier checkpoint; None for the first one that was kept.
        points: Number of positions between α = 0 and 2, odd.

    Raises:
        UserError: If a field is out of range.
    """

    family: ClassVar[str] = "path_angle"
    generates: ClassVar[bool] = False
    batch_size: int = 256
    start: int | None = None
    points: int = 41
    begun: State | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        checks.count("batch_size", self.batch_size, least=2)
        checks.odd("points", self.points)
        checks.count("points", self.points, least=3)
        if self.start is not None:
            checks.count("start", self.start, least=0)

    @property
    def size(self) -> int:
        """``batch_size``."""
        return self.batch_size

    def since(self, earlier: Callable[[int | None], Game]) -> "PathAngle":
        """Return these diagnostics with the players of the ``start`` checkpoint as the start of the path."""
        ready = replace(self)
        object.__setattr__(ready, "begun", earlier(self.start).state_dict())  # not a config key
        return ready

    def diagnose(self, game: Game, data: Data, seed: int) -> DiagnosticReport:
        """Return ``path_angle/jump`` and ``path_angle/before``, with the curves as details and as a picture.

        Raises:
            UserError: If there is no earlier checkpoint, or the players have not moved since.
        """
        end = game.state_dict()
        if self.begun is None or all(torch.equal(self.begun[name], end[name]) for name in end):
            raise UserError("diagnostics=path_angle needs an earlier checkpoint, and there is none with other players.")
        alphas = torch.linspace(0, 2, self.points).tolist()
        path = path_angle(game, self.begun, end, choose(data.train, self.batch_size, seed), alphas, seed)
        middle = self.points // 2
        values = {
            "path_angle/jump": Value(path.cosines[middle + 1] - path.cosines[middle - 1]),
            "path_angle/before": Value(float(np.mean(path.cosines[:middle]))),
        }
        return DiagnosticReport(values, {"path": path._asdict()}, {"path_angle": plot_path(path)})


def plot_path(path: Path) -> np.ndarray:
    """Plot the cosine and, below it, the norm of the vector field along the path."""
    figure = drawing.new_figure(6, 5)
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(path.alphas, path.cosines, color=drawing.ORANGE)
    above.set(ylim=(-1.05, 1.05), ylabel="cos(v, w_T − w_t)")
    below.plot(path.alphas, path.norms, color=drawing.ORANGE)
    below.set(yscale="log", ylabel="‖v‖", xlabel="α: 0 at the earlier checkpoint, 1 at this one")
    for axes in (above, below):
        axes.axvline(1, color=drawing.GREY, linewidth=1)
    return drawing.render(figure)
