"""The number of times a curve changes direction."""

import numpy as np
import pytest

from gan_cli.errors import UserError
from gan_cli.report.claims.reversals import Reversals, reversals


@pytest.mark.parametrize(
    ("values", "by", "n"),
    [
        ([1, 2, 3, 4], 0.0, 0),
        ([4, 4, 4], 0.0, 0),
        ([0, 1, 0, 1, 0], 0.0, 3),
        ([0, 1, 0.9, 2, 1.9, 3], 0.2, 0),
        ([0, 1, 0.9, 0.7, 2], 0.2, 2),
        (np.cos(np.linspace(0, 7 * np.pi, 200)), 0.01, 6),
    ],
)
def test_reversals_are_counted(values, by, n):
    assert reversals(np.array(values, dtype=float), by) == n


def test_the_rule_names_its_limits():
    claim = Reversals(says="It turns.", tag="value/primal", at_least=3, by=0.5)
    assert "value/primal changes direction by more than 0.5" in claim.rule()
    with pytest.raises(UserError):
        Reversals(says="It turns.", tag="value/primal")
