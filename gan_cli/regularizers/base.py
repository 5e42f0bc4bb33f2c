"""Regularizer: the base class of all regularizers, and what gradient penalties share."""

from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from gan_cli.contracts import SCALAR, Contract, instance_of
from gan_cli.device import differentiable_twice
from gan_cli.parallel import draws
from gan_cli.precision import widened
from gan_cli.types import Critic


class Judged(NamedTuple):
    """The samples of a turn and what the critic said of them.

    Attributes:
        real: Samples of the data ``[B, *shape]``.
        fake: Generated samples ``[B, *shape]``.
        real_logits: Logits of ``real``, batch first; empty ``[0]`` if the loss of the turn does not need them, as in the
            generator's turn under most losses.
        fake_logits: Logits of ``fake``, batch first; empty under the same condition.
    """

    real: Tensor
    fake: Tensor
    real_logits: Tensor
    fake_logits: Tensor


@dataclass(frozen=True)
class Regularizer(Contract, ABC):
    """A change to a player, a penalty on its loss, or a constraint on its weights: subclasses override one of three methods.

    A regularizer that remembers something between rounds defines ``state_dict`` and ``load_state_dict``, one that depends on
    the round ``begin_round(step)``; see ``gan_cli.games.objective``. A solver may compute a penalty several times for one step.

    Args:
        players: Names of the players that it acts on. Each is transformed once, penalized in its own turn and constrained
            after its steps.
    """

    contract: ClassVar = {"penalty": SCALAR, "transform": instance_of(nn.Module, "a network")}
    differentiates_gradients: ClassVar[bool] = False
    """True if the penalty is made of gradients, so that its own gradient is a second derivative of the player."""
    players: list[str] = field(default_factory=lambda: ["discriminator"])

    def transform(self, network: nn.Module) -> nn.Module:
        """Return the network as it is to be trained; called once, before training."""
        return network

    def penalty(self, network: nn.Module, critic: Critic, judged: Judged) -> Tensor:
        """Return the scalar that is added to the player's loss.

        Args:
            network: The player.
            critic: The function x -> logits that judged the samples, to be called at further points.
            judged: The samples of the turn with their logits.
        """
        return judged.real.new_zeros(())

    @property
    def penalizes(self) -> bool:
        """True if this regularizer has a penalty of its own."""
        return type(self).penalty is not Regularizer.penalty

    def constrain(self, network: nn.Module) -> None:
        """Put the weights back into the allowed set; called after each of the player's steps."""

    @property
    def constrains(self) -> bool:
        """True if this regularizer has a constraint of its own."""
        return type(self).constrain is not Regularizer.constrain


class GradientRegularizer(Regularizer):
    """Base class of penalties on the critic's slope at single samples.

    Batch norm makes the logit of one sample depend on the whole batch, so that the slope at one sample is not defined.
    Therefore layer norm takes its place (Gulrajani et al., 2017, section 4).
    """

    differentiates_gradients: ClassVar[bool] = True

    def transform(self, network: nn.Module) -> nn.Module:
        return replace_modules(network, _layer_norm_for_batch_norm)


def gradients(critic: Critic, x: Tensor) -> Tensor:
    """Return grad_x D(x) of each sample, ``[B, *shape] -> [B, prod(shape)]``, differentiable in the critic's parameters.

    If D judges patches or time steps, D(x) is their mean, as in the losses.
    """
    x = x if x.requires_grad else x.detach().requires_grad_()
    with differentiable_twice():
        scores = widened(critic(x))
    if scores.ndim > 1:
        scores = scores.flatten(1).mean(dim=1)
    (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return gradient.flatten(1)


def _layer_norm_for_batch_norm(module: nn.Module) -> nn.Module:
    return nn.GroupNorm(1, module.num_features) if isinstance(module, nn.modules.batchnorm._BatchNorm) else module


def slopes(critic: Critic, x: Tensor) -> Tensor:
    """Return ||grad_x D(x)|| of each sample, ``[B, *shape] -> [B]``; twice differentiable where it is not 0."""
    return gradients(critic, x).norm(dim=1)


def squared_slopes(critic: Critic, x: Tensor) -> Tensor:
    """Return ||grad_x D(x)||^2 of each sample, ``[B, *shape] -> [B]``; twice differentiable everywhere, also at 0."""
    return gradients(critic, x).square().sum(dim=1)


def per_sample_uniform(x: Tensor) -> Tensor:
    """Draw one number from U[0, 1] for each sample, ``[B, 1, ..., 1]``."""
    return draws.rand(len(x), *[1] * (x.ndim - 1), device=x.device, dtype=x.dtype)


def replace_modules(network: nn.Module, replacement: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """Return ``network`` with each of its innermost modules replaced by ``replacement(module)``."""
    children = list(network.named_children())
    for name, child in children:
        setattr(network, name, replace_modules(child, replacement))
    return network if children else replacement(network)
