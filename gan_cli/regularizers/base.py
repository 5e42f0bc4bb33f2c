"""The contract of a regularizer, which is also the neutral one, and what gradient penalties share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from gan_cli.device import differentiable_twice
from gan_cli.types import Critic


@dataclass(frozen=True)
class Regularizer:
    """Does nothing (``regularizer=none``); a regularizer overrides one of the three methods.

    ``players``: whom it regularizes; each is transformed once, penalised in its own turn and constrained after its step.
    """

    players: list[str] = field(default_factory=lambda: ["discriminator"])

    def transform(self, network: nn.Module) -> nn.Module:
        """The network as it shall be trained; called once, before training."""
        return network

    def penalty(self, network: nn.Module, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """Scalar added to the player's loss. ``critic``: x -> logits; ``real`` and ``fake``: samples ``[B, *shape]``."""
        return real.new_zeros(())

    @property
    def penalizes(self) -> bool:
        """Whether this regularizer has a penalty of its own."""
        return type(self).penalty is not Regularizer.penalty

    def constrain(self, network: nn.Module) -> None:
        """Puts the weights back where they may be; called after each of the player's steps."""


def penalties(
    regularizers: Mapping[str, Regularizer], network: nn.Module, critic: Critic, real: Tensor, fake: Tensor
) -> dict[str, Tensor]:
    """What each of them adds to the loss of ``network``'s player, as ``penalty_<its name in the config>``."""
    return {
        f"penalty_{name}": regularizer.penalty(network, critic, real, fake)
        for name, regularizer in regularizers.items()
        if regularizer.penalizes
    }


def constrain(regularizers: Mapping[str, Regularizer], network: nn.Module) -> None:
    """Lets all of them put the weights of ``network`` back where they may be."""
    for regularizer in regularizers.values():
        regularizer.constrain(network)


class GradientRegularizer(Regularizer):
    """Base of all that penalises the critic's slope at single samples.

    Batch norm ties the samples of a batch together, so that the slope at one sample is not defined; it gives way to layer
    norm (Gulrajani et al., 2017, section 4).
    """

    def transform(self, network: nn.Module) -> nn.Module:
        return replace_modules(network, _layer_norm_for_batch_norm)


def gradients(critic: Critic, x: Tensor) -> Tensor:
    """grad_x D(x) of each sample: ``[B, *shape] -> [B, prod(shape)]``, differentiable in the critic's parameters.

    Where D judges patches or time steps, D(x) is their mean, as in the losses.
    """
    x = x if x.requires_grad else x.detach().requires_grad_()
    with differentiable_twice():
        scores = critic(x).reshape(len(x), -1).mean(dim=1)
    (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return gradient.flatten(1)


def _layer_norm_for_batch_norm(module: nn.Module) -> nn.Module:
    return nn.GroupNorm(1, module.num_features) if isinstance(module, nn.modules.batchnorm._BatchNorm) else module


def slopes(critic: Critic, x: Tensor) -> Tensor:
    """||grad_x D(x)|| of each sample: ``[B, *shape] -> [B]``; twice differentiable where it is not 0."""
    return gradients(critic, x).norm(dim=1)


def squared_slopes(critic: Critic, x: Tensor) -> Tensor:
    """||grad_x D(x)||^2 of each sample: ``[B, *shape] -> [B]``; twice differentiable, at 0 too, where the game may rest."""
    return gradients(critic, x).square().sum(dim=1)


def per_sample_uniform(x: Tensor) -> Tensor:
    """One draw from U[0, 1] for each sample, of shape ``[B, 1, ..., 1]``."""
    return torch.rand(len(x), *[1] * (x.ndim - 1), device=x.device, dtype=x.dtype)


def replace_modules(network: nn.Module, replacement: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """``network`` with ``replacement(module)`` in place of each of its innermost modules."""
    children = list(network.named_children())
    for name, child in children:
        setattr(network, name, replace_modules(child, replacement))
    return network if children else replacement(network)
