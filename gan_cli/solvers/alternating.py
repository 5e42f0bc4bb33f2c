"""Alternating gradient steps."""

from collections.abc import Iterator, Sequence

from gan_cli.solvers.base import Solver
from gan_cli.types import Batch, Stats


class Alternating(Solver):
    """Each turn sees the moves made before it: algorithm 1 of Goodfellow et al., 2014, with k critic steps a round."""

    def round(self, order: Sequence[str], batches: Iterator[Batch]) -> Stats:
        stats: Stats = {}
        for player in order:
            turn = self.turns[player]
            loss, reported = self.gradients(player, next(batches))
            stats |= reported
            if turn.should_step(loss, reported):
                self.optimizers[player].step()
                turn.after()
        return stats
