import math
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf

from gan_cli.errors import UserError
from gan_cli.metrics.base import Metric, NoMetric
from gan_cli.metrics.features import Identity
from gan_cli.metrics.frechet import Frechet

CONF = Path(__file__).parents[2] / "conf"
METRICS = sorted((CONF / "metric").glob("*.yaml"))
FEATURES = sorted((CONF / "features").glob("*.yaml"))


def stem(path):
    return path.stem


def build(path, **known):
    # Arguments are not handed to instantiate itself, which would turn dataclasses into configs.
    return instantiate(OmegaConf.load(path), _partial_=True)(**known)


@pytest.mark.parametrize("features", FEATURES, ids=stem)
@pytest.mark.parametrize("metric", METRICS, ids=stem)
def test_every_metric_takes_every_features(metric, features):
    built = build(metric, features=build(features))
    assert isinstance(built, Metric)
    assert built.features.name == features.stem
    assert built.split in ("train", "heldout")
    assert built.name
    assert built.lower_is_better


@pytest.mark.parametrize("path", [*METRICS, *FEATURES], ids=stem)
def test_yaml_holds_every_default(path):
    config = OmegaConf.load(path)
    known = {"features": Identity()} if path in METRICS else {}
    default = get_class(config.pop("_target_"))(**known)
    assert dict(config) == {f.name: getattr(default, f.name) for f in fields(default) if f.init and f.name not in known}


def test_no_metric_wants_no_samples():
    metric = NoMetric(Identity())
    assert (metric.name, metric.n_samples) == ("none", 0)
    assert math.isnan(metric(metric.reference(torch.zeros(0, 2)), torch.zeros(0, 2)))


@pytest.mark.parametrize("n_samples", [-1, 2.5, "many"])
def test_a_number_of_samples_that_is_none_is_refused(n_samples):
    with pytest.raises(UserError, match=f"metric.n_samples={n_samples}"):
        Frechet(Identity(), n_samples=n_samples)


def test_an_unknown_split_is_named():
    with pytest.raises(UserError, match=r"no split named 'test' in metric.split. Choose one of: train, heldout"):
        Frechet(Identity(), split="test")
