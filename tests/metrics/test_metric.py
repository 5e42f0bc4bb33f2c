"""Properties of every metric and all features, and of the jackknife errors."""

import math
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
import torch
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf

from gan_cli.errors import UserError
from gan_cli.metrics.base import JACKKNIFE_GROUPS, Metric, NoMetric, Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.images.frechet import Frechet

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
@pytest.mark.slow
def test_every_metric_takes_every_features(metric, features):
    built = build(metric, features=build(features))
    assert isinstance(built, Metric)
    assert built.features.name == features.stem
    assert built.split in ("train", "heldout")
    assert built.describe().startswith(f"metric: {built.name}")
    assert isinstance(built.higher_is_better, bool)


CLASSES = [path for path in (*METRICS, *FEATURES) if path.stem != "several"]  # whose target is a function


@pytest.mark.parametrize("path", CLASSES, ids=stem)
def test_yaml_holds_every_default(path):
    config = OmegaConf.load(path)
    known = {"features": Identity()} if path in METRICS else {}
    default = get_class(config.pop("_target_"))(**known)
    expected = {f.name: getattr(default, f.name) for f in fields(default) if f.init and f.name not in known}
    assert dict(config) == {name: list(value) if isinstance(value, tuple) else value for name, value in expected.items()}


def test_no_metric_asks_for_no_samples():
    metric = NoMetric(Identity())
    assert (metric.name, metric.n_samples) == ("none", 0)
    nothing = Encoded(torch.zeros(0, 2), torch.zeros(0, 2))
    assert math.isnan(metric.measure(nothing, nothing)["none"].value)


@pytest.mark.parametrize("n_samples", [-1, 2.5, "many"])
def test_an_invalid_number_of_samples_is_refused(n_samples):
    with pytest.raises(UserError, match=f"n_samples={n_samples!r}"):
        Frechet(Identity(), n_samples=n_samples)


def test_an_unknown_split_is_named():
    with pytest.raises(UserError, match="split='test': it must be one of train, heldout"):
        Frechet(Identity(), split="test")


@dataclass(frozen=True)
class Mean(Metric):
    """The mean of the generated features, its square, and sample counts with errors of their own."""

    name = "mean"

    def measure(self, real, fake):
        mean = float(fake.features.mean())
        sizes = Value(len(real), 0.5), Value(len(fake), 0.25, True)
        return {"mean": Value(mean), "square": Value(mean**2), "n_real": sizes[0], "n_fake": sizes[1], "nan": Value(math.nan)}


class Equal(Mean):
    equal_sizes = True

    def measure(self, real, fake):
        assert len(real) == len(fake)
        return super().measure(real, fake)


def encoded(x):
    return Encoded(x, x)


class TestJackknife:
    x = torch.randn(600, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 3

    def test_error_of_a_mean_is_the_standard_error_of_group_means(self):
        """With groups of equal size, the jackknife error of a mean is exactly the standard error of the group means."""
        found = Mean(Identity()).with_errors(encoded(self.x), encoded(self.x))
        groups = self.x.reshape(-1, JACKKNIFE_GROUPS).mean(0)
        assert found["mean"].error == pytest.approx(float(groups.std()) / JACKKNIFE_GROUPS**0.5)

    def test_error_of_a_function_of_the_mean_agrees_with_the_delta_method(self):
        found = Mean(Identity()).with_errors(encoded(self.x), encoded(self.x))
        assert found["square"].error == pytest.approx(2 * found["mean"].value * found["mean"].error, rel=0.02)

    def test_known_errors_are_kept(self):
        found = Mean(Identity()).with_errors(encoded(self.x), encoded(self.x))
        assert found["n_real"] == (600, 0.5, False)
        assert found["n_fake"] == (600, 0.25, True)

    def test_numbers_that_are_not_finite_have_no_error(self):
        assert Mean(Identity()).with_errors(encoded(self.x), encoded(self.x))["nan"].error is None

    def test_equal_sizes_stay_equal(self):
        assert Equal(Identity()).with_errors(encoded(self.x), encoded(self.x))["mean"].error > 0

    def test_too_few_samples_give_no_error(self):
        few = encoded(self.x[: 2 * JACKKNIFE_GROUPS - 1])
        assert Mean(Identity()).with_errors(few, few)["mean"].error is None

    @pytest.mark.slow
    def test_error_of_the_frechet_distance_agrees_with_its_scatter(self):
        """Compare the errors of 40 Fréchet distances with their scatter over sets of samples."""
        g = torch.Generator().manual_seed(1)
        real = encoded(torch.randn(300, 8, generator=g))
        found = [
            Frechet(Identity()).with_errors(real, encoded(torch.randn(300, 8, generator=g) + 0.3))["fd"] for _ in range(40)
        ]
        scatter = torch.tensor([value.value for value in found]).std()
        mean_error = torch.tensor([value.error for value in found]).square().mean().sqrt()
        assert 0.7 < mean_error / scatter < 1.4


def test_a_subset_of_an_encoded_set():
    x = torch.arange(6.0)[:, None]
    whole = Encoded(x, x * 2, x * 3, torch.arange(6))
    part = whole.subset(torch.tensor([True, False] * 3))
    assert [part.x.flatten().tolist(), part.features.flatten().tolist()] == [[0, 2, 4], [0, 4, 8]]
    assert [part.logits.flatten().tolist(), part.y.tolist()] == [[0, 6, 12], [0, 2, 4]]
    assert len(Encoded(x, x).subset(slice(1, 3))) == 2
