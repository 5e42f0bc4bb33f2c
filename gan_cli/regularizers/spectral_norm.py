"""spectral_norm, spectral_norm_both: spectral normalization."""

from dataclasses import dataclass

from torch import nn
from torch.nn.utils import parametrizations

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.regularizers.base import Regularizer, replace_modules

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class SpectralNorm(Regularizer):
    """W / sigma(W) in every linear and convolutional layer (Miyato et al., 2018), sigma by power iteration.

    sigma is the top singular value of the weight reshaped to ``[out, rest]``; the norm of the convolution as an operator can
    be larger.

    Args:
        n_power_iterations: Power iterations in each forward pass in training mode.
        remove_norm: If true, batch norm and layer norm are removed: their scales are free and would undo the bound. BigGAN's
            generator keeps its batch norm.
        embeddings: If true, embeddings are normalized too. BigGAN's generator leaves its class embedding as it is.
    """

    n_power_iterations: int = 1
    remove_norm: bool = True
    embeddings: bool = True

    def __post_init__(self) -> None:
        checks.count("n_power_iterations", self.n_power_iterations)
        checks.flag("remove_norm", self.remove_norm)
        checks.flag("embeddings", self.embeddings)

    def transform(self, network: nn.Module) -> nn.Module:
        """Return the network with normalized weights.

        Raises:
            UserError: If the network is recurrent: a bound on each matrix does not bound repeated steps of them.
        """
        if any(isinstance(module, nn.RNNBase) for module in network.modules()):
            raise UserError(
                "regularizer=spectral_norm is for layers that a sample passes once, and this network is recurrent.\n"
                "Take regularizer=gradient_penalty, or a model without recurrent layers, such as conv1d."
            )
        if self.remove_norm:
            network = replace_modules(network, _without_norm)
        for module in list(network.modules()):
            if isinstance(module, WEIGHTED) or (self.embeddings and isinstance(module, nn.Embedding)):
                parametrizations.spectral_norm(module, n_power_iterations=self.n_power_iterations)
        return network


def _without_norm(module: nn.Module) -> nn.Module:
    return nn.Identity() if isinstance(module, nn.modules.batchnorm._BatchNorm | nn.GroupNorm) else module
