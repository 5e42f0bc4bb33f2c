"""Full grids as designs."""

import numpy as np
import pytest
from scipy import stats
from support.rankings import ranking_of

from gan_cli.evaluation.comparison import Mean
from gan_cli.evaluation.design import Design, design_of
from gan_cli.evaluation.design_tables import effect_rows, level_rows

KEYS = {"loss": ["a", "b", "c"], "lr": ["1", "2", "10"]}


def grid(effect, seeds=3):
    """Return values by cell: ``effect`` of both values' places, and noise of standard deviation 0.2."""
    rng = np.random.default_rng(0)
    return {
        (a, b): effect(i, j) + 0.2 * rng.standard_normal(seeds)
        for i, a in enumerate(KEYS["loss"])
        for j, b in enumerate(KEYS["lr"])
    }


def design(values):
    cells = {cell: Mean(x.mean(), x.std(ddof=1) / len(x) ** 0.5, len(x)) for cell, x in values.items()}
    return Design(KEYS, cells)


def equal_spreads(values):
    return {cell: x.mean() + (x - x.mean()) / x.std(ddof=1) for cell, x in values.items()}


def test_at_equal_spreads_it_is_the_f_test_of_the_linear_model():
    values = equal_spreads(grid(lambda i, j: i * j))
    found = design(values).effects()
    means = np.array([x.mean() for x in values.values()]).reshape(3, 3)
    rows, columns = means.mean(1) - means.mean(), means.mean(0) - means.mean()
    rest = means - means.mean() - rows[:, None] - columns
    squares = (9 * (rows**2).sum() / 2, 9 * (columns**2).sum() / 2, 3 * (rest**2).sum() / 4)
    assert [effect.statistic for effect in found] == pytest.approx(squares), "mean squares over the variance, 1"
    assert [effect.dof for effect in found] == [pytest.approx(dof) for dof in ((2, 18), (2, 18), (4, 18))]
    p = sorted(stats.f.sf(square, *effect.dof) for square, effect in zip(squares, found, strict=True))
    assert min(effect.p for effect in found) == pytest.approx(3 * p[0])


def test_what_was_put_in_is_found():
    main = design(grid(lambda i, j: i)).effects()
    assert [(effect.keys, effect.found) for effect in main] == [(("loss",), True), (("lr",), False), (("loss", "lr"), False)]
    crossed = design(grid(lambda i, j: (i - 1) * (j - 1))).effects()
    assert [effect.found for effect in crossed] == [False, False, True]


def test_rows_of_the_tables():
    found = design(grid(lambda i, j: i))
    assert [row[0] for row in effect_rows(found)] == ["loss", "lr", "loss × lr"]
    assert [row[3] for row in effect_rows(found)] == ["effect", "not told apart from none", "not told apart from none"]
    assert [row[0] for row in level_rows(found)] == ["loss=a", "loss=b", "loss=c", "lr=1", "lr=2", "lr=10"]


def test_a_ranking_over_a_full_grid_is_a_design():
    values = grid(lambda i, j: i)
    found = design_of(ranking_of(KEYS, values))
    assert found is not None
    assert found.levels == KEYS, "numbers stand by their size"
    del values["a", "1"]
    assert design_of(ranking_of(KEYS, values)) is None, "a cell is missing"
    assert design_of(ranking_of({"loss": KEYS["loss"]}, {(one,): np.arange(3.0) for one in "abc"})) is None, "one key"
