"""Any solver, with an eye on its optimizers' steps."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from gan_cli.games.base import Turn
from gan_cli.solvers.alternating import Alternating
from gan_cli.solvers.base import Solver
from gan_cli.types import Batch, Stats


class GradientCosine(Solver):
    """Plays what ``inner`` plays and reports cos(step, -gradient) of every player, the mean over the player's turns.

    ``step_cosine/<player>`` in [-1, 1]: 1 where the optimizer follows the gradient, above 0 where it only scales its
    coordinates (RMSProp), below 0 where it steps uphill. With momentum on a WGAN's critic the WGAN paper saw it turn negative
    as training broke down (Arjovsky et al., 2017, section 4.2). The step is the optimizer's own, before any constraint; a step
    of nothing, or along no gradient, counts as 0. Costs a copy of the player's parameters for each step.
    """

    def __init__(
        self,
        turns: Mapping[str, Turn],
        optimizers: Mapping[str, Optimizer],
        autocast: Callable[[], AbstractContextManager] = nullcontext,
        inner: Callable[..., Solver] = Alternating,
    ) -> None:
        self.inner = inner(turns, optimizers, autocast)
        super().__init__(turns, self.inner.optimizers, autocast)
        self.watches = {player: Watch(optimizer) for player, optimizer in self.optimizers.items()}

    def round(self, order: Sequence[str], batches: Iterator[Batch]) -> Stats:
        stats = self.inner.round(order, batches)
        cosines = {player: watch.taken() for player, watch in self.watches.items()}
        return stats | {
            f"step_cosine/{player}": torch.stack(values).mean() for player, values in cosines.items() if len(values)
        }

    def check(self, order: Sequence[str]) -> None:
        self.inner.check(order)

    def state_dict(self) -> dict[str, Any]:
        return self.inner.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.inner.load_state_dict(state)


class Watch:
    """The cosines of an optimizer's steps, as they happen."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self.before: list[Tensor] = []
        self.cosines: list[Tensor] = []
        optimizer.register_step_pre_hook(self.starts)
        optimizer.register_step_post_hook(self.ends)

    def starts(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """Remembers where the parameters are."""
        if not self.before:  # an optimizer whose step builds on that of its parent class calls its hooks twice
            self.before = [parameter.detach().clone() for parameter in self.parameters]

    @torch.no_grad()
    def ends(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """Compares where they went with the gradient that they had."""
        if not self.before:  # the second call
            return
        pairs = [(p - b, -p.grad) for p, b in zip(self.parameters, self.before, strict=True) if p.grad is not None]
        self.before = []
        if pairs:
            steps, downhill = (list(part) for part in zip(*pairs, strict=True))
            self.cosines.append(cosine(steps, downhill))

    def taken(self) -> list[Tensor]:
        """Hands over the cosines since the last time."""
        found, self.cosines = self.cosines, []
        return found


def cosine(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """cos(a, b) of vectors given in parts; 0 where one of them is 0."""
    norms = [get_total_norm(v).clamp(min=torch.finfo(v[0].dtype).tiny) for v in (a, b)]
    return torch.stack([(x / norms[0] * (y / norms[1])).sum() for x, y in zip(a, b, strict=True)]).sum()
