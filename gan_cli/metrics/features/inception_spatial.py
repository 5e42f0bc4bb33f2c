"""Spatial features of the Inception network, whose Fréchet distance is called sFID.

Nash, Menick, Dieleman, Battaglia: Generating Images with Sparse Representations (2021), https://arxiv.org/abs/2103.03841.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from gan_cli.metrics.features.inception import Inception

CHANNELS = 7
"""Number of channels, the published value."""


@dataclass(frozen=True)
class InceptionSpatial(Inception):
    """The first 7 channels, at 17 × 17 positions, of an intermediate layer of FID's Inception network: 2023 features.

    The layer is the 1 × 1 branch of the block ``Mixed_6d``, ``mixed_6/conv`` in TensorFlow's graph. Its outputs are not pooled,
    so that they depend on where in an image its parts are. Arguments and logits are those of ``Inception``.
    """

    name: ClassVar[str] = "inception_spatial"
    published: ClassVar[Mapping[str, str]] = {"fd": "sfid"}

    @property
    def provenance(self) -> dict[str, Any]:
        """Extractor, SHA-256 of the weights, layer, and resizing."""
        return {**super().provenance, "layer": f"Mixed_6d.branch1x1, {CHANNELS} channels"}

    def batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map uint8 ``[B, 1 | 3, H, W]`` to features ``[B, 2023]`` and logits ``[B, 1008]``."""
        network = self.load()
        outputs: list[Tensor] = []
        layer = network.get_submodule("Mixed_6d.branch1x1")
        with layer.register_forward_hook(lambda module, inputs, output: outputs.append(output)):
            _, logits = network(x.expand(-1, 3, -1, -1))
        return outputs[0][:, :CHANNELS].flatten(1), logits
