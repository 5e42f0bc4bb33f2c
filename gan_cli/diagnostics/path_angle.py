"""Where the players went: the game's vector field along the way from an earlier checkpoint."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gan_cli import checks, drawing
from gan_cli.data.base import Data
from gan_cli.diagnostics.base import DiagnosticReport, Diagnostics
from gan_cli.diagnostics.field import copied, cosine, flat, game_vector
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.games.sampling import choose
from gan_cli.metrics.base import Value
from gan_cli.types import Batch

State = Mapping[str, Tensor]
"""A game's ``state_dict``."""


class Path(NamedTuple):
    """Along a segment: the places α, the cosines in [-1, 1] there, and the norms ‖v‖ of the game vector field there."""

    alphas: tuple[float, ...]
    cosines: tuple[float, ...]
    norms: tuple[float, ...]


def path_angle(game: Game, start: State, end: State, batch: Batch, alphas: Sequence[float], seed: int | str = 0) -> Path:
    """cos(v(w_t + α(w_T − w_t)), w_T − w_t) for the game vector field v and each α (Berard et al., 2020).

    ``start`` and ``end`` are states of ``game``, w_t and w_T. Where w_T merely attracts, the cosine jumps from −1 (the players
    want to go on) to 1 (they want to come back) at α = 1; rotation makes a bump there. Floating buffers go along with the
    parameters, others are those of w_T. Not a number where v or w_T − w_t is 0.

    Raises UserError where a state belongs to other players.
    """
    with copied(game, seed) as copy:
        w_start, w_end = (_parameters(copy, state) for state in (start, end))
        way = flat(w_end) - flat(w_start)
        points = [_at(copy, start, end, alpha, batch, seed) for alpha in alphas]
    return Path(tuple(alphas), tuple(cosine(v, way) for v in points), tuple(float(v.norm()) for v in points))


def _parameters(game: Game, state: State) -> list[Tensor]:
    """The parameters of ``state``, in the order of the game vector field."""
    try:
        game.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(f"A path's ends must be states of this game's players: {str(error).splitlines()[-1].strip()}") from None
    owned = dict.fromkeys(parameter for turn in game.turns().values() for parameter in turn.parameters)
    return [parameter.detach().clone() for parameter in owned]


def _at(game: Game, start: State, end: State, alpha: float, batch: Batch, seed: int | str) -> Tensor:
    mixed = {name: torch.lerp(start[name], to, alpha) if to.is_floating_point() else to for name, to in end.items()}
    game.load_state_dict(mixed)
    return flat(game_vector(game, batch, seed).vectors)


@dataclass(frozen=True)
class PathAngle(Diagnostics):
    """``path_angle`` from an earlier checkpoint, α = 0, to the one that is measured, α = 1, and as far beyond.

    ``path_angle/jump``: how much the cosine rises at α = 1, from the last place before to the first behind; 2 where the players
    were merely attracted, 0 where they turn around. ``path_angle/before``: the mean cosine on the way; −1 where they went
    straight down. A picture shows both curves, the details hold their numbers.

    ``start``: the earlier checkpoint's step (None: the first that is kept); ``batch_size``: of the batch of training data at
    which the field is taken; ``points``: places between α = 0 and 2, an odd number.

    Raises UserError for fields out of range, and where the players have not moved in between.
    """

    family: ClassVar[str] = "path_angle"
    generates: ClassVar[bool] = False
    batch_size: int = 256
    start: int | None = None
    points: int = 41
    begun: State | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.count("metric.batch_size", self.batch_size, least=2)
        checks.odd("metric.points", self.points)
        checks.count("metric.points", self.points, least=3)
        if self.start is not None:
            checks.count("metric.start", self.start, least=0)

    @property
    def size(self) -> int:
        """``batch_size``."""
        return self.batch_size

    @property
    def name(self) -> str:
        """``path_angle/jump``."""
        return "path_angle/jump"

    def since(self, earlier: Callable[[int | None], Game]) -> "PathAngle":
        """This measure of players who come from where those of the ``start`` checkpoint were."""
        ready = replace(self)
        object.__setattr__(ready, "begun", earlier(self.start).state_dict())  # no key of the config
        return ready

    def diagnose(self, game: Game, data: Data, seed: int) -> DiagnosticReport:
        """``path_angle/jump``, ``path_angle/before``; the curves in the details and as a picture."""
        end = game.state_dict()
        if self.begun is None or all(torch.equal(self.begun[name], end[name]) for name in end):
            raise UserError("path_angle looks back to an earlier checkpoint of the run, and there is none with other players.")
        alphas = torch.linspace(0, 2, self.points).tolist()
        path = path_angle(game, self.begun, end, choose(data.train, self.batch_size, seed), alphas, seed)
        middle = self.points // 2
        values = {
            self.name: Value(path.cosines[middle + 1] - path.cosines[middle - 1]),
            "path_angle/before": Value(float(np.mean(path.cosines[:middle]))),
        }
        return DiagnosticReport(values, {"path": path._asdict()}, {"path_angle": drawn(path)})


def drawn(path: Path) -> np.ndarray:
    """The cosine and, below it, the norm of the vector field along the way."""
    figure = drawing.canvas(6, 5)
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(path.alphas, path.cosines, color=drawing.ORANGE)
    above.set(ylim=(-1.05, 1.05), ylabel="cos(v, w_T − w_t)")
    below.plot(path.alphas, path.norms, color=drawing.ORANGE)
    below.set(yscale="log", ylabel="‖v‖", xlabel="α: 0 at the earlier checkpoint, 1 at this one")
    for axes in (above, below):
        axes.axvline(1, color=drawing.GREY, linewidth=1)
    return drawing.rendered(figure)
