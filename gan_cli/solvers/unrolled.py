"""Unrolled: steps that anticipate the opponent's answer."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.games.base import differentiable_in_all_players
from gan_cli.parallel.division import Computed
from gan_cli.randomness import fork_rng
from gan_cli.solvers.alternating import Alternating
from gan_cli.solvers.base import Problem, place, zero_unless_finite
from gan_cli.types import Batch, Stats

Tensors = list[Tensor]


class Unrolled(Alternating):
    """Every turn but the ``opponent``'s descends its loss at the point where ``k`` steps of the opponent lead.

    With phi_0 = phi and phi_(j+1) = phi_j - rate grad_phi L_D(theta, phi_j), the generator follows the whole derivative of
    L_G(theta, phi_k(theta)) (Metz et al., 2017). It thus takes into account how D would answer, so that moving onto one mode
    does not pay. Then phi is restored; the opponent's own turn is an ordinary one. On min max theta phi theta descends
    theta phi + k rate theta^2. k = 0 is alternating.

    The inner steps are plain gradient steps, whatever the optimizer (the paper uses Adam for them), all on the batch and with
    the random draws of the turn. The derivative is computed backwards: with a = dL_G/dphi_k, for j = k - 1 ... 0 the gradient
    of -rate <a, grad_phi L_D(theta, phi_j)> in theta is added to the result, and the one in phi_j to a. This is exact and
    holds the graph of one step at a time. Costs k gradients and k second derivatives; each moves the players' buffers.

    Args:
        k: Number of steps of the opponent, at least 0.
        rate: Learning rate > 0 of these steps.
        opponent: The turn whose steps are anticipated.
    """

    differentiates_gradients: ClassVar[bool] = True

    def __init__(self, problem: Problem, k: int = 5, rate: float = 0.05, opponent: str = "discriminator") -> None:
        super().__init__(problem)
        checks.count("k", k, least=0)
        checks.number("rate", rate, above=0)
        self.k, self.rate, self.opponent = k, rate, opponent

    def check(self, order: Sequence[str]) -> None:
        super().check(order)
        if self.opponent not in self.turns:
            raise UserError(
                f"solver.opponent={self.opponent}: this game has no such turn. Its turns are: {', '.join(self.turns)}."
            )

    def gradients(self, name: str, batch: Batch) -> tuple[Tensor, Stats]:
        """Leave d/dtheta L_G(theta, phi_k(theta)) in ``.grad`` of the turn's parameters; return loss and reported numbers."""
        if name == self.opponent:
            return super().gradients(name, batch)
        theta, phi = (list(self.turns[turn].parameters) for turn in (name, self.opponent))
        seed, device = int(torch.randint(2**62, ())), theta[0].device
        start = [parameter.detach().clone() for parameter in phi]
        path: list[Tensors] = []
        for _ in range(self.k):
            path.append([parameter.detach().clone() for parameter in phi])
            with fork_rng(seed, device):
                loss, _, field = self.slopes(self.opponent, batch, phi)
            self.watch(f"loss/{self.opponent}", loss.detach())
            place(phi, [p - self.rate * g for p, g in zip(path[-1], given(field), strict=True)])
        with fork_rng(seed, device):
            loss, reported, slope = self.slopes(name, batch, [*theta, *phi])
        both = given(slope)
        gradient, adjoint = both[: len(theta)], both[len(theta) :]
        for point in reversed(path):
            place(phi, point)
            with differentiable_in_all_players(), fork_rng(seed, device):
                more = given(self.pulled_back(batch, adjoint, [*theta, *phi]))
            gradient = [g + m for g, m in zip(gradient, more[: len(theta)], strict=True)]
            adjoint = [a + m for a, m in zip(adjoint, more[len(theta) :], strict=True)]
        place(phi, start)
        reported = self.turn_stats(name, loss, reported, gradient)
        for parameter, g in zip(theta, zero_unless_finite(gradient, reported[f"grad_norm/{name}"]), strict=True):
            parameter.grad = g
        return reported[f"loss/{name}"], reported

    def slopes(self, name: str, batch: Batch, parameters: Sequence[Tensor]) -> Computed:
        """Return the loss of a turn, what it reports, and its gradient, zeros where it does not depend on a parameter."""

        def of_part(part: Batch) -> Computed:
            loss, stats = self.loss(name, part)
            return Computed(loss, stats, slopes(loss, parameters))

        return self.over_parts(batch, of_part)

    def pulled_back(self, batch: Batch, adjoint: Tensors, parameters: Tensors) -> Sequence[Tensor | None]:
        """Return the gradient of -rate <adjoint, grad_phi L_D> in ``parameters``."""
        phi = list(self.turns[self.opponent].parameters)

        def of_part(part: Batch) -> Computed:
            loss, _ = self.loss(self.opponent, part)
            field = torch.autograd.grad(loss, phi, create_graph=True, materialize_grads=True)
            along = -self.rate * torch.stack([(a * g).sum() for a, g in zip(adjoint, field, strict=True)]).sum()
            more = slopes(along, parameters) if along.requires_grad else [torch.zeros_like(p) for p in parameters]
            return Computed(loss, {}, more)

        return self.over_parts(batch, of_part).tensors


def given(tensors: Sequence[Tensor | None]) -> Tensors:
    """Return ``tensors``, of which none is None."""
    return [tensor for tensor in tensors if tensor is not None]


def slopes(loss: Tensor, parameters: Sequence[Tensor]) -> Tensors:
    """Return the gradient of ``loss``, zeros for parameters that it does not depend on."""
    return list(torch.autograd.grad(loss, list(parameters), materialize_grads=True))
