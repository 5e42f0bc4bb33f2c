"""How near each translation comes to its own target."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from gan_cli.data.base import Data
from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, to_uint8

RESOLUTION = 1 / 12
"""Mean square of what rounding to whole levels takes away: no PSNR of files is above that of such an error, 58.9 dB."""
CHUNK = 250
"""Images compared at a time."""
WINDOW, SIGMA = 11, 1.5
"""Of SSIM's Gaussian, in pixels."""


def l1(x: Tensor, target: Tensor) -> Tensor:
    """Mean |x - target| over the pixels of each image, uint8 ``[N, C, H, W]``, on the scale of [-1, 1]: ``[N]`` in [0, 2]."""
    return (x.double() - target.double()).abs().flatten(1).mean(1) / 127.5


def psnr(x: Tensor, target: Tensor) -> Tensor:
    """10 log10(255² / MSE) of each image, uint8 ``[N, C, H, W]``: ``[N]`` in dB, at most 58.9."""
    error = (x.double() - target.double()).square().flatten(1).mean(1)
    return 10 * (255**2 / error.clamp(min=RESOLUTION)).log10()


def ssim(x: Tensor, target: Tensor) -> Tensor:
    """Structural similarity of each image, uint8 ``[N, C, H, W]``: ``[N]`` in [-1, 1], 1 for equal images.

    Mean over pixels and channels of (2 μ_x μ_y + c₁)(2 σ_xy + c₂) / ((μ_x² + μ_y² + c₁)(σ_x² + σ_y² + c₂)), moments under a
    Gaussian of σ = 1.5 in windows of 11 (or the image's side) that lie inside; c = (0.01 · 255)², (0.03 · 255)².
    Wang, Bovik, Sheikh, Simoncelli: Image Quality Assessment: From Error Visibility to Structural Similarity (2004).
    """
    x, y = x.double(), target.double()
    size = min(WINDOW, *x.shape[2:])
    place = torch.arange(size, dtype=x.dtype) - (size - 1) / 2
    weight = torch.exp(-place.square() / (2 * SIGMA**2))
    weight = torch.outer(weight, weight) / weight.sum().square()

    def mean(z: Tensor) -> Tensor:
        return functional.conv2d(z.flatten(0, 1)[:, None], weight[None, None])

    mu_x, mu_y = mean(x), mean(y)
    var_x, var_y, cov = mean(x * x) - mu_x**2, mean(y * y) - mu_y**2, mean(x * y) - mu_x * mu_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ratio = (2 * mu_x * mu_y + c1) * (2 * cov + c2) / ((mu_x**2 + mu_y**2 + c1) * (var_x + var_y + c2))
    return ratio.unflatten(0, (len(x), -1)).flatten(1).mean(1)


@dataclass(frozen=True)
class Reconstruction(Metric):
    """L1, PSNR and SSIM between each translation and its target, means over the images, as files hold them.

    Every number comes with the standard error of a mean. Real against real is each image against itself. Needs pairs, and
    images whose channels are 1 or 3. Raises UserError for other data.
    """

    n_samples: int = 1000
    split: str = "heldout"
    equal_sizes: ClassVar[bool] = True
    needs_samples: ClassVar[bool] = True

    def fitted(self, data: Data, device: torch.device) -> Metric:
        """Itself, for pairs."""
        if not data.paired:
            raise UserError("metric=reconstruction: this data set has no pairs. Take dataset=edges2clothes, for instance.")
        return super().fitted(data, device)

    @property
    def name(self) -> str:
        """``l1``."""
        return "l1"

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """``l1``, ``psnr`` and ``ssim``; the i-th sample's target is the i-th real one."""
        if len(real) != len(fake):
            raise UserError(f"metric=reconstruction: {len(fake)} translations of {len(real)} targets.")
        x, target = to_uint8(fake.x, self.features.name), to_uint8(real.x, self.features.name)
        pairs = list(zip(x.split(CHUNK), target.split(CHUNK), strict=True))
        return {
            measure.__name__: _mean(torch.cat([measure(*pair) for pair in pairs]), higher_is_better)
            for measure, higher_is_better in ((l1, False), (psnr, True), (ssim, True))
        }

    def floor(self, real: Encoded, others: Encoded) -> Mapping[str, Value]:
        """Of the targets themselves, since other images are no answers."""
        return self.measure(real, real)


def _mean(values: Tensor, higher_is_better: bool) -> Value:
    error = float(values.std() / len(values) ** 0.5) if len(values) > 1 else None
    return Value(float(values.mean()), error, higher_is_better)
