"""Processes: moments in closed form, and scaling of the samples."""

import math

import pytest
import torch

from gan_cli.data.scaling import Scaling, Series, unnamed
from gan_cli.data.sequences.processes import ar1, sines
from gan_cli.errors import UserError


def units(data, part="train"):
    return data.series.scaling.to_units(getattr(data, part).x)


@pytest.mark.parametrize("law", [sines, ar1])
def test_fixed_sample(law):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    data, again, longer, other = law(n=30, n_heldout=20), law(n=30, n_heldout=20), law(n=40, n_heldout=20), law(n=30, seed=1)
    assert torch.equal(torch.get_rng_state(), before), "drawn from generators of its own"
    assert torch.equal(data.train.x, again.train.x)
    assert torch.allclose(units(data, "heldout"), units(longer, "heldout"), atol=1e-5), "does not depend on n"
    assert not torch.equal(data.train.x, other.train.x)
    assert (data.shape, data.classes, len(data.train), len(data.heldout)) == ((24, 5), 0, 30, 20)
    batch = data.train.batch(torch.tensor([5, 2, 5]))
    assert batch.x.dtype == torch.float32
    assert batch.y is None
    assert torch.equal(batch.x, data.train.x[[5, 2, 5]])
    assert len(data.series.names) == 5
    assert data.series.protocol == "independent draws"


def test_sines_of_the_code_start_within_a_tenth_of_a_radian():
    data = sines(n=4000, window=30, features=3)
    x = units(data)
    theta, omega = x[:, 0].asin(), x[:, 1].asin() - x[:, 0].asin()
    t = torch.arange(30)[:, None]
    assert torch.allclose(x, (omega[:, None] * t + theta[:, None]).sin(), atol=1e-4)
    for draw in (theta, omega):
        assert -1e-6 <= draw.min() < 0.001 < 0.099 < draw.max() <= 0.1 + 1e-6
        assert draw.mean() == pytest.approx(0.05, abs=0.001)
    assert torch.allclose(data.train.x, ((x + 1) / 2).float())


def test_sines_of_the_paper_are_stationary():
    x = units(sines(n=20_000, law="paper", features=1))[:, :, 0]
    assert x.mean(0).abs().max() < 0.02
    assert torch.allclose(x.square().mean(0), torch.full((24,), 0.5, dtype=x.dtype), atol=0.02)
    # E sin(ωt + θ) sin(ωs + θ) = E cos(ω(t − s))/2 = 0 for whole t ≠ s, as ω ~ U(0, 2π)
    assert (x[:, 1:] * x[:, :1]).mean(0).abs().max() < 0.02


def test_sines_of_rcgan_have_one_to_five_periods_and_a_tenth_to_nine_tenths():
    x = units(sines(n=4000, law="rcgan", window=30, features=1))[:, :, 0]
    t = torch.arange(30).double()
    # x(t + 1) + x(t - 1) = 2 cos(omega) x(t) gives omega, and then the amplitude
    c = ((x[:, 2:] + x[:, :-2]) * x[:, 1:-1]).sum(1) / (2 * x[:, 1:-1].square().sum(1))
    omega = c.clamp(-1, 1).acos()
    waves = torch.stack([(omega[:, None] * t).sin(), (omega[:, None] * t).cos()], 2)
    amplitude = torch.linalg.lstsq(waves, x[:, :, None]).solution.norm(dim=(1, 2))
    for values, low, high in ((30 * omega / (2 * torch.pi), 1, 5), (amplitude, 0.1, 0.9)):
        assert low - 1e-3 < values.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < values.max() < high + 1e-3
        assert values.mean() == pytest.approx((low + high) / 2, rel=0.03)


@pytest.mark.parametrize(("phi", "sigma"), [(0.8, 0.8), (0.0, 0.5), (-0.5, 0.0), (0.5, 1.0)])
def test_ar1_moments(phi, sigma):
    x = units(ar1(n=20_000, window=6, features=3, phi=phi, sigma=sigma))
    variance = 1 / (1 - phi**2)
    expected = variance * (sigma * torch.ones(3, 3) + (1 - sigma) * torch.eye(3)).double()
    for lag in (0, 1, 3):  # stationary from the first step on
        for t in (0, 2):
            found = x[:, t].T @ x[:, t + lag] / len(x)
            assert torch.allclose(found, phi**lag * expected, atol=0.06 * variance), (t, lag)


def test_ar1_fills_the_unit_interval():
    data = ar1(n=500, n_heldout=400)
    assert data.train.x.amin((0, 1)).tolist() == [0.0] * 5
    assert data.train.x.amax((0, 1)).tolist() == [1.0] * 5


@pytest.mark.parametrize(
    ("law", "given", "said"),
    [
        (sines, {"law": "tutorial"}, "law='tutorial': it must be one of code, paper, rcgan"),
        (sines, {"window": 0}, "window=0"),
        (ar1, {"phi": 1.0}, "phi=1.0: it must be below 1"),
        (ar1, {"phi": -1}, "phi=-1"),
        (ar1, {"sigma": 1.5}, "sigma=1.5"),
        (ar1, {"n": 0}, "n=0"),
        (ar1, {"window": 1}, "window=1: it must be a whole number, at least 2"),
    ],
)
def test_invalid_fields(law, given, said):
    with pytest.raises(UserError, match=said):
        law(**given)


def test_scaling_round_trip():
    scaling = Scaling((-2.0, 1e9), (3.0, 4e9))
    u = torch.tensor([[-2.0, 2e9], [3.0, 5e9]], dtype=torch.float64)
    x = scaling.from_units(u)
    assert x.dtype == torch.float32
    assert torch.allclose(x, torch.tensor([[0, 1 / 3], [1, 4 / 3]]))
    assert torch.allclose(scaling.to_units(x), u, rtol=1e-6)


def test_series_as_plain_data():
    series = Series(("a", "b"), Scaling((0.0, 1.0), (2.0, 3.0)), "how", ("a note",))
    again = Series.from_dict(series.to_dict())
    assert again.matches(series)
    assert again.notes == ()
    assert not again.matches(Series(("a", "c"), series.scaling, "how"))
    assert not again.matches(Series(("a", "b"), Scaling((0.0, 1.0), (2.0, 3.1)), "how"))
    assert not again.matches(unnamed(2))


def test_table_of_sequences(tmp_path):
    u = torch.arange(12.0).double().view(2, 3, 2) / math.pi
    Series(("a, b", "c"), Scaling((0.0, 0.0), (1.0, 1.0))).write(u, tmp_path / "found.csv")
    import pandas

    frame = pandas.read_csv(tmp_path / "found.csv")
    assert list(frame.columns) == ["sample", "t", "a, b", "c"]
    assert frame["sample"].tolist() == [0, 0, 0, 1, 1, 1]
    assert frame["t"].tolist() == [0, 1, 2] * 2
    assert torch.allclose(torch.tensor(frame[["a, b", "c"]].to_numpy()), u.flatten(0, 1), rtol=1e-8)
