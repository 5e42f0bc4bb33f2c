"""Lines of unlike scale have axes of their own."""

import pytest
from matplotlib.figure import Figure as MplFigure

from gan_cli.report.figures import scales, style
from gan_cli.report.figures.curves import Curves, XYPlot
from gan_cli.report.figures.sweeps import SweepCurves
from gan_cli.report.records.runs import run_records


@pytest.fixture
def axes(monkeypatch):
    """``axes(figure, runs)`` -> the labels of the lines in each panel, without drawing."""
    found = []

    def render(size, paint):
        figure = MplFigure()
        paint(figure)
        found.extend(list(ax.get_legend_handles_labels()[1]) for ax in figure.axes)
        return style.Drawing(b"")

    monkeypatch.setattr(style, "render", render)

    def labels(figure, runs):
        found.clear()
        [drawn] = figure.draw(runs)
        assert (scales.NOTE in drawn.caption) == (len(found) > 1)
        return list(found)

    return labels


@pytest.fixture
def losses(run):
    """Two methods whose losses differ by three orders of magnitude, and one like the first."""
    for c, factor in ((1, 1.0), (2, 1000.0), (3, 2.0)):
        curves = {"loss/d": [factor, 2 * factor], "x/a": [1.0, 2.0], "x/b": [500.0, 900.0], "x/c": [0.0, 0.0]}
        folder = run(f"s/{c}", curves, 1, overrides=[f"c={c}"]).parent
    return run_records(folder)


def test_groups():
    lines = {"a": [1.0, -1.0], "b": [1e4], "c": [3.0], "zero": [0.0], "none": [], "bad": [float("nan"), 2e4]}
    assert scales.group_by_scale(lines) == [["a", "c", "zero", "none"], ["b", "bad"]]


def test_losses_of_methods(axes, losses):
    assert axes(Curves(tags=["loss/d"]), losses) == [["c=1", "c=3"], ["c=2"]]
    assert axes(Curves(tags=[["x/a", "x/b"]]), losses[:1]) == [["x/a"], ["x/b"]]
    assert axes(Curves(tags=["loss/d"], log_y=True), losses) == [["c=1", "c=2", "c=3"]]
    assert axes(Curves(tags=["loss/d"], y_limits=[0, 1]), losses) == [["c=1", "c=2", "c=3"]]


def test_a_level_stands_where_it_flattens_nothing(losses):
    ax = MplFigure().subplots()
    Curves(tags=["loss/d"], levels={"near": 5.0, "far": 900.0}).panel(ax, ["loss/d"], losses, [("c=1", "loss/d")])
    assert [text.get_text() for text in ax.texts] == ["near"]


def test_a_long_legend_is_drawn_once(run, monkeypatch):
    for c in range(6):
        curves = {"loss/d": [1000.0 if c == 5 else 1.0] * 2, "loss/g": [1.0, 2.0]}
        folder = run(f"s/{c}", curves, 1, overrides=[f"c={c}"]).parent
    drawn = []
    monkeypatch.setattr(style, "render", lambda size, paint: paint(figure := MplFigure()) or drawn.append(figure) or b"")
    Curves(tags=["loss/d", "loss/g"]).draw(run_records(folder))
    [figure] = drawn
    assert [len(ax.get_legend().get_texts()) if ax.get_legend() else 0 for ax in figure.axes] == [5, 0, 0]
    assert figure.axes[1].get_title() == "c=5"


def test_numbers_over_others(axes, losses):
    assert axes(XYPlot(x="loss/d", y=["x/a", "x/c"], exact=["x/b"]), losses) == [["x/a", "x/c"], ["x/b"]]
    assert axes(SweepCurves(key="c", numbers=["x/a", "x/b"]), losses) == [["x/a"], ["x/b"]]
    assert axes(SweepCurves(key="c", numbers=["x/a", "x/b"], log_y=True), losses) == [["x/a", "x/b"]]
