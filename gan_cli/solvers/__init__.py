"""Solvers own the steps and know no game."""

from typing import TYPE_CHECKING

from gan_cli.lazy import lazy_exports

if TYPE_CHECKING:
    from gan_cli.solvers.alternating import Alternating as Alternating
    from gan_cli.solvers.backtracking import Backtracking as Backtracking
    from gan_cli.solvers.base import Problem as Problem
    from gan_cli.solvers.base import Solver as Solver
    from gan_cli.solvers.consensus import Consensus as Consensus
    from gan_cli.solvers.extragradient import Extragradient as Extragradient
    from gan_cli.solvers.gradient_cosine import GradientCosine as GradientCosine
    from gan_cli.solvers.lookahead import Lookahead as Lookahead
    from gan_cli.solvers.optimistic import Optimistic as Optimistic
    from gan_cli.solvers.simultaneous import Simultaneous as Simultaneous
    from gan_cli.solvers.unrolled import Unrolled as Unrolled
else:
    __getattr__, __dir__ = lazy_exports(__name__)
