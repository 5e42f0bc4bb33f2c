"""Alternating gradient steps."""

from collections.abc import Iterator, Sequence

from gan_cli.solvers.base import Solver
from gan_cli.types import Batch, Stats


class Alternating(Solver):
    """Each turn sees the moves made before it: algorithm 1 of Goodfellow et al., 2014, with k critic steps per round."""

    def round(self, order: Sequence[str], batches: Iterator[Batch]) -> Stats:
        stats: Stats = {}
        for name in order:
            turn = self.turns[name]
            loss, reported = self.gradients(name, self.draw(name, batches))
            stats |= reported
            if turn.should_step(loss, reported):
                self.optimizers[name].step()
                turn.finish()
        return stats
