import math

import numpy as np
import pytest
import scipy.linalg
import torch

from gan_cli.errors import UserError
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.base import Encoded
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.images.vendi import Vendi, vendi_score


def gaussian(n, d, seed, mean=0.0):
    return mean + torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_definition(x):
    x = x.numpy() / np.linalg.norm(x.numpy(), axis=1, keepdims=True)
    eigenvalues = scipy.linalg.eigvalsh(x @ x.T / len(x))
    positive = eigenvalues[eigenvalues > 1e-15]
    return math.exp(-(positive * np.log(positive)).sum())


@pytest.mark.parametrize("d", [4, 100])
def test_orthogonal_groups_count_as_one_sample_each(d):
    directions = torch.eye(d)[[0, 1, 2]] * torch.tensor([[1.0], [5.0], [0.1]])
    assert vendi_score(directions.repeat(10, 1)) == pytest.approx(3)
    assert vendi_score(directions[:1].repeat(10, 1)) == pytest.approx(1)
    half = torch.cat([directions[:1].repeat(9, 1), directions[1:2]])
    assert vendi_score(half) == pytest.approx(math.exp(-0.9 * math.log(0.9) - 0.1 * math.log(0.1)))


@pytest.mark.parametrize(("n", "d"), [(60, 8), (20, 50), (30, 30)])
def test_equals_the_entropy_of_the_kernel_matrix(n, d):
    x = gaussian(n, d, 0, 0.5)
    assert vendi_score(x) == pytest.approx(by_definition(x), rel=1e-9)
    assert vendi_score(x.float()) == pytest.approx(by_definition(x), rel=1e-4)


@pytest.mark.slow
def test_the_error_is_the_scatter_over_samples():
    spread = torch.linspace(1, 0.05, 60)
    sets = [0.5 + spread * gaussian(40, 60, seed) for seed in range(60)]
    found = [Vendi(Identity()).with_errors(Encoded(x, x), Encoded(x, x))["vendi"] for x in sets]
    values, errors = (torch.tensor(column) for column in list(zip(*found, strict=True))[:2])
    assert 0.75 < errors.square().mean().sqrt() / values.std() < 1.35


def test_the_metric_measures_generated_features():
    x, y = gaussian(40, 3, 0), gaussian(30, 3, 1)
    assert Vendi(Identity()).measure(Encoded(x, x), Encoded(y, y)) == {"vendi": Value(vendi_score(y), None, True)}
    assert not Vendi(Identity()).selects_checkpoint


@pytest.mark.parametrize("features", [torch.zeros(1, 3), torch.zeros(5), torch.full((5, 3), math.nan)])
def test_bad_input_is_named(features):
    with pytest.raises(UserError, match="Vendi score: needs finite features"):
        vendi_score(features)
