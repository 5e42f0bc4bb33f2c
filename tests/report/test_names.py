"""Names from configs stand in figures and file names as they are, whatever characters they hold."""

import pytest
from matplotlib.figure import Figure as MplFigure
from matplotlib.text import Text

from gan_cli.evaluation.layout import wrap_name
from gan_cli.evaluation.sweeps import SweepRun, swept_keys
from gan_cli.report import page
from gan_cli.report.figures import style
from gan_cli.report.figures.curves import Curves
from gan_cli.report.figures.gallery import Gallery
from gan_cli.report.figures.sweeps import Bars, bars
from gan_cli.report.records.runs import run_records

NAMES = ["$$", "$a$ and $b", "_ours", "a|b", "<b>*x*", "two\nlines", r"\frac{"]


@pytest.fixture
def runs(run):
    for index, name in enumerate(NAMES):
        folder = run(f"s/{index}", {"loss/d": [1.0, 2.0]}, 1, overrides=[f"method={index}"], method=name, pictures=(1,)).parent
    return run_records(folder)


@pytest.fixture
def texts(monkeypatch):
    """``texts(figure, runs)`` -> the texts of a figure, each with whether matplotlib reads formulas in it."""
    found = []

    def render(size, paint):
        figure = MplFigure()
        with style.style_context():
            paint(figure)
            found.extend((text.get_text().strip(), text.get_parse_math()) for text in figure.findobj(Text))
        return b""

    monkeypatch.setattr(style, "render", render)
    return lambda figure, runs: figure.draw(runs) and found


@pytest.mark.parametrize("figure", [Curves(title="a", tags=["loss/d"]), Bars(title="a", number="loss/d")])
def test_figures_show_them(texts, runs, figure):
    found = texts(figure, runs)
    shown = {name.replace("\n", "\\n") for name in NAMES}
    assert shown <= {text for text, _ in found}
    assert not any(formula for _, formula in found)


@pytest.mark.slow
def test_figures_with_them_are_drawn(runs):
    for figure in (Curves(title="a", tags=["loss/d"]), Gallery(title="a", glob="samples/*.png")):
        assert figure.draw(runs)[0].png


def test_a_long_name_takes_several_lines():
    ax = MplFigure().subplots()
    bars(ax, {"a quite long name of a method, with words that go on": [1.0]}, "w1")
    assert max(map(len, ax.get_yticklabels()[0].get_text().splitlines())) <= 40


def test_powers_of_ten_need_no_formula():
    assert [style.power_of_ten(value) for value in (1e-12, 1.0, 1e4, 3.0, -1.0)] == ["10⁻¹²", "10⁰", "10⁴", "", ""]
    ax = MplFigure().subplots()
    ax.plot([1e-9, 1e9])
    style.log_axis(ax, "y")
    assert ax.yaxis.get_major_formatter()(1e-6) == "10⁻⁶"


def test_files_have_names_of_their_own():
    taken = {}
    for slug in ("x_2", "x", "x", "seed_1", "seed_1"):
        taken[style.unique(slug, taken, ".png")] = b""
    assert list(taken) == ["x_2.png", "x.png", "x_3.png", "seed_1.png", "seed_1_2.png"]


def test_names_are_broken_between_words_alone():
    name = "model/generator=residual_network, optimizer.lr=3e-05"
    lines = wrap_name(name, 20)
    assert "".join(line if line.endswith(("/", "_", "=", ".")) else f"{line} " for line in lines).strip() == name
    assert lines[-1] == "optimizer.lr=3e-05", "settings are kept together"
    assert page.settings("a=1, b=<2>") == '<span class="setting">a=1,</span> <span class="setting">b=&lt;2&gt;</span>'
    assert wrap_name("x" * 50, 20) == ["x" * 50]
    assert wrap_name("fd_efficientnet_lite0 ↓", 16) == ["fd_efficientnet_", "lite0 ↓"]


def test_a_run_with_the_default_option_is_named_by_it():
    config = {"seed": 0, "dataset": {"_target_": "m.ring"}, "loss": {"_target_": "m.Hinge"}}
    options = {"dataset": "ring", "loss": "hinge"}
    runs = [
        SweepRun("a", config, ["dataset=ring"], None, options),
        SweepRun("b", {**config, "loss": {"_target_": "m.Plain"}}, ["loss=plain"], None, {**options, "loss": "plain"}),
    ]
    assert swept_keys(runs) == ["loss"]
    assert [run.setting("loss") for run in runs] == ["hinge", "plain"]
