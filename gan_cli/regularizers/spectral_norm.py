"""Spectral normalisation."""

from dataclasses import dataclass

from torch import nn
from torch.nn.utils import parametrizations

from gan_cli.regularizers.base import Regularizer, replace_batch_norm, require

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.Embedding)


@dataclass(frozen=True)
class SpectralNorm(Regularizer):
    """W / sigma(W) in every linear and convolutional layer (Miyato et al., 2018), sigma by power iteration.

    sigma is the top singular value of the weight reshaped to ``[out, rest]``; the convolution as an operator can be larger.
    ``n_power_iterations``: at each training forward. ``remove_batch_norm``: batch norm rescales at will and would undo the
    bound, so a discriminator loses it; BigGAN's generator keeps it.
    """

    n_power_iterations: int = 1
    remove_batch_norm: bool = True

    def __post_init__(self) -> None:
        n = self.n_power_iterations
        require(self, "n_power_iterations", isinstance(n, int) and n >= 1, "a whole number, at least 1")
        require(self, "remove_batch_norm", isinstance(self.remove_batch_norm, bool), "true or false")

    def transform(self, network: nn.Module) -> nn.Module:
        if self.remove_batch_norm:
            network = replace_batch_norm(network, lambda channels: nn.Identity())
        for module in list(network.modules()):
            if isinstance(module, WEIGHTED):
                parametrizations.spectral_norm(module, n_power_iterations=self.n_power_iterations)
        return network
