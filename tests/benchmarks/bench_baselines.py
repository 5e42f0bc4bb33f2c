"""Numbers of cheap substitutes for training, which the claims of the experiments must not hold for.

    make baselines

Every number is computed as the experiment computes its own: by the metric of its config, on as many samples. Substitutes are
made of training samples that are not among the real ones, or map held-out sources. One draw each, with a fixed seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pages
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from gan_cli.build import build_data, build_metric, build_player
from gan_cli.config.compose import compose, loader
from gan_cli.data.base import Batch, Data
from gan_cli.data.translation.degradations import Shrink
from gan_cli.diagnostics.codes import contingency, one_to_one
from gan_cli.games.analytic.ideal_gan import IdealGAN
from gan_cli.games.analytic.normal_laws import Law, js, mean_over, quadrature
from gan_cli.games.sampling import choose
from gan_cli.games.sliced import sliced_cost
from gan_cli.metrics.base import Metric
from gan_cli.metrics.features.base import Encoded, to_metric_input

CPU = torch.device("cpu")
PAGE = Path(__file__).parents[2] / "docs" / "experiments.md"
BLURRED = 8
"""Side of the images that blurred ones are enlarged from."""


class Row(NamedTuple):
    experiments: str
    number: str
    baseline: str
    value: float


@dataclass(frozen=True)
class Bench:
    """The data and the metric of an experiment, with its real samples and as many other training samples."""

    data: Data
    metric: Metric
    real: Batch
    other: Batch

    def numbers(self, fake: Tensor, y: Tensor | None = None) -> dict[str, float]:
        """Return the numbers of the metric for substitutes of generated samples."""
        measured = self.metric.measure(self.encoded, self.encode(Batch(fake, y)))
        return {f"metric/{name}": value.value for name, value in measured.items()}

    @cached_property
    def encoded(self) -> Encoded:
        """The real samples with their features."""
        return self.encode(self.real)

    def encode(self, batch: Batch) -> Encoded:
        """Return samples with their features."""
        return self.metric.features.encode(to_metric_input(batch.x, self.metric.features), batch.y)


def bench(experiment: str, *words: str) -> Bench:
    """Return what an experiment measures with, under further ``words`` of the command line."""
    cfg = compose(loader(), "train", [f"experiment={experiment}", *words])
    data = build_data(cfg)
    metric = build_metric(cfg).fitted(data, CPU)
    if metric.split == "heldout":
        return Bench(data, metric, choose(data.heldout, metric.n_samples, 0), choose(data.train, metric.n_samples, 0))
    x, y = choose(data.train, 2 * metric.n_samples, 0)
    halves = x.chunk(2), (None, None) if y is None else y.chunk(2)
    return Bench(data, metric, *(Batch(*half) for half in zip(*halves, strict=True)))


def gaussian(x: Tensor, n: int) -> Tensor:
    """Return ``n`` samples of the Gaussian law with the mean and the covariance of ``x``."""
    flat = x.flatten(1).double()
    mean = flat.mean(0)
    _, scales, axes = torch.linalg.svd(flat - mean, full_matrices=False)
    noise = torch.randn(n, len(scales), generator=torch.Generator().manual_seed(0), dtype=torch.double)
    return (mean + noise * scales / (len(x) - 1) ** 0.5 @ axes).float().view(n, *x.shape[1:])


def blurred(x: Tensor) -> Tensor:
    """Return images averaged to 8×8 pixels and enlarged again."""
    return Shrink(x.shape[-1] // BLURRED)(x)


def class_means(batch: Batch) -> Tensor:
    """Return the mean image of each sample's class."""
    assert batch.y is not None
    return torch.stack([batch.x[batch.y == label].mean(0) for label in range(int(batch.y.max()) + 1)])[batch.y]


def images() -> Iterator[Row]:
    """Yield what real images come to once they are blurred, by the number of samples."""
    for names, experiment in (
        ("wgan_fig3, wgan_fig4, wgan_fig8, momentum", "wgan_fig3"),
        ("ebgan, mmd_gan, sliced_wasserstein, wgan_fig5_7", "ebgan"),
        ("family, ddpm, sngan_small, wgan_gp_small, biggan_small, r3gan_small", "sngan_small"),
    ):
        measured = bench(experiment)
        number, value = next(iter(measured.numbers(blurred(measured.other.x)).items()))
        yield Row(names, f"{number}, {len(measured.real.x)} samples", "real images blurred to 8×8", value)


def classes() -> Iterator[Row]:
    """Yield what conditional samples and codes come to without training."""
    measured = bench("cgan_one_hot")
    y = measured.other.y
    assert y is not None
    for baseline, fake in {
        "the mean images of the classes": class_means(measured.other),
        "real images blurred to 8×8": blurred(measured.other.x),
        "real images of any class": measured.other.x[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))],
    }.items():
        found = measured.numbers(fake, y)
        for number in ("metric/accuracy_classifier", "metric/class_recall_classifier"):
            yield Row("cgan, cgan_one_hot", number, baseline, found[number])
    data = build_data(compose(loader(), "train", ["experiment=infogan"]))
    train, held = (part.batch(torch.arange(len(part))) for part in (data.train, data.heldout))
    assert held.y is not None
    pixels = train.x.flatten(1).numpy()
    fits = [kmeans2(pixels, 10, iter=50, minit="++", seed=seed)[0] for seed in range(5)]

    def distances(centres: np.ndarray, x: Tensor) -> Tensor:
        return torch.cdist(x.flatten(1), torch.from_numpy(centres).float())

    best = min(fits, key=lambda centres: float(distances(centres, train.x).min(1).values.square().sum()))
    accuracy, _ = one_to_one(contingency(distances(best, held.x).argmin(1), held.y, 10, 10))
    yield Row("infogan", "codes/accuracy", "k-means on raw pixels", accuracy)


def projections() -> Iterator[Row]:
    """Yield the loss of the sliced Wasserstein generator for images without detail."""
    data = build_data(compose(loader(), "train", ["experiment=sliced_wasserstein"]))
    x, _ = choose(data.train, 128, 0)
    torch.manual_seed(0)
    for baseline, fake in {
        "the mean image": data.train.batch(torch.arange(len(data.train))).x.mean(0).expand(64, -1, -1, -1),
        "real images blurred to 8×8": blurred(x[64:]),
    }.items():
        value = float(sliced_cost(x[:64].flatten(1), fake.flatten(1), 1000))
        yield Row("sliced_wasserstein", "loss/generator", baseline, value)


def paired() -> Iterator[Row]:
    """Yield what translations of held-out sources come to that need no network."""
    for experiment in ("inpainting", "super_resolution", "colourisation", "edges2clothes"):
        measured = bench(experiment)
        train = measured.data.train.batch(torch.arange(len(measured.data.train)))
        source = measured.real.y
        assert source is not None
        assert train.y is not None
        nearest = torch.cat([torch.cdist(part.flatten(1), train.y.flatten(1)).argmin(1) for part in source.split(250)])
        median = train.x.median(0).values
        cheap = {"the target of the nearest source": train.x[nearest]}
        if experiment == "inpainting":
            hole = slice(8, 24)
            filled = source.clone()
            filled[:, :, hole, hole] = median[:, hole, hole]
            cheap["the median image in the hole"] = filled
        elif experiment == "super_resolution":
            cheap["nearest-neighbour interpolation"] = interpolate(
                avg_pool2d(measured.real.x, 4), scale_factor=4, mode="nearest"
            )
        elif experiment == "colourisation":
            slope, start = linear_colours(train)
            cheap["one linear map from grey to colour"] = (source * slope + start).clamp(-1, 1)
        else:
            cheap["the median image"] = median.expand_as(measured.real.x)
        for baseline, fake in cheap.items():
            found = measured.numbers(fake, source)
            for number in ("metric/l1", next(iter(found))):
                yield Row(experiment, number, baseline, found[number])


def linear_colours(pairs: Batch) -> tuple[Tensor, Tensor]:
    """Return slope and intercept of each channel as a linear function of grey, by least squares."""
    assert pairs.y is not None
    grey, colours = pairs.y - pairs.y.mean(), pairs.x - pairs.x.mean((0, 2, 3), keepdim=True)
    slope = (grey * colours).mean((0, 2, 3), keepdim=True) / grey.square().mean()
    return slope, pairs.x.mean((0, 2, 3), keepdim=True) - slope * pairs.y.mean()


def unpaired() -> Iterator[Row]:
    """Yield what maps between domains come to that need no network."""
    for experiment in ("cyclegan_shirts", "cyclegan_dresses"):
        measured = bench(experiment)
        train = measured.data.train.batch(measured.data.train.order(torch.Generator().manual_seed(0)))
        source = measured.real.y
        assert source is not None
        assert train.y is not None
        shift = train.x.mean(0) - train.y.mean(0)
        cheap = {"sources": source, "sources with the mean of the targets": (source + shift).clamp(-1, 1)}
        if experiment == "cyclegan_shirts":
            cheap["negatives of the sources"] = -source
        for baseline, fake in cheap.items():
            found = measured.numbers(fake, source)
            for number in list(found)[:2]:
                yield Row(experiment, number, baseline, found[number])


def points() -> Iterator[Row]:
    """Yield what laws come to that know the first two moments of the points, or their range."""
    for names, experiment, words in (
        ("swiss_roll, ddpm_swiss_roll", "swiss_roll", ()),
        ("spiral", "spiral", ()),
        ("ring_wgan_gp", "ring_wgan_gp", ()),
        ("linear_dual", "linear_dual", ()),
        ("mode_collapse, f_gan, unrolled_ring", "mode_collapse", ("dataset=ring",)),
        ("mode_collapse, cgan_multimodal, gmmn_grid25", "mode_collapse", ("dataset=grid25",)),
    ):
        measured = bench(experiment, *words) if experiment != "linear_dual" else whole("linear_dual")
        x = measured.data.train.batch(torch.arange(len(measured.data.train))).x
        n = len(measured.real.x)
        random = torch.Generator().manual_seed(1)
        low, high = x.min(0).values, x.max(0).values
        cheap = {"a Gaussian law with the data's moments": gaussian(x, n)}
        if experiment in ("mode_collapse", "ring_wgan_gp"):
            cheap["uniform noise"] = low + (high - low) * torch.rand(n, 2, generator=random)
        if experiment == "ring_wgan_gp" or words == ("dataset=ring",):
            angle = 2 * torch.pi * torch.rand(n, generator=random)
            cheap["points all round the circle"] = torch.stack([angle.cos(), angle.sin()], 1)
        for baseline, fake in cheap.items():
            found = measured.numbers(fake)
            wanted = ("metric/modes", "metric/high_quality", "metric/reverse_kl")
            for number in [number for number in wanted if number in found] or ["metric/w1"]:
                yield Row(names, number, baseline, found[number])


def whole(experiment: str) -> Bench:
    """Return what an experiment measures with if its metric takes all of its data."""
    cfg = compose(loader(), "train", [f"experiment={experiment}"])
    data = build_data(cfg)
    every = data.train.batch(torch.arange(len(data.train)))
    return Bench(data, build_metric(cfg).fitted(data, CPU), every, every)


def sequences() -> Iterator[Row]:
    """Yield what sequences come to that know the mean, or the first two moments, of the windows."""
    for names, experiment in (
        ("timegan_small, c_rnn_gan_small, wavegan_small", "wavegan_small"),
        ("rcgan_small", "rcgan_small"),
    ):
        measured = bench(experiment)
        x, n = measured.other.x, len(measured.real.x)
        for baseline, fake in {
            "the mean window": x.mean(0).expand(n, -1, -1),
            "a Gaussian law with the data's moments": gaussian(x, n),
        }.items():
            yield Row(names, "metric/sw2", baseline, measured.numbers(fake, measured.other.y)["metric/sw2"])
        if experiment == "wavegan_small":
            persistence = (x[:, 1:] - x[:, :-1]).square().mean()
            yield Row("c_rnn_gan_small", "loss/pretraining", "the step before as the prediction", float(persistence))


def untrained() -> Iterator[Row]:
    """Yield the share of an untrained critic's weights that the first clipping moves to the bound."""
    cfg = compose(loader(), "train", ["experiment=clip_sweep"])
    torch.manual_seed(0)
    critic = build_player(cfg, "model.discriminator", 0, (1,), None)
    weights = torch.cat([parameter.detach().flatten() for parameter in critic.parameters()])
    for bound in (0.003, 0.01, 0.03, 0.1, 0.3, 1.0):
        yield Row(
            "clip_sweep",
            "at_bound/critic",
            f"untrained weights clipped at {bound}",
            float((weights.abs() >= bound).float().mean()),
        )


def exact() -> Iterator[Row]:
    """Yield what games with a closed form come to at their start, or with steps that are too long."""
    p, start, centred = Law(2.0, 0.5), Law(0.0, 1.0), Law(2.0, 1.0)
    spread = "the right mean with the spread at the start"
    yield Row("goodfellow_1d", "discriminator/error", "D = 1/2 everywhere, at the start", distance_from_half(p, start))
    yield Row("goodfellow_1d", "discriminator/from_half", spread, distance_from_half(p, centred))
    yield Row("goodfellow_1d", "js/exact at the start over its value", spread, js(p, start) / js(p, centred))
    config = compose(loader(), "train", ["experiment=ideal_gan"]).game
    game = IdealGAN(list(config.p), list(config.q))
    yield Row("ideal_gan", "discriminator/from_half", "the optimum at the start", game.measure(0)["discriminator/from_half"])
    optimizer = torch.optim.SGD(game.parameters(), lr=20.0)
    values = [game.measure(0)["criterion/value"]]
    for _ in range(500):
        optimizer.zero_grad()
        game.loss(Batch(game.p))[0].backward()
        optimizer.step()
        values.append(game.measure(0)["criterion/value"])
    rise = max(b - a for a, b in pairwise(values))
    yield Row("ideal_gan", "criterion/value, largest rise", "steps of rate 20", rise)
    yield Row("ideal_gan", "criterion/above_minimum", "steps of rate 20", game.measure(0)["criterion/above_minimum"])


def distance_from_half(p: Law, q: Law) -> float:
    """Return the mean of |D* - 1/2| over half data, half fakes."""
    points = quadrature(p, q)
    distance = (torch.sigmoid(p.log_density(points.x) - q.log_density(points.x)) - 0.5).abs()
    return (mean_over(p, distance, points) + mean_over(q, distance, points)) / 2


def main() -> None:
    torch.set_num_threads(1)
    parts = (exact, images, classes, projections, paired, unpaired, points, sequences, untrained)
    rows = [row for part in parts for row in part()]
    table = pages.table(Row._fields, [(*row[:3], f"{row.value:.4g}") for row in rows])
    pages.write("baselines", table, PAGE)
    print(table)


if __name__ == "__main__":
    main()
