"""The compilation of a run's players, before the run begins."""

import time
from collections.abc import Mapping
from copy import deepcopy
from functools import partial
from itertools import repeat

import torch

from gan_cli.activity import activity
from gan_cli.games.sampling import preserve_buffers
from gan_cli.parallel.division import Computed
from gan_cli.randomness import fork_rng
from gan_cli.solvers.base import Solver
from gan_cli.training.run import Run
from gan_cli.types import Batch


def compile_players(run: Run) -> list[str]:
    """Compute the gradient of every turn once, which compiles the players and changes nothing else; return console lines.

    Raises:
        RuntimeError: If a player cannot be compiled, or a turn differentiates gradients; see ``compiler_errors_named``.
    """
    if run.solver.compiled is None:
        return []
    began, state = time.perf_counter(), deepcopy(run.game.objective.state_dict())
    batches = repeat(run.heldout_batch(0))
    with activity("compiling the players"), preserve_buffers(run.game), fork_rng(0, run.device), run.computing():
        for name in run.solver.turns:
            run.solver.over_parts(run.solver.draw(name, batches), partial(_gradient, run.solver, name))
    run.game.objective.load_state_dict(state)
    return [f"compiled in {time.perf_counter() - began:.0f} s"]


def _gradient(solver: Solver, name: str, part: Batch) -> Computed:
    """Return the gradient of a turn's loss, which is not stored anywhere."""
    loss, _ = solver.loss(name, part)
    return Computed(loss, {}, torch.autograd.grad(loss, list(solver.turns[name].parameters), allow_unused=True))


def facts(run: Run) -> Mapping[str, str]:
    """Return ``networks``: whether losses call compiled ones."""
    return {"networks": "not compiled" if run.solver.compiled is None else "compiled"}
