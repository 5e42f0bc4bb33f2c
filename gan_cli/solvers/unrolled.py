"""Steps that look through the opponent's answer."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.optim import Optimizer

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.games.base import Turn, differentiable_in_all_players
from gan_cli.randomness import fork_rng
from gan_cli.solvers.alternating import Alternating
from gan_cli.types import Batch, Stats

Tensors = list[Tensor]


class Unrolled(Alternating):
    """Everybody but the ``opponent`` descends its loss at where ``k`` of the opponent's steps lead (Metz et al., 2017).

    With phi_0 = phi and phi_(j+1) = phi_j - rate grad_phi L_D(theta, phi_j), the generator follows the whole derivative of
    L_G(theta, phi_k(theta)): the last factor sees how D would answer, so that moving onto one mode does not pay. Then phi is
    put back; the opponent's own turn is an ordinary one. On min max theta phi: theta descends theta phi + k rate theta^2.
    k = 0 is alternating.

    The inner steps are plain gradient steps of ``rate``, whatever the optimizer (the paper's Adam inside is not followed), all
    on the batch and the draws of the turn. The derivative is found backwards: with a = dL_G/dphi_k, for j = k - 1 ... 0 the
    gradient of -rate <a, grad_phi L_D(theta, phi_j)> in theta is added, and that in phi_j to a, which is exact and holds the
    graph of one step at a time. Costs k gradients and k second derivatives; the players' buffers move with each.
    """

    def __init__(
        self,
        turns: Mapping[str, Turn],
        optimizers: Mapping[str, Optimizer],
        autocast: Callable[[], AbstractContextManager] = nullcontext,
        k: int = 5,
        rate: float = 0.05,
        opponent: str = "discriminator",
    ) -> None:
        super().__init__(turns, optimizers, autocast)
        checks.count("k", k, least=0)
        checks.number("rate", rate, above=0)
        self.k, self.rate, self.opponent = k, rate, opponent

    def check(self, order: Sequence[str]) -> None:
        super().check(order)
        if self.opponent not in self.turns:
            raise UserError(
                f"solver.opponent={self.opponent}: this game has no such player. Its players are: {', '.join(self.turns)}."
            )

    def gradients(self, player: str, batch: Batch) -> tuple[Tensor, Stats]:
        """Leaves d/dtheta L_G(theta, phi_k(theta)) in ``.grad`` of the player's parameters; the loss and what is reported."""
        if player == self.opponent:
            return super().gradients(player, batch)
        theta, phi = (list(self.turns[name].parameters) for name in (player, self.opponent))
        seed, device = int(torch.randint(2**62, ())), theta[0].device
        start = [parameter.detach().clone() for parameter in phi]
        path: list[Tensors] = []
        for _ in range(self.k):
            path.append([parameter.detach().clone() for parameter in phi])
            with fork_rng(seed, device):
                loss, _ = self.loss(self.opponent, batch)
            place(phi, [p - self.rate * g for p, g in zip(path[-1], slopes(loss, phi), strict=True)])
        with fork_rng(seed, device):
            loss, reported = self.loss(player, batch)
        found = slopes(loss, [*theta, *phi])
        gradient, adjoint = found[: len(theta)], found[len(theta) :]
        for point in reversed(path):
            place(phi, point)
            with differentiable_in_all_players(), fork_rng(seed, device):
                inner, _ = self.loss(self.opponent, batch)
            field = torch.autograd.grad(inner, phi, create_graph=True, materialize_grads=True)
            along = -self.rate * torch.stack([(a * g).sum() for a, g in zip(adjoint, field, strict=True)]).sum()
            more = slopes(along, [*theta, *phi]) if along.requires_grad else [torch.zeros_like(p) for p in [*theta, *phi]]
            gradient = [g + m for g, m in zip(gradient, more[: len(theta)], strict=True)]
            adjoint = [a + m for a, m in zip(adjoint, more[len(theta) :], strict=True)]
        place(phi, start)
        for parameter, g in zip(theta, gradient, strict=True):
            parameter.grad = g
        return loss.detach(), self.turn_stats(player, loss, reported, gradient)


def slopes(loss: Tensor, parameters: Sequence[Tensor]) -> Tensors:
    """The gradient of ``loss``, zeros where it does not depend on a parameter."""
    return list(torch.autograd.grad(loss, list(parameters), materialize_grads=True))


@torch.no_grad()
def place(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Sets ``parameters`` to ``values``."""
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)
