"""GradientCosine: any solver, with the cosine between its optimizers' steps and the gradients."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from gan_cli.solvers.alternating import Alternating
from gan_cli.solvers.base import Problem, Solver
from gan_cli.types import Batch, Stats


class GradientCosine(Solver):
    """Plays the rounds of ``inner`` and reports cos(step, -gradient) of every turn, the mean over its steps in the round.

    ``step_cosine/<turn>`` lies in [-1, 1]: 1 if the optimizer follows the gradient, above 0 if it only scales the coordinates
    (RMSProp), below 0 if it steps uphill. The WGAN paper saw it become negative as training with momentum on the critic broke
    down (Arjovsky et al., 2017, section 4.2). The step is the optimizer's own, before any constraint; if step or gradient is
    zero, the cosine counts as 0. Costs a copy of the turn's parameters for each step.

    Args:
        inner: Makes the solver that plays the rounds; alternating by default.
    """

    def __init__(self, problem: Problem, inner: Callable[..., Solver] = Alternating) -> None:
        self.inner = inner(problem)
        super().__init__(replace(problem, optimizers=self.inner.optimizers))
        self.watches = {name: Watch(optimizer) for name, optimizer in self.optimizers.items()}

    def round(self, order: Sequence[str], batches: Iterator[Batch]) -> Stats:
        stats = self.inner.round(order, batches)
        cosines = {name: watch.take() for name, watch in self.watches.items()}
        return stats | {f"step_cosine/{name}": torch.stack(values).mean() for name, values in cosines.items() if values}

    def check(self, order: Sequence[str]) -> None:
        self.inner.check(order)

    def state_dict(self) -> dict[str, Any]:
        return self.inner.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.inner.load_state_dict(state)


class Watch:
    """Collects the cosines of an optimizer's steps as they happen."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self.before: list[Tensor] = []
        self.cosines: list[Tensor] = []
        optimizer.register_step_pre_hook(self.before_step)
        optimizer.register_step_post_hook(self.after_step)

    def before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """Remember the parameters before the step."""
        if not self.before:  # an optimizer whose step calls that of its parent class runs its hooks twice
            self.before = [parameter.detach().clone() for parameter in self.parameters]

    @torch.no_grad()
    def after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """Compare the step with the gradient."""
        if not self.before:  # the second call
            return
        pairs = [(p - b, -p.grad) for p, b in zip(self.parameters, self.before, strict=True) if p.grad is not None]
        self.before = []
        if pairs:
            steps, downhill = (list(part) for part in zip(*pairs, strict=True))
            self.cosines.append(cosine(steps, downhill))

    def take(self) -> list[Tensor]:
        """Return the cosines collected since the last call, and forget them."""
        cosines, self.cosines = self.cosines, []
        return cosines


def cosine(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Return cos(a, b) of vectors given in parts; 0 if one of them is 0."""
    norms = [get_total_norm(v).clamp(min=torch.finfo(v[0].dtype).tiny) for v in (a, b)]
    return torch.stack([(x / norms[0] * (y / norms[1])).sum() for x, y in zip(a, b, strict=True)]).sum()
