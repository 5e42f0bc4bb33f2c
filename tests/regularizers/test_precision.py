"""Penalties and distances under autocast: networks compute in 16 bits, norms, squares and means of them in float32."""

import pytest
import torch
from support.players import Linear, images_gan
from torch import nn

from gan_cli.games.ebgan import pull_away_term
from gan_cli.models.minibatch import MinibatchDiscrimination, MinibatchStd
from gan_cli.regularizers.base import Judged
from gan_cli.regularizers.dragan import Dragan
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.regularizers.orthogonal import Orthogonal
from gan_cli.regularizers.r1 import R1, R2
from gan_cli.regularizers.spectral_norm import SpectralNorm

HALVES = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class Exact(nn.Module):
    """D(x) = psi . x in 16 bits, for a slope psi that they hold exactly."""

    def __init__(self, *psi: float):
        super().__init__()
        self.layer = nn.Linear(len(psi), 1, bias=False)
        self.layer.weight.data = torch.tensor([psi])

    def forward(self, x):
        return self.layer(x).squeeze(1)


@HALVES
@pytest.mark.parametrize(
    ("regularizer", "value"),
    [
        (GradientPenalty(weight=10), 10 * (2305**0.5 - 1) ** 2),
        (Dragan(weight=10), 10 * (2305**0.5 - 1) ** 2),
        (R1(weight=2), 2305),
        (R2(weight=2), 2305),
    ],
)
def test_the_square_of_a_slope_has_all_its_digits(dtype, regularizer, value):
    """||(48, 1)||^2 = 2305 has twelve digits in base 2, more than either type of 16 bits."""
    critic, x = Exact(48.0, 1.0), torch.randn(8, 2)
    with torch.autocast("cpu", dtype=dtype):
        logits = critic(x)
        assert logits.dtype == dtype
        penalty = regularizer.penalty(critic, critic, Judged(x, x.flip(0), logits, logits))
    assert penalty.dtype == torch.float32
    assert penalty.item() == pytest.approx(value, rel=1e-6)


@HALVES
def test_a_product_of_weights_is_no_forward_pass(dtype):
    """Also the power iteration of spectral norm, which needs a weight and no sample."""
    network, x = images_gan(regularizers=[SpectralNorm()]).discriminator.eval(), torch.zeros(1)
    values = [parameter.detach().clone() for parameter in network.parameters()]
    weights = [module.weight.clone() for module in network.modules() if isinstance(module, nn.Conv2d)]
    expected = Orthogonal(weight=1.0).penalty(network, Linear(1.0), Judged(x, x, x, x))
    with torch.autocast("cpu", dtype=dtype):
        found = Orthogonal(weight=1.0).penalty(network, Linear(1.0), Judged(x, x, x, x))
        normalized = [module.weight.clone() for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert torch.equal(found, expected)
    assert found > 0
    assert all(map(torch.equal, normalized, weights))
    assert all(map(torch.equal, network.parameters(), values))


@HALVES
def test_cosines_of_codes(dtype):
    code = torch.randn(6, 40)
    with torch.autocast("cpu", dtype=dtype):
        assert torch.equal(pull_away_term(code), pull_away_term(code.clone()))
        found = pull_away_term(code)
    assert torch.equal(found, pull_away_term(code))


@HALVES
@pytest.mark.parametrize("layer", [MinibatchStd(), MinibatchDiscrimination(16, 5, 2)])
def test_samples_of_a_batch_are_compared_in_float32(dtype, layer):
    x = (1000 + torch.randn(4, 16)).to(dtype)
    with torch.autocast("cpu", dtype=dtype):
        found = layer(x)
    torch.testing.assert_close(found, layer(x.float()), rtol=0, atol=0)
