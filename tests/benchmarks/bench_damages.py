"""Numbers of every image measure for six known damages of the bundled images, in the bundled features.

    make bench-damages

Real samples are held-out images, training samples are a part of the training images, and the undamaged samples are other
training images, which no measure has seen. A number is bold if it is worse than that of the undamaged samples by more than
three standard errors. Features are cached, so that a second run takes a fraction of the time.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from rich.progress import track
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import pages

from gan_cli.data.base import Data, seeded_generator
from gan_cli.data.images.fashion_mnist_mini import fashion_mnist_mini
from gan_cli.metrics import (
    CMMD,
    MIND,
    Authenticity,
    ClassDiversity,
    DataCopying,
    FeatureLikelihood,
    Frechet,
    FrechetInfinity,
    InceptionScore,
    IntraFrechet,
    Memorisation,
    Metric,
    PrecisionRecall,
    Value,
    Vendi,
)
from gan_cli.metrics.features import EfficientNetLite0, Encoded, Features
from gan_cli.metrics.features.base import to_metric_input
from gan_cli.metrics.features.cache import encode_cached

PAGE = Path(__file__).parents[2] / "docs" / "measures.md"
N = 500
KINDS: tuple[type[Metric], ...] = (
    *(Frechet, FrechetInfinity, CMMD, MIND, IntraFrechet, InceptionScore, PrecisionRecall, Vendi, ClassDiversity),
    *(Memorisation, Authenticity, DataCopying, FeatureLikelihood),
)
UNDAMAGED = "undamaged"
LEFT_OUT = ("nearest_heldout",)
"""Numbers that do not depend on the generated samples."""
SIGMAS = 3.0
LARGEST = 1e6

Images = tuple[Tensor, Tensor]
"""Images, uint8 ``[N, 1, 32, 32]``, and their labels, int64 ``[N]``."""


def noise(x: Tensor, levels: float = 20.0) -> Tensor:
    """Add normal noise of a standard deviation in grey levels."""
    return (x + levels * torch.randn(x.shape, generator=seeded_generator("noise"))).round().clamp(0, 255).to(torch.uint8)


def blur(x: Tensor, sigma: float = 1.0) -> Tensor:
    """Convolve with a Gaussian of a standard deviation in pixels."""
    offsets = torch.arange(-4.0, 5.0)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    blurred = F.conv2d(
        F.conv2d(F.pad(x.float(), (4, 4, 4, 4), "replicate"), kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1)
    )
    return blurred.round().to(torch.uint8)


def typical(images: Images, n: int) -> Images:
    """Return the ``n`` images nearest to the mean of their class."""
    x, y = images
    distances = torch.empty(len(x))
    for label in y.unique():
        own = x[y == label].float()
        distances[y == label] = (own - own.mean(0)).flatten(1).norm(dim=1)
    nearest = distances.argsort()[:n]
    return x[nearest], y[nearest]


def digits(n: int) -> Images:
    """Return handwritten digits, enlarged from 8 to 32 pixels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    chosen = torch.randperm(len(found.images), generator=seeded_generator("digits"))[:n]
    x = torch.from_numpy(found.images.astype(np.float32))[chosen, None] * (255 / 16)
    return F.interpolate(x, (32, 32), mode="bilinear").round().to(torch.uint8), torch.from_numpy(found.target)[chosen].long()


def damaged(pool: Images, training: Images) -> dict[str, Images]:
    """Return the undamaged samples and six damaged sets, by name.

    Args:
        pool: Images that no measure has seen, in random order.
        training: Images that the measures compare with as training samples.
    """
    x, y = pool
    n = len(training[0])
    kept = y < 5
    return {
        UNDAMAGED: (x[:n], y[:n]),
        "noise": (noise(x[:n]), y[:n]),
        "blur": (blur(x[:n]), y[:n]),
        "5 of 10 classes": (x[kept][:n], y[kept][:n]),
        "copies": training,
        "typical only": typical(pool, n),
        "digits": digits(n),
    }


def read(data: Data, part: str, rows: Tensor, features: Features) -> Images:
    """Return images of a part of the data as metrics store them, with their labels."""
    batch = getattr(data, part).batch(rows)
    assert batch.y is not None
    return to_metric_input(batch.x, features), batch.y


def numbers(metrics: list[Metric], real: Encoded, fake: Encoded) -> dict[str, Value]:
    """Return the numbers of all metrics, with errors."""
    return {name: value for metric in metrics for name, value in metric.with_errors(real, fake).items()}


def is_worse(value: Value, undamaged: Value) -> bool:
    """Return True if ``value`` is worse than that of undamaged samples by more than ``SIGMAS`` standard errors."""
    gap = value.value - undamaged.value
    error = math.hypot(value.error or 0.0, undamaged.error or 0.0)
    return (-gap if value.higher_is_better else gap) > SIGMAS * error


def cell(value: Value, undamaged: Value) -> str:
    """Return a number with its error, bold if it is worse than that of undamaged samples."""
    if abs(value.value) > LARGEST:  # the feature likelihood of exact copies, whose variances are 0
        return f"**{'-' if value.value < 0 else ''}∞**"
    digits = 0 if value.error is None or value.error >= 3 else min(4, 1 - math.floor(math.log10(value.error or 1.0)))
    error = "" if value.error is None else f" ± {value.error:.{digits}f}"
    text = f"{value.value:.{digits}f}{error}"
    return f"**{text}**" if is_worse(value, undamaged) else text


def rows(found: Mapping[str, Mapping[str, Value]], features: str) -> list[list[str]]:
    """Return a row for each number with its name and its value for each set."""
    names = [name for name in found[UNDAMAGED] if name.removesuffix(f"_{features}") not in LEFT_OUT]
    arrow = {True: "↑", False: "↓"}
    return [
        [
            f"`{name.removesuffix(f'_{features}')}` {arrow[bool(found[UNDAMAGED][name].higher_is_better)]}",
            *(cell(each[name], found[UNDAMAGED][name]) for each in found.values()),
        ]
        for name in names
    ]


def main() -> None:
    features, data = EfficientNetLite0(), fashion_mnist_mini()
    metrics = [
        replace(kind(features, N), **({"max_train": N} if hasattr(kind, "max_train") else {})).fitted(data, torch.device("cpu"))
        for kind in KINDS
    ]
    trained = next(metric.training for metric in metrics if isinstance(metric, Memorisation))
    assert trained is not None
    others = torch.randperm(len(data.train), generator=seeded_generator("damages"))
    others = others[~torch.isin(others, trained.indices)]
    heldout = torch.randperm(len(data.heldout), generator=seeded_generator("damages"))[:N]
    sets = damaged(read(data, "train", others, features), read(data, "train", trained.indices, features))
    real = encode_cached(features, *read(data, "heldout", heldout, features))
    found = {
        name: numbers(metrics, real, encode_cached(features, *images))
        for name, images in track(sets.items(), "measuring", transient=True)
    }
    table = pages.table(["", *found], rows(found, features.name))
    pages.write("bench-damages", f"{N} real, generated and training samples each.\n\n{table}", PAGE)


if __name__ == "__main__":
    main()
