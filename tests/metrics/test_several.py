"""metric=[a,b]: several metrics of the same samples."""

import pytest
import torch

from gan_cli.build import build_data, build_metric
from gan_cli.cli.quoting import with_metrics
from gan_cli.config.compose import compose, loader
from gan_cli.errors import UserError

CPU = torch.device("cpu")


def made(names, *words):
    """Return the metric of ``metric=[names]`` on a small ring, and the data."""
    cfg = compose(
        loader(), "train", with_metrics(["dataset=ring", "dataset.n=200", "dataset.n_heldout=50", f"metric=[{names}]", *words])
    )
    return build_metric(cfg), build_data(cfg)


def test_the_words():
    assert with_metrics(["seed=1", "metric=[kid, mmd]"]) == [
        "seed=1",
        "metric=several",
        "+metric@metric.parts.kid=kid",
        "+metric.parts.kid._partial_=true",
        "+metric@metric.parts.mmd=mmd",
        "+metric.parts.mmd._partial_=true",
    ]
    for word in ("metric=kid", "metric=[kid]", "metric=kid,mmd", "metric=[a,b],[c,d]", "loss=[a,b]"):
        assert with_metrics([word]) == [word]


@pytest.mark.slow
def test_metrics_of_held_out_samples_go_together():
    metric, data = made("memorisation,authenticity", "metric.n_samples=30")
    x = metric.fitted(data, CPU).features.encode(data.heldout.batch(torch.arange(30)).x)
    assert metric.split == "heldout"
    assert {"copies", "authpct"} < set(metric.fitted(data, CPU).measure(x, x))
    with pytest.raises(UserError, match="it must be heldout: copies compares"):
        made("kid,memorisation")
    assert made("kid,memorisation", "metric.split=heldout")[0].split == "heldout"


@pytest.mark.slow
def test_the_parts_are_those_metrics_by_themselves():
    metric, data = made("wasserstein,modes", "metric.parts.wasserstein.p=2", "metric.n_samples=40")
    assert (metric.name, metric.n_samples, metric.split) == ("w2", 40, "train")
    x, y = data.train.batch(torch.arange(40)), data.heldout.batch(torch.arange(40))
    fitted = metric.fitted(data, CPU)
    numbers = fitted.measure(fitted.features.encode(x.x), fitted.features.encode(y.x))
    alone = {}
    for option, word in (("wasserstein", "metric.p=2"), ("modes", "metric.split=train")):
        cfg = compose(loader(), "train", ["dataset=ring", f"metric={option}", word])
        part = build_metric(cfg).fitted(data, CPU)
        alone |= part.measure(part.features.encode(x.x), part.features.encode(y.x))
    assert numbers == alone


def test_the_number_of_samples_is_the_smallest_of_the_parts():
    metric, _ = made("modes,wasserstein")
    assert (metric.name, metric.n_samples, [part.n_samples for part in metric.parts()]) == ("reverse_kl", 1000, [1000, 1000])


def test_a_part_that_measures_nothing_is_refused():
    with pytest.raises(UserError, match=r"none measures nothing\."):
        made("none,modes")


def test_without_parts_nothing_is_measured():
    assert build_metric(compose(loader(), "train", ["metric=several"])).n_samples == 0
