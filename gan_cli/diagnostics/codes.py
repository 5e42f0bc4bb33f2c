"""Agreement between InfoGAN's categorical code and the classes of the data."""

from dataclasses import dataclass
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
    """Count the samples of each code and label.

    Args:
        code: Codes, int64 ``[N]``.
        y: Labels, int64 ``[N]``.
        codes: Number of codes.
        classes: Number of classes.

    Returns:
        Counts, int64 ``[codes, classes]``.
    """
    return torch.bincount(code.cpu() * classes + y.cpu(), minlength=codes * classes).view(codes, classes)


def one_to_one(table: Tensor) -> tuple[float, list[tuple[int, int]]]:
    """Match codes with classes one to one so that as many samples as possible agree (Hungarian method: Kuhn, 1955).

    Args:
        table: Counts ``[codes, classes]``.

    Returns:
        The share of samples that agree, in [1 / max(codes, classes), 1], and the matched pairs (code, class). With few
        samples the share lies above chance even for a code that is independent of the classes.
    """
    rows, columns = linear_sum_assignment(table.numpy(), maximize=True)
    return float(table[rows, columns].sum() / table.sum()), list(zip(rows.tolist(), columns.tolist(), strict=True))


@dataclass(frozen=True)
class CodeAccuracy(Diagnostics):
    """The best one-to-one accuracy between Q's code of real held-out samples and their labels (Chen et al., 2016, section 7.2).

    Labels only name the codes afterwards; no player has seen them. ``codes/used`` is the number of codes that Q assigns to at
    least a hundredth of the samples. The standard error is binomial and treats the matching as given.

    Args:
        batch_size: Number of held-out samples; all of them if there are fewer.

    Raises:
        UserError: If ``batch_size`` is not a positive whole number.
    """

    family: ClassVar[str] = "codes"
    generates: ClassVar[bool] = False
    split: ClassVar[str] = "heldout"
    batch_size: int = 2000

    def __post_init__(self) -> None:
        checks.count("batch_size", self.batch_size)

    @property
    def size(self) -> int:
        """``batch_size``."""
        return self.batch_size

    def diagnose(self, game: Game, data: Data, seed: int) -> DiagnosticReport:
        """Return ``codes/accuracy`` and ``codes/used``, with the counts (a row for each code) and the matching as details.

        Raises:
            UserError: If the game is not InfoGAN, or the data have no classes.
        """
        if not isinstance(game, InfoGAN):
            raise UserError("diagnostics=codes measures the codes of game=infogan: this game has none.")
        batch = choose(data.shown, self.batch_size, seed)
        if batch.y is None or not data.classes:
            raise UserError("diagnostics=codes compares codes with labels, and this data set has none.")
        with eval_mode(game), preserve_buffers(game):
            code = torch.cat([game.code(x.to(game.device)).cpu() for x in batch.x.split(CHUNK)])
        table = contingency(code, batch.y, game.K, data.classes)
        p, pairs = one_to_one(table)
        used = int((table.sum(1) >= 0.01 * len(code)).sum())
        values = {
            "codes/accuracy": Value(p, (p * (1 - p) / len(code)) ** 0.5, higher_is_better=True),
            "codes/used": Value(used, higher_is_better=True),
        }
        return DiagnosticReport(values, {"counts": table.tolist(), "matching": pairs, "skipped": {}})
