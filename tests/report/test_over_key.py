"""Numbers over a swept key, as ``gan-report SWEEP x=KEY y=NUMBER`` draws them, and curves of several seeds."""

import pytest
from matplotlib.figure import Figure as MplFigure
from omegaconf import OmegaConf

from gan_cli.errors import UserError
from gan_cli.report.figures.curves import Curves
from gan_cli.report.figures.requested import requested
from gan_cli.report.figures.sweeps import spans_decades
from gan_cli.report.records.runs import run_records


@pytest.fixture
def rates(run):
    """Two losses at three learning rates and two seeds; the metric is the seed plus the rate's number."""
    for loss in ("wgan", "hinge"):
        for number, lr in enumerate((1e-4, 1e-3, 1e-2)):
            for seed in (1, 2):
                folder = run(
                    f"s/{loss}-{lr}-{seed}",
                    {"metric/w1": [9.0, number + seed], "x/y": [1.0, 2.0]},
                    seed,
                    overrides=[f"loss={loss}", f"optimizer.lr={lr}"],
                    optimizer={"lr": lr},
                    w1=float(number),
                ).parent
    return run_records(folder)


def asked(runs, x=None, y=()):
    return requested(OmegaConf.create({"x": x, "y": list(y)}), runs)


def test_a_line_for_each_of_the_other_settings_with_errors_over_seeds(rates):
    [figure] = asked(rates, "optimizer.lr", ["metric/w1"])
    [drawn] = figure.draw(rates)
    assert drawn.title == "metric/w1 over optimizer.lr"
    assert {row["settings"] for row in drawn.data} == {"loss=wgan", "loss=hinge"}
    assert [(row["optimizer.lr"], row["value"], row["error"], row["values"]) for row in drawn.data[:3]] == [
        (1e-4, 1.5, 0.5, [1.0, 2.0]),
        (1e-3, 2.5, 0.5, [2.0, 3.0]),
        (1e-2, 3.5, 0.5, [3.0, 4.0]),
    ]
    canvas = MplFigure()
    drawn.drawing.paint(canvas)
    [ax] = canvas.axes
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "optimizer.lr")
    assert ax.get_legend_handles_labels()[1] == ["loss=hinge", "loss=wgan"]


def test_the_metric_is_drawn_by_default_and_gan_evals_number_comes_first(rates):
    assert asked(rates, "optimizer.lr")[0].numbers == ["w1"]
    assert asked(rates, "optimizer.lr", ["x/y", "w1"])[0].numbers == ["x/y", "w1"]
    assert asked(rates) == []


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (None, ["w1"], r"^y=\[w1\] needs the key over which it is drawn: x=KEY\.$"),
        ("loss", [], r"^x=loss takes no numbers here\.\nKeys with numbers: optimizer\.lr\. Costs: images, epochs, "),
        ("images", [], r"^x=images: these runs have not logged cost/images\.$"),
        ("train.steps", [], r"^x=train\.steps is not swept here\."),
        ("optimizer.lr", ["kid"], r"^y=kid: no run has this number\.\nThere is w1, metric/w1, x/y$"),
    ],
)
def test_what_cannot_be_drawn_is_said(rates, x, y, said):
    with pytest.raises(UserError, match=said):
        asked(rates, x, y)


def test_curves_over_a_cost_are_drawn_at_the_cost_of_their_steps(run):
    for name, batch in (("wgan", 64), ("wgan_gp", 320)):
        for seed in (1, 2):
            curves = {
                "metric/w1": {0: 9.0, 10: 4.0 + seed, 15: 3.0, 20: 2.0},
                "cost/images": {10: 10 * batch, 20: 20 * batch},
                "time/training_seconds": {10: 1.5 + 0.25 * seed, 20: 3.5 + 0.75 * seed},
            }
            folder = run(f"s/{name}-{seed}", curves, seed, overrides=[f"loss={name}"]).parent
    runs = run_records(folder)
    [figure] = asked(runs, "images")
    [drawn] = figure.draw(runs)
    assert drawn.title == "metric/w1 over images"
    means = [(row["images"], row["smoothed"]) for row in drawn.data if (row["method"], row["seed"]) == ("loss=wgan_gp", "mean")]
    assert means == [(0, 9.0), (3200, 5.5), (4800, 3.0), (6400, 2.0)], "between logged costs they grow linearly"
    canvas = MplFigure()
    drawn.drawing.paint(canvas)
    assert canvas.axes[-1].get_xlabel() == "images"
    [figure] = asked(runs, "seconds", ["w1"])
    [drawn] = figure.draw(runs)
    assert {row["seed"] for row in drawn.data} == {1, 2}, "seeds that took different times have no mean"
    assert [row["seconds"] for row in drawn.data[:4]] == [0, 1.75, 3.0, 4.25]


def test_an_axis_is_logarithmic_over_decades():
    assert spans_decades([1e-4, 1e-2])
    assert not spans_decades([1, 5, 10])
    assert not spans_decades([0, 1000])


def test_several_seeds_are_a_mean_with_a_band(run):
    curves = {1: [1.0, 2.0, 3.0], 2: [3.0, 4.0, 5.0]}
    for seed, values in curves.items():
        folder = run(f"s/{seed}", {"metric/w1": values}, seed, overrides=["loss=wgan"]).parent
    runs = run_records(folder)
    [drawn] = Curves(tags=["metric/w1"]).draw(runs)
    assert "a band of ± one standard error" in drawn.caption
    means = [(row["step"], row["smoothed"], row["error"]) for row in drawn.data if row["seed"] == "mean"]
    assert means == [(0, 2.0, 1.0), (1, 3.0, 1.0), (2, 4.0, 1.0)]
    ax = MplFigure().subplots()
    Curves(tags=["metric/w1"]).panel(ax, ["metric/w1"], runs)
    assert len(ax.collections) == 1
    assert [line.get_ydata().tolist() for line in ax.lines] == [*curves.values(), [2.0, 3.0, 4.0]]
    [single] = Curves(tags=["metric/w1"]).draw(runs[:1])
    assert "band" not in single.caption


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [pytest.param(".pdf", marks=pytest.mark.long), ".svg"])
def test_a_figure_is_drawn_for_paper(rates, suffix):
    [drawn] = asked(rates, "optimizer.lr")[0].draw(rates)
    content = drawn.drawing.file(suffix)
    assert content.startswith(b"%PDF" if suffix == ".pdf" else b"<?xml")
    assert content == drawn.drawing.file(suffix)
