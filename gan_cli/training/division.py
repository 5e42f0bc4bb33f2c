"""The division of a run's batches: whether its turns can be computed in parts, and what the parts change."""

from collections.abc import Mapping

from torch import nn

from gan_cli.errors import UserError
from gan_cli.games.sampling import preserve_buffers
from gan_cli.parallel.share import divided
from gan_cli.randomness import fork_rng
from gan_cli.training.run import Run


def check_division(run: Run) -> list[str]:
    """Compute the loss of every turn on the parts of a batch, which changes nothing, and return lines for the console.

    Raises:
        UserError: If the batches of the run are divided and a turn needs whole ones.
    """
    division = run.solver.division
    if division.count == 1:
        return []
    words = divided(division.parts, division.ranks.count)
    if remembering := [key for key, state in run.game.objective.state_dict().items() if state]:
        raise UserError(
            f"{words}: {', '.join(remembering)} remembers something between rounds, which would be updated by "
            "each part of a batch.\nLeave batches whole: processes=1 and train.accumulate=1."
        )
    batch = run.heldout_batch(0)
    with preserve_buffers(run.game), fork_rng(0, run.device):
        for name in run.solver.turns:
            run.solver.value(name, batch)
    return [f"batches: {facts(run)['batches']}"]


def facts(run: Run) -> Mapping[str, str]:
    """Return ``batches``: how the batches are divided, in words."""
    division, size = run.solver.division, run.cfg.train.batch_size
    parts, processes = division.parts, division.ranks.count
    if division.count == 1:
        return {"batches": "whole"}
    words = f"{parts} parts of {size // division.count} samples" if parts > 1 else f"{size // processes} samples each"
    text = f"{processes} processes with {words}" if processes > 1 else words
    norms = any(isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training for module in run.game.modules())
    if norms and processes > 1 and run.cfg.batch_norm == "whole":
        text += ", with batch norm's statistics of all processes" + (", part by part" if parts > 1 else "")
    elif norms:
        text += ", each with batch norm's statistics of its own"
    return {"batches": text}
