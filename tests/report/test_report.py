"""Reports of runs on disk: complete, self-contained, and clear about missing parts."""

import io
import json
import re
import shutil

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image
from support import configs, runs

from gan_cli.config.compose import compose, loader
from gan_cli.errors import UserError
from gan_cli.report import command
from gan_cli.report.figures import progression, standard, tables
from gan_cli.report.figures.curves import Curves, XYPlot
from gan_cli.report.figures.gallery import Gallery
from gan_cli.report.figures.progression import Pictures, Progression
from gan_cli.report.figures.sweeps import Bars, SweepCurves
from gan_cli.report.figures.traversals import Traversals
from gan_cli.report.index import write_index
from gan_cli.report.records import reproduce
from gan_cli.report.records.runs import run_records
from gan_cli.runs import environment

pytestmark = pytest.mark.slow

CURVES = {
    "estimate/wasserstein": [0.1 * step for step in range(60)],
    "heldout/wasserstein": [0.1 * step for step in range(60)],
    "metric/w1": {step: 2.0 - step / 60 for step in range(0, 60, 5)},
    "loss/discriminator": list(range(60)),
    "grad_norm/generator": [10.0**-step for step in range(60)],
    "time/samples_per_second": [1000.0] * 60,
    "x/y": [1.0, None, 3.0],
}
REPORT = {
    "title": "Fish & <chips>",
    "source": "a paper",
    "differences": "everything",
    "figures": [{"_target_": "gan_cli.report.figures.curves.Curves", "title": "own", "tags": ["x/y"]}],
    "claims": [
        {"_target_": "gan_cli.report.claims.runs.Reaches", "says": "It <ends> low.", "tag": "metric/w1", "below": 1.5},
        {"_target_": "gan_cli.report.claims.runs.Reaches", "says": "It ends high.", "tag": "metric/w1", "above": 5.0},
        {"_target_": "gan_cli.report.claims.runs.Reaches", "says": "Who knows.", "tag": "metric/fd", "below": 1.0},
    ],
}


def settings(folder, **changed):
    defaults = {"median": None, "stages": 3, "methods": 12, "quiz": 8, "seed": 0}
    defaults |= {"x": None, "y": [], "root": None, "debug": False}
    return OmegaConf.create({"run": str(folder), **defaults, **changed})


def words(html):
    """Return the text of the page, without pictures, scripts and styles."""
    return re.sub(r"\s+", " ", re.sub(r"(?s)<script.*?</script>|<style.*?</style>|<[^>]*>", " ", html))


def test_a_run_becomes_one_page_that_needs_nothing_else(run, painted):
    folder = run("r", CURVES, report=REPORT, overrides=["loss=hinge"], pictures=(0, 20, 40))
    path = command.report_command(settings(folder))
    html = path.read_text()
    assert path == folder / "report.html"
    assert not re.search(r"(src|href)=\"(?!data:)", html)
    assert "http" not in re.sub(r"<meta http-equiv", "", html)
    text = words(html)
    assert "Fish &amp; &lt;chips&gt;" in text
    assert "It &lt;ends&gt; low." in text
    assert re.search(r"1 held.*1 not held.*1 undecided", text)
    assert "No command line composes the config of these runs here" in text
    parts = ("a paper", "Differences from the source: everything", "Estimated and exact distance", "1 of 1 finished")
    assert all(part in text for part in parts)
    assert "On held-out data a lower bound, in expectation, of the Wasserstein distance times the critic" in text
    assert "A value below 0 says nothing" in text
    names = {file.name for file in (folder / "report").iterdir()}
    assert {"own.png", "losses.png", "gradient_norms.png", "the_metric.png", "summary.json", "samples_seed_0.gif"} <= names
    with Image.open(folder / "report" / "samples_seed_0.gif") as film:
        assert film.n_frames == 3
    assert not list(folder.glob(".*"))[1:]  # Hydra's alone


def test_another_report_than_the_runs_declare(run):
    few = {tag: CURVES[tag] for tag in ("metric/w1", "x/y")}
    folder = run("sweep/a", few, 1, report=REPORT).parent
    run("sweep/b", few, 2, report=REPORT)
    claim = {"_target_": "gan_cli.report.claims.runs.Reaches", "says": "New claim.", "tag": "metric/w1", "below": 1.5}
    figure = {"_target_": "gan_cli.report.figures.curves.Curves", "title": "new figure", "tags": ["metric/w1"]}
    changes = {"title": "Other", "source": None, "claims": [claim], "figures": [figure]}
    for target in (folder, folder / "a"):
        text = words(command.report_command(settings(target), changes).read_text())
        assert all(part in text for part in ("Other", "New claim.", "Differences from the source: everything"))
        assert not any(part in text for part in ("Fish", "a paper", "It ends high.", "declares another report"))
        assert (target / "report" / "new_figure.png").is_file()
    assert "Fish" in words(command.report_command(settings(folder / "a")).read_text())
    text = words(command.report_command(settings(folder), {"claims.0.says": "Put otherwise."}).read_text())
    assert "Put otherwise." in text
    assert "It ends high." in text


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("titel", "report.titel: a report has no such key"),
        ("claims.9.says", "report.claims.9.says: the report that is declared has"),
    ],
)
def test_keys_that_a_report_does_not_have(run, key, said):
    with pytest.raises(UserError, match=re.escape(said)):
        command.report_command(settings(run("r", CURVES, report=REPORT)), {key: "x"})


def test_a_sweep_is_compared_over_seeds(run):
    report_node = {
        "claims": [
            {
                "_target_": "gan_cli.report.claims.comparisons.Ordering",
                "says": "A critic is better.",
                "number": "w1",
                "better": {"loss": "wgan"},
                "worse": {"loss": "hinge"},
            }
        ]
    }
    for loss, base in (("wgan", 1.0), ("hinge", 3.0)):
        for seed in (1, 2, 3):
            folder = run(
                f"sweep/{loss}{seed}", CURVES, seed, overrides=[f"loss={loss}"], report=report_node, w1=base + seed / 10
            )
    text = words(command.report_command(settings(folder.parent)).read_text())
    assert "1 held" in text
    assert text.index("Numbers") < text.index("Training"), "numbers come first"
    assert re.search(r"loss=wgan 3 of 3 1.200 ± 0.058", text)
    assert "Estimated and exact distance: loss=hinge" in text
    assert (folder.parent / "report" / "numbers_0.png").is_file()


def test_runs_that_failed_or_never_began_are_named(run):
    run("sweep/a", CURVES, 1, overrides=["loss=a"])
    run("sweep/b", {}, 2, overrides=["loss=b"], status="failed")
    (run("sweep/c", {}, 3, overrides=["loss=c"]) / "config.yaml").unlink()
    folder = run("sweep/d", CURVES, 1, overrides=["loss=d"], status=None).parent
    text = words(command.report_command(settings(folder)).read_text())
    assert "loss=b, seed 2: failed: no room" in text
    assert "c: its config.yaml cannot be read" in text
    assert "loss=d, seed 1: unfinished" in text
    assert "1 of 4 finished" in text


def test_runs_that_declare_different_reports_are_named(run):
    run("sweep/a", CURVES, 1, report=REPORT)
    folder = run("sweep/b", CURVES, 2, report={**REPORT, "claims": []})
    text = words(command.report_command(settings(folder.parent)).read_text())
    assert "seed 2: the config declares another report than seed 1; the claims of seed 1 are assessed" in text


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"titel": "x"}, "report.titel: a report has no such key"),
        ({"claims": [{"_target_": "os.system", "command": "x"}]}, "report.claims.0._target_=os.system is no component"),
        ({"figures": [{"_target_": "gan_cli.report.claims.runs.Reaches"}]}, "is not a Figure"),
        ({"claims": [{"_target_": "gan_cli.report.claims.runs.Reaches", "say": "x"}]}, "report.claims.0.say"),
        ({"claims": [{"_target_": "gan_cli.report.claims.runs.Reaches", "says": "x", "tag": "a"}]}, "needs above or below"),
        ({"claims": {"_target_": "gan_cli.report.claims.runs.Reaches"}}, "report.claims must be a list"),
    ],
)
def test_a_declaration_that_is_not_understood_leaves_nothing_behind(run, node, said):
    folder = run("r", CURVES, report=node)
    before = sorted(folder.rglob("*"))
    with pytest.raises(UserError, match=re.escape(said)):
        command.report_command(settings(folder))
    assert sorted(folder.rglob("*")) == before


def test_a_figure_without_numbers_is_named_and_stops_nothing(run):
    node = {"figures": [{"_target_": "gan_cli.report.figures.curves.Curves", "title": "lost", "tags": ["no/such"]}]}
    text = words(command.report_command(settings(run("r", CURVES, report=node))).read_text())
    assert "lost: nothing to draw: no run has logged no/such." in text


def test_nothing_logged_and_no_run_are_one_line_errors(run, tmp_path):
    with pytest.raises(UserError, match="nothing is logged yet"):
        command.report_command(settings(run("empty", {})))
    with pytest.raises(UserError, match="no runs in"):
        command.report_command(settings(tmp_path / "nowhere"))


def test_a_report_that_cannot_be_written_leaves_the_old_one(run, monkeypatch):
    folder = run("r", CURVES)
    old = command.report_command(settings(folder)).read_bytes()
    kept = sorted(folder.rglob("*"))

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command.files, "write_json", full)
    with pytest.raises(OSError, match="No space"):
        command.report_command(settings(folder, median=3))
    assert (folder / "report.html").read_bytes() == old
    assert sorted(folder.rglob("*")) == kept


def test_an_even_median_is_refused(run):
    with pytest.raises(UserError, match="odd"):
        command.report_command(settings(run("r", CURVES), median=4))


def test_a_folder_of_experiments_gets_a_page_for_each_and_an_index(run, tmp_path, capsys):
    run("many/toy", CURVES, report=REPORT)
    run("many/empty", {}, report={"title": "later"})
    run("many/sweep/a", CURVES, 1)
    run("many/sweep/b", CURVES, 2)
    path = command.report_command(settings(tmp_path / "many"))
    html = path.read_text()
    assert path.name == "index.html"
    assert set(re.findall(r'<h3><a href="([^"]*)"', html)) == {"./toy/report.html", "./sweep/report.html"}
    assert "empty no report yet" in words(html)
    assert re.search(r"1 held.*1 not held.*1 undecided", words(html))
    assert "nothing is logged yet" in capsys.readouterr().out


def test_an_index_of_nothing_is_refused(tmp_path):
    with pytest.raises(UserError, match="no report in"):
        write_index([tmp_path], tmp_path / "index.html")
    assert not list(tmp_path.iterdir())


def test_runs_that_differ_in_their_titles_are_experiments_and_those_that_do_not_are_a_sweep(run, tmp_path):
    run("a/one", CURVES, 1, report=REPORT)
    run("a/two", CURVES, 2, report=REPORT)
    assert command.experiment_folders(tmp_path / "a") == []
    run("a/three", CURVES, 3, report={"title": "another"})
    assert [path.name for path in command.experiment_folders(tmp_path / "a")] == ["one", "three", "two"]


def test_the_quiz_holds_as_many_real_as_generated_images(tiny_images, tmp_path):
    from gan_cli.report.figures import quiz

    folder = shutil.copytree(tiny_images, tmp_path / "run")
    record = run_records(folder)[0]
    cards = quiz.cards(record, 10, 0)
    assert [card.real for card in cards].count(True) == 5
    assert cards == quiz.cards(record, 10, 0)
    assert [card.real for card in cards] != [card.real for card in quiz.cards(record, 10, 1)]
    with Image.open(io.BytesIO(cards[0].png)) as image:
        assert image.size == (16, 16)
    for checkpoint in (folder / "checkpoints").iterdir():
        checkpoint.unlink()
    assert quiz.cards(run_records(folder)[0], 10, 0) == []


def test_a_quiz_is_on_the_page_or_why_there_is_none(tiny_images, tmp_path):
    folder = shutil.copytree(tiny_images, tmp_path / "run")
    assert "No quiz" in words(command.report_command(settings(folder, root="/nowhere")).read_text())
    assert "Half of these 8 images are real" in words(command.report_command(settings(folder)).read_text())


@pytest.fixture(scope="module")
def tiny_images(tmp_path_factory):
    """The folder of a run on small images, whose config a command line composes."""
    cfg = compose(loader(), "train", ["model=dcgan_small", "metric=none", "dataset.size=16", "dataset.max_samples=20"])
    small = "model.generator.width=4 model.discriminator.width=4 train.steps=2 train.batch_size=4 sample_every=1 log_every=1"
    folder = tmp_path_factory.mktemp("runs") / "images"
    runs.train(cfg, folder, f"{small} eval_every=0 device=cpu")
    return folder


@pytest.mark.parametrize(
    "figure",
    [
        Curves(title="a", tags=["loss/discriminator", ["estimate/wasserstein", "metric/w1"]], levels={"floor": 1.0}),
        Curves(title="a", tags=["grad_norm/generator"], log_y=True, median=5),
        XYPlot(title="a", x="metric/w1", y=["estimate/wasserstein"], exact=["heldout/wasserstein"]),
        XYPlot(title="a", x="loss/discriminator", y=["grad_norm/generator"], log_x=True, log_y=True),
        Bars(title="a", number="metric/w1"),
        Bars(title="a", number="w1", by=["loss"]),
        SweepCurves(title="a", key="c", numbers=["metric/w1", "w1"], log_x=True),
        Progression(title="a", tag="estimate/wasserstein", steps=[0, 20]),
        Pictures(title="a", glob="samples/*.png", last=2),
        Gallery(title="a", glob="samples/*.png", cropped=True),
    ],
    ids=lambda figure: type(figure).__name__,
)
def test_figures_are_drawn(run, painted, figure):
    for seed, c in ((1, "0.1"), (2, "0.1"), (1, "1.0")):
        folder = run(f"s/{c}{seed}", CURVES, seed, overrides=["loss=wgan", f"c={c}"], pictures=(0, 20, 40), w1=1.0)
    drawn = figure.draw(run_records(folder.parent))
    assert drawn
    for one in drawn:
        with Image.open(io.BytesIO(one.png)) as image:
            assert image.format == "PNG"
            assert np.asarray(image.convert("L")).std() > 1


@pytest.mark.parametrize(
    "figure",
    [
        Curves(tags=["no/such"]),
        Curves(tags=["x/y"], where={"loss": "other"}),
        XYPlot(x="no/such", y=["x/y"]),
        Bars(number="no/such"),
        SweepCurves(key="loss", numbers=["metric/w1"]),
        Progression(tag="x/y"),
        Pictures(glob="*.bmp"),
    ],
    ids=lambda figure: type(figure).__name__,
)
def test_figures_without_numbers_say_so(run, figure):
    with pytest.raises(UserError, match="nothing to draw"):
        figure.draw(run_records(run("r", CURVES)))


def test_traversals_are_drawn_where_there_are_codes(tiny_images, tmp_path):
    with pytest.raises(UserError, match="latents have none"):
        Traversals().draw(run_records(tiny_images))
    with pytest.raises(UserError, match="nothing to draw"):
        Traversals().draw([])
    cfg = configs.config("game=infogan metric=none", "train.steps=1")
    runs.train(cfg, tmp_path / "codes")
    (drawn,) = Traversals(n=10).draw(run_records(tmp_path / "codes"))
    with Image.open(io.BytesIO(drawn.png)) as image:
        assert image.height > image.width, "a panel for each of three codes"


def test_a_progression_shows_the_inside_of_a_plots_frame(tmp_path):
    pixels = np.full((90, 100, 3), 255, np.uint8)
    pixels[[10, 70], 10:60] = 0
    pixels[10:71, [10, 60]] = 0
    pixels[10:71, [80, 90]] = 0  # a colour bar
    pixels[40, 30] = (200, 0, 0)
    pixels[11:20, 11:60] = (108, 76, 129)  # dark contours of a critic
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert progression.read_cropped(tmp_path / "a.png", (2,)).shape == (59, 49, 3)
    assert progression.read_cropped(tmp_path / "a.png", (1, 16, 16)).shape == (45, 50, 3)


def test_a_config_that_no_command_line_composes_has_none(run):
    assert reproduce.training_commands(run_records(run("alone", CURVES))) == []


def test_without_an_evaluation_the_runs_own_metric_stands_in_the_table(run):
    folder = run("r", CURVES, w1=1.5)
    assert tables.tables(run_records(folder))[0].rows == [["w1 ↓", "1.50 ± 0.10", "0.05000"]]
    assert tables.tables(run_records(run("bare", CURVES))) == []


def test_what_training_measured_is_ranked_over_seeds(run):
    def write(name, seed, method, final):
        folder = run(name, CURVES, seed, overrides=[f"method={method}"], method=method)
        metric = {"name": "w1", "initial": 3.0, "final": final, "floor": 0.5, "higher_is_better": False}
        (folder / "result.json").write_text(json.dumps({"status": "finished", "metric": metric}))
        return folder

    for seed, final in ((1, 2.0), (2, 2.2), (3, 2.4)):
        write(f"s/slow{seed}", seed, "slow", final)
    folder = write("s/fast1", 1, "fast", 1.0).parent
    [table] = tables.tables(run_records(folder))
    assert table.title == "w1 ↓"
    assert [(row[0], row[1], row[3], row[4]) for row in table.rows] == [
        ("fast", "1", "1", "0.5000"),
        ("slow", "3", "2.20 ± 0.12", "0.5000"),
    ]
    drawn = Bars(title="", number="metric/w1", ranked=True)
    assert drawn._floor(run_records(folder)) == (0.5, "real against real")
    assert Bars(title="", number="metric/other")._floor(run_records(folder)) is None
    assert drawn.draw(run_records(folder))


def test_the_report_says_what_the_runs_ran_on(run):
    folder = run("run", {"loss/generator": [1.0, 0.5]})
    assert not {"ran with", "ran on"} & set(reproduce.facts(run_records(folder))), "nothing was recorded"
    facts = {"gan_cli": "9.9", "commit": "0123456789abcdef", "clean": False, "torch": "1.0", "numpy": "1.1", "python": "3.12"}
    facts |= {"device": "cuda:0", "processor": "H200", "threads": 2, "platform": "Linux"}
    environment.record(folder, 0, facts, {})
    environment.record(folder, 5, facts | {"torch": "1.2"}, {})
    shown = reproduce.facts(run_records(folder))
    first = "gan-cli 9.9 (commit 0123456789ab, changed), torch 1.0, numpy 1.1, Python 3.12"
    assert shown["ran with"] == f"{first} or {first.replace('1.0', '1.2')}"
    assert shown["ran on"] == "cuda:0, H200, 2 CPU threads, Linux"


def test_a_curve_is_drawn_once_and_never_empty(run):
    curves = {"loss/generator": [1.0, 2.0], "adversarial/generator": [1.0, 2.0], "metric/w1": [None, None]}
    curves |= {"metric/fd": {9: 1.0}, "loss/discriminator": [1.0, 3.0], "time/seconds": [1.0, 2.0]}
    assert standard.distinct_curves(run_records(run("r", curves))) == ["loss/generator", "loss/discriminator"]
