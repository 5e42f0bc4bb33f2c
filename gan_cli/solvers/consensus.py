"""consensus, consensus_mild: consensus optimization."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.games.base import differentiable_in_all_players
from gan_cli.parallel.division import Computed
from gan_cli.solvers.base import Problem, total_norm, zero_unless_finite
from gan_cli.solvers.simultaneous import Field, Simultaneous
from gan_cli.types import Batch, Stats


class Consensus(Simultaneous):
    """w <- w - eta (v + gamma grad 1/2 ||v||^2), where v = F(w) is the gradients of all turns (Mescheder et al., 2017).

    All players also make ||v|| small, which turns rotation into contraction: on min max theta phi a step multiplies the
    distance to the equilibrium by sqrt((1 - eta gamma)^2 + eta^2). The paper's experiments on images use gamma = 10 with
    RMSProp at 1e-4 and 5e-5.

    The reported ``grad_norm`` is that of v. Turns that decline to step have no part in v and do not move. Each round costs a
    second derivative of every loss, a third one if the loss contains a gradient penalty. The graphs of all parts of a batch are
    kept, so that ``train.accumulate`` saves no memory here.

    Args:
        weight: gamma >= 0.
    """

    differentiates_gradients: ClassVar[bool] = True

    def __init__(self, problem: Problem, weight: float = 10.0) -> None:
        super().__init__(problem)
        checks.number("weight", weight, least=0)
        self.weight = weight

    def field(self, order: Sequence[str], batches: Iterator[Batch]) -> tuple[Field, Stats]:
        v: dict[str, Sequence[Tensor | None]] = {}
        parts: dict[str, list[Computed]] = {}
        stats: Stats = {}
        with differentiable_in_all_players():
            for name in order:
                parts[name] = list(self.division.each(self.draw(name, batches), partial(self.differentiable, name)))
                loss, reported, gradients = self.division.mean(parts[name])
                reported = self.turn_stats(name, loss, reported, gradients)
                stats |= reported
                if self.turns[name].should_step(loss.detach(), reported):
                    v[name] = gradients
        pull = self.pull(v, [[g for name in v for g in parts[name][index].tensors] for index in range(self.division.parts)])
        # a parameter that turns share is pulled once, in the first of them
        sums = {
            name: [_sum(g, pull.pop(p, None)) for p, g in zip(self.turns[name].parameters, own, strict=True)]
            for name, own in v.items()
        }
        return {name: self.watched(name, gradients) for name, gradients in sums.items()}, stats

    def differentiable(self, name: str, part: Batch) -> Computed:
        """Return the loss of a turn, what it reports, and its gradient with a graph."""
        loss, stats = self.loss(name, part)
        parameters = list(self.turns[name].parameters)
        return Computed(loss, stats, torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True))

    def watched(self, name: str, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        """Return what the turn descends, zeros if it is not finite; v may be finite where its derivative is not."""
        norm = total_norm(gradients)
        self.watch(f"grad_norm/{name}", norm)
        return zero_unless_finite(gradients, norm)

    def pull(self, v: Field, parts: Sequence[Sequence[Tensor | None]]) -> dict[Tensor, Tensor | None]:
        """Return gamma grad 1/2 ||v||^2, for each parameter of the turns that step.

        It is the mean over the parts of the gradient of <v of the part, v>, in which the second v is constant.

        Args:
            v: The gradients of these turns.
            parts: The same gradients of each part of the batches, with a graph.
        """
        parameters = list(dict.fromkeys(p for name in v for p in self.turns[name].parameters))
        constant = [None if g is None else g.detach() for gradients in v.values() for g in gradients]
        pulls = self.division.mean_of_each(_slopes(gradients, constant, parameters) for gradients in parts)
        return {p: None if pull is None else self.weight * pull for p, pull in zip(parameters, pulls, strict=True)}


def _slopes(
    gradients: Sequence[Tensor | None], along: Sequence[Tensor | None], parameters: Sequence[Tensor]
) -> Sequence[Tensor | None]:
    """Return the gradient of <gradients, along> in ``parameters``; None stands for 0."""
    products = [
        (g * a).sum() for g, a in zip(gradients, along, strict=True) if g is not None and a is not None and g.requires_grad
    ]
    if not products:  # no turn steps, or all losses are linear
        return [None] * len(parameters)
    return torch.autograd.grad(torch.stack(products).sum(), parameters, allow_unused=True)


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """Return a + b, detached; None stands for 0."""
    if a is None or b is None:
        return b if a is None else a.detach()
    return a.detach() + b
