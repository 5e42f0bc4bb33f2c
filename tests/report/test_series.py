import numpy as np
import pytest

from gan_cli.report.records.series import ScalarSeries, default_width


def series(values, steps=None):
    return ScalarSeries(np.arange(len(values)) if steps is None else np.array(steps), np.array(values, dtype=float))


def test_the_median_takes_single_outliers_out_and_leaves_steps_of_the_curve():
    assert series([0, 0, 9, 0, 5, 5, 5]).smooth(3).values.tolist() == [0, 0, 0, 5, 5, 5, 5]


def test_a_width_of_one_changes_nothing():
    assert series([3, 1, 2]).smooth(1).values.tolist() == [3, 1, 2]


def test_what_is_not_finite_is_left_out_of_the_median():
    smooth = series([1, np.nan, 1, 1]).smooth(3)
    assert smooth.steps.tolist() == [0, 2, 3]
    assert smooth.values.tolist() == [1, 1, 1]


@pytest.mark.parametrize(("n", "width"), [(0, 1), (49, 1), (50, 3), (1000, 41)])
def test_the_width_follows_the_length_and_is_odd(n, width):
    assert default_width(n) == width
    assert width % 2 == 1


def test_the_newest_value_counts_at_a_step():
    assert series([1, 2, 3], [10, 20, 30]).at(np.array([5, 10, 25, 99])).tolist()[1:] == [1, 2, 3]
    assert np.isnan(series([1, 2, 3], [10, 20, 30]).at(np.array([5]))).all()
    assert np.isnan(series([]).at(np.array([5, 6]))).all()


def test_an_empty_series_is_false():
    assert not series([])
    assert series([0.0])
    assert not series([1, 2]).after(1)
