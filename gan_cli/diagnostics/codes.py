"""Has InfoGAN's categorical code found the classes that nobody told it?"""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.diagnostics.base import DiagnosticReport, Diagnostics
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.games.infogan import InfoGAN
from gan_cli.games.sampling import CHUNK, choose, eval_mode, preserve_buffers
from gan_cli.metrics.base import Value


def contingency(code: Tensor, y: Tensor, codes: int, classes: int) -> Tensor:
    """How many samples have each code and label: int64 ``[codes, classes]``, from two int64 ``[N]``."""
    return torch.bincount(code.cpu() * classes + y.cpu(), minlength=codes * classes).view(codes, classes)


def one_to_one(table: Tensor) -> tuple[float, list[tuple[int, int]]]:
    """The largest share of samples that a matching of codes with classes, each used once at most, gets right; and its pairs.

    ``table``: counts ``[codes, classes]``. In [1 / max(codes, classes), 1]; for few samples above chance even for a code
    that knows nothing (Hungarian method: Kuhn, 1955).
    """
    rows, columns = linear_sum_assignment(table.numpy(), maximize=True)
    return float(table[rows, columns].sum() / table.sum()), list(zip(rows.tolist(), columns.tolist(), strict=True))


@dataclass(frozen=True)
class CodeAccuracy(Diagnostics):
    """The best one-to-one accuracy between Q's code of real held-out samples and their labels (Chen et al., 2016, section 7.2).

    Labels are used to name the codes, after the fact; no player has seen one. Beside it ``codes/used``, the number of codes
    that Q gives to a hundredth of the samples or more. The error is binomial, with the matching as given.

    ``batch_size``: held-out samples that are looked at, or all where there are fewer.

    Raises UserError for other games than InfoGAN, and for data without classes.
    """

    family: ClassVar[str] = "codes"
    generates: ClassVar[bool] = False
    split: str = field(default="heldout", init=False)
    batch_size: int = 2000

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.count("metric.batch_size", self.batch_size)

    @property
    def size(self) -> int:
        """``batch_size``."""
        return self.batch_size

    @property
    def name(self) -> str:
        """``codes/accuracy``."""
        return "codes/accuracy"

    def diagnose(self, game: Game, data: Data, seed: int) -> DiagnosticReport:
        """``codes/accuracy``, ``codes/used``; in the details the counts, a row for each code, and the matching."""
        if not isinstance(game, InfoGAN):
            raise UserError("the codes that are measured here are those of game=infogan: this game has none.")
        batch = choose(data.heldout, self.batch_size, seed)
        if batch.y is None or not data.classes:
            raise UserError("codes are compared with labels, and this data set has none.")
        with eval_mode(game), preserve_buffers(game):
            code = torch.cat([game.code(x.to(game.device)).cpu() for x in batch.x.split(CHUNK)])
        table = contingency(code, batch.y, game.K, data.classes)
        p, pairs = one_to_one(table)
        used = int((table.sum(1) >= 0.01 * len(code)).sum())
        values = {
            self.name: Value(p, (p * (1 - p) / len(code)) ** 0.5, higher_is_better=True),
            "codes/used": Value(used, higher_is_better=True),
        }
        return DiagnosticReport(values, {"counts": table.tolist(), "matching": pairs, "skipped": {}})
