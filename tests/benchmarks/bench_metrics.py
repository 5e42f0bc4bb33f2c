"""Time and memory of Fréchet distance, KID and precision/recall beside other implementations of them.

    make bench-metrics

Every case runs in a process of its own, so that its peak memory is its own: the most that is held beyond the features.
Features are float32 with 2048 dimensions. Seconds are the least of several calls where a call is short; nothing is
imported in them. KID draws its own subsets everywhere, 100 of 1 000, so that its values agree only nearly.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.progress import track
from rich.table import Table

if TYPE_CHECKING:  # a process counts the memory of the one that started it as its own, so that one does without
    from torch import Tensor, nn

DIMENSION = 2048
COUNTS = (1_000, 10_000)
REPEAT_FOR = 10.0  # seconds
OURS = "gan-cli"


class Cost(NamedTuple):
    value: float
    seconds: float
    megabytes: float


def our_frechet() -> Callable[[Tensor, Tensor], float]:
    from gan_cli.metrics.images.frechet import frechet_distance

    return frechet_distance


def scipy_frechet() -> Callable[[Tensor, Tensor], float]:
    import numpy as np
    from scipy.linalg import sqrtm

    def measure(real: Tensor, fake: Tensor) -> float:
        (m1, S1), (m2, S2) = ((x.mean(0), np.cov(x, rowvar=False)) for x in (real.numpy(), fake.numpy()))
        return float(np.square(m1 - m2).sum() + np.trace(S1 + S2) - 2 * np.trace(sqrtm(S1 @ S2).real))

    return measure


def fidelity_frechet() -> Callable[[Tensor, Tensor], float]:
    from torch_fidelity import metric_fid

    def measure(real: Tensor, fake: Tensor) -> float:
        statistics = [metric_fid.fid_features_to_statistics(x) for x in (real, fake)]
        return metric_fid.fid_statistics_to_metric(*statistics, verbose=False)[metric_fid.KEY_METRIC_FID]

    return measure


def torchmetrics_frechet() -> Callable[[Tensor, Tensor], float]:
    from torch import float64
    from torchmetrics.image.fid import FrechetInceptionDistance

    def measure(real: Tensor, fake: Tensor) -> float:
        metric = FrechetInceptionDistance(feature=as_they_are()).set_dtype(float64)
        metric.update(real, real=True)
        metric.update(fake, real=False)
        return float(metric.compute())

    return measure


def our_kid() -> Callable[[Tensor, Tensor], float]:
    from gan_cli.metrics.images.kid import kernel_distance

    return lambda real, fake: kernel_distance(real, fake).value


def fidelity_kid() -> Callable[[Tensor, Tensor], float]:
    from torch_fidelity import metric_kid

    return lambda real, fake: metric_kid.kid_features_to_metric(real, fake, verbose=False)[metric_kid.KEY_METRIC_KID_MEAN]


def torchmetrics_kid() -> Callable[[Tensor, Tensor], float]:
    from torchmetrics.image.kid import KernelInceptionDistance

    def measure(real: Tensor, fake: Tensor) -> float:
        metric = KernelInceptionDistance(feature=as_they_are())
        metric.update(real, real=True)
        metric.update(fake, real=False)
        return float(metric.compute()[0])

    return measure


def our_precision_recall() -> Callable[[Tensor, Tensor], float]:
    from gan_cli.metrics.images.precision_recall import precision_recall

    return lambda real, fake: sum(precision_recall(real, fake)) / 2


def fidelity_precision_recall() -> Callable[[Tensor, Tensor], float]:
    from torch_fidelity import metric_prc

    def measure(real: Tensor, fake: Tensor) -> float:
        scores = metric_prc.prc_features_to_metric(fake, real, verbose=False)
        return (scores[metric_prc.KEY_METRIC_PRECISION] + scores[metric_prc.KEY_METRIC_RECALL]) / 2

    return measure


CASES = {
    "Fréchet distance": {
        OURS: our_frechet,
        "scipy's sqrtm": scipy_frechet,
        "torch-fidelity": fidelity_frechet,
        "torchmetrics": torchmetrics_frechet,
    },
    "KID": {OURS: our_kid, "torch-fidelity": fidelity_kid, "torchmetrics": torchmetrics_kid},
    "(precision + recall) / 2": {OURS: our_precision_recall, "torch-fidelity": fidelity_precision_recall},
}


def as_they_are() -> nn.Module:
    """The extractor of features that are features already."""
    from torch import nn

    network = nn.Identity()
    network.num_features = DIMENSION
    return network


def features(n: int, seed: int) -> Tensor:
    """``[n, DIMENSION]``, float32, at least 0 and correlated, as pooled activations are."""
    import torch

    mixing = torch.randn(64, DIMENSION, generator=torch.Generator().manual_seed(0)) / 16
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 64, generator=g) @ mixing
    for rows in x.split(500):  # in place: what the features cost to make is not to be the peak
        rows.add_(torch.randn(rows.shape, generator=g), alpha=0.3).add_(0.1).relu_()
    return x


def peak_megabytes() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def cost(measure: Callable[[Tensor, Tensor], float], n: int) -> Cost:
    """Of one case, in this process."""
    real, fake = features(n, 1), features(n, 2)
    before, seconds = peak_megabytes(), list[float]()
    while not seconds or sum(seconds) + seconds[-1] < REPEAT_FOR:
        start = time.perf_counter()
        value = measure(real, fake)
        seconds.append(time.perf_counter() - start)
    return Cost(value, min(seconds), peak_megabytes() - before)


def cost_elsewhere(name: str, implementation: str, n: int) -> Cost:
    """Of one case, in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, name, implementation, str(n)]
    return Cost(*json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))


def main() -> None:
    cases = [(name, n, implementation) for name, ours in CASES.items() for n in COUNTS for implementation in ours]
    console = Console()
    console.print(f"{len(cases)} cases, about five minutes on one core.")
    costs = {
        case: cost_elsewhere(case[0], case[2], case[1]) for case in track(cases, "measuring", console=console, transient=True)
    }
    table = Table(title=f"{DIMENSION} dimensions, as many real as generated samples; ratios to {OURS}")
    for column in ("implementation", "value", "time, s", "ratio", "peak, MB", "ratio"):
        table.add_column(column, justify="left" if column == "implementation" else "right", no_wrap=True)
    for (name, n, implementation), (value, seconds, megabytes) in costs.items():
        ours = costs[name, n, OURS]
        if implementation == OURS:
            table.add_section()
            table.add_row(f"[bold]{name}[/bold]", f"[bold]{n:_}[/bold]")
        ratios = (f"{seconds / ours.seconds:.1f}", f"{megabytes / max(ours.megabytes, 1):.1f}")
        table.add_row(implementation, f"{value:.4g}", f"{seconds:.2f}", ratios[0], f"{megabytes:.0f}", ratios[1])
    console.print(table)


if __name__ == "__main__":
    if arguments := sys.argv[1:]:
        print(json.dumps(cost(CASES[arguments[0]][arguments[1]](), int(arguments[2]))))
    else:
        main()
