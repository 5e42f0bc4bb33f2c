"""L1, PSNR and SSIM between translations and their targets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from gan_cli.data.base import Data
from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, Value
from gan_cli.metrics.features.base import Encoded, quantize_images

MIN_MSE = 1 / 12
"""Mean squared error of rounding to whole levels; it limits the PSNR of images in files to 58.9 dB."""
CHUNK = 250
"""Number of images compared at a time."""
WINDOW, SIGMA = 11, 1.5
"""Size of SSIM's window and standard deviation of its Gaussian, in pixels."""


def l1(x: Tensor, target: Tensor) -> Tensor:
    """Return the mean of |x − target| over the pixels of each image, on the scale of [-1, 1].

    Args:
        x: Images, uint8 ``[N, C, H, W]``.
        target: Their targets, uint8 ``[N, C, H, W]``.

    Returns:
        float64 ``[N]`` in [0, 2].
    """
    return (x.double() - target.double()).abs().flatten(1).mean(1) / 127.5


def psnr(x: Tensor, target: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio 10 log₁₀(255² / MSE) of each image.

    Args:
        x: Images, uint8 ``[N, C, H, W]``.
        target: Their targets, uint8 ``[N, C, H, W]``.

    Returns:
        float64 ``[N]`` in dB, at most 58.9.
    """
    error = (x.double() - target.double()).square().flatten(1).mean(1)
    return 10 * (255**2 / error.clamp(min=MIN_MSE)).log10()


def ssim(x: Tensor, target: Tensor) -> Tensor:
    """Return the structural similarity of each image and its target.

    It is the mean over pixels and channels of (2 μ_x μ_y + c₁)(2 σ_xy + c₂) / ((μ_x² + μ_y² + c₁)(σ_x² + σ_y² + c₂)) with c₁ =
    (0.01 · 255)² and c₂ = (0.03 · 255)². The moments are weighted by a Gaussian with σ = 1.5 pixels in windows of 11 pixels (or
    the side of the image) that lie inside the image. Wang, Bovik, Sheikh, Simoncelli: Image Quality Assessment: From Error
    Visibility to Structural Similarity (2004).

    Args:
        x: Images, uint8 ``[N, C, H, W]``.
        target: Their targets, uint8 ``[N, C, H, W]``.

    Returns:
        float64 ``[N]`` in [-1, 1]; 1 for equal images.
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
    """Mean L1, PSNR and SSIM between each translation and its target, as uint8 images.

    Every number has the standard error of a mean. The floor compares each target with itself.

    Args:
        features: Not used, except that error messages name it.
        n_samples: Number of pairs.
        split: Part of the data set that the pairs come from, ``train`` or ``heldout``.

    Raises:
        UserError: In ``fitted``, if the data are not pairs. In ``measure``, if the samples are not grey or colour images.
    """

    n_samples: int = 1000
    split: str = "heldout"
    least_samples: ClassVar[int] = 1
    floor_draws: ClassVar[int] = 1
    equal_sizes: ClassVar[bool] = True
    needs_samples: ClassVar[bool] = True

    def fitted(self, data: Data, device: torch.device) -> Metric:
        if not data.paired:
            raise UserError(
                "metric=reconstruction: this data set has no pairs. Use a paired one, such as dataset=edges2clothes."
            )
        return super().fitted(data, device)

    @property
    def name(self) -> str:
        """``l1``."""
        return "l1"

    def measure(self, real: Encoded, fake: Encoded) -> Mapping[str, Value]:
        """Return ``l1``, ``psnr`` and ``ssim``; the target of the i-th sample is the i-th real one."""
        if len(real) != len(fake):
            raise UserError(f"metric=reconstruction: got {len(fake)} translations of {len(real)} targets.")
        x, target = quantize_images(fake.x, self.features.name), quantize_images(real.x, self.features.name)
        pairs = list(zip(x.split(CHUNK), target.split(CHUNK), strict=True))
        return {
            measure.__name__: _mean(torch.cat([measure(*pair) for pair in pairs]), higher_is_better)
            for measure, higher_is_better in ((l1, False), (psnr, True), (ssim, True))
        }

    def floor(self, real: Encoded, others: Encoded) -> Mapping[str, Value]:
        """Return the numbers of the targets compared with themselves, since other images are not valid translations."""
        return self.measure(real, real)


def _mean(values: Tensor, higher_is_better: bool) -> Value:
    error = float(values.std() / len(values) ** 0.5) if len(values) > 1 else None
    return Value(float(values.mean()), error, higher_is_better)
