"""Comparison with published numbers, the claim about their ranking, and the output of sequence evaluations."""

import numpy as np
import pytest
from PIL import Image

from gan_cli.errors import UserError
from gan_cli.evaluation import results
from gan_cli.evaluation.results import Number, Provenance, Result
from gan_cli.report.figures import standard, tables
from gan_cli.report.figures.gallery import Gallery
from gan_cli.report.figures.published import PublishedComparison, PublishedRanking
from gan_cli.report.records.runs import run_records

pytestmark = pytest.mark.slow

SYSTEMS = {"TimeGAN": {"game": "timegan"}, "RCGAN": {"game": "rcgan"}, "C-RNN-GAN": {"game": "c_rnn_gan"}}
DATA_SETS = {"AR(1)": {"dataset": "ar1"}, "stocks": {"dataset": "stocks"}}
PUBLISHED = {"TimeGAN": 0.105, "RCGAN": 0.133, "C-RNN-GAN": 0.220}
REMARK = "discriminative_score has not converged."


@pytest.fixture
def table(run, tmp_path):
    """Runs of ``scores``: of each game its score by seed, on AR(1)."""

    def write(**scores):
        for game, values in scores.items():
            for seed, value in enumerate(values):
                name = f"s/{game}{seed}"
                folder = run(name, {"loss/d": [1.0]}, seed, overrides=[f"game={game}", "dataset=ar1"])
                origin = Provenance("discriminative_score", {}, {}, 10, 10, "train", True, "abc", seed, protocol="all of it")
                found = {
                    "discriminative_score": Number(value, 0.01, False, 0.02),
                    "predictive_score": Number(0.07, 0.001, False, 0.069),
                }
                details = {"discriminative_score": {"remarks": [REMARK]}} if game == "timegan" and seed == 1 else {}
                results.write(folder, [Result(str(folder), 100, ("last",), origin, found, details)])
        return run_records(tmp_path / "s")

    return write


def figure(**given):
    asked = {"discriminative": "discriminative_score", "predictive": "predictive_score"}
    published = {"discriminative": {"AR(1)": PUBLISHED}}
    levels = {"predictive": {"AR(1)": {"median": 0.1}}}
    known = {"numbers": asked, "systems": SYSTEMS, "data_sets": DATA_SETS, "published": published, "levels": levels}
    return PublishedComparison(title="table", **{**known, **given})


def test_a_table_beside_published_numbers(table, painted):
    runs = table(timegan=[0.1, 0.2, 0.15], rcgan=[0.3])
    (drawn,) = figure().draw(runs)
    assert drawn.png.startswith(b"\x89PNG")
    fake = figure()
    assert fake._values(runs, "discriminative_score", {"game": "timegan", "dataset": "ar1"}) == [0.1, 0.2, 0.15]
    assert fake._floor(runs, "discriminative_score", {"dataset": "ar1"}) == (pytest.approx(0.02), "real against real")
    assert fake._floor(runs, "discriminative_score", {"dataset": "stocks"}) is None
    lines = figure(references={"predictive": {"twice": "discriminative_score", "none": "none_such"}})
    assert lines.draw(runs)[0].png != drawn.png
    assert lines._references(runs, "predictive", {"dataset": "ar1", "game": "timegan"}) == {"twice": pytest.approx(0.15)}
    with pytest.raises(UserError, match="nothing to draw: no run of these systems has none_such"):
        figure(numbers={"x": "none_such"}).draw(runs)


def ranks(**given):
    known = {"says": "They rank so.", "number": "discriminative_score", "systems": SYSTEMS, "published": PUBLISHED}
    return PublishedRanking(**{**known, **given})


@pytest.mark.parametrize(
    ("scores", "state", "says"),
    [
        ([[0.1, 0.11, 0.12], [0.2, 0.21, 0.22], [0.4, 0.41, 0.42]], "held", "TimeGAN before RCGAN: -0.1000, confirmed"),
        ([[0.1, 0.11, 0.12], [0.4, 0.41, 0.42], [0.2, 0.21, 0.22]], "not held", "RCGAN before C-RNN-GAN: +0.2000, reversed"),
        (
            [[0.1, 0.11, 0.12], [0.1, 0.12, 0.11], [0.4, 0.41, 0.42]],
            "undecided",
            "0.0, no significant difference",
        ),
        ([[0.1, 0.11], [0.2, 0.21], [0.4, 0.41]], "undecided", "too few seeds"),
        ([[0.1, 0.11, 0.12], [0.2, 0.21, 0.22], []], "undecided", "no seed"),
    ],
)
def test_ranks_are_judged_pair_by_pair(table, scores, state, says):
    runs = table(**dict(zip(("timegan", "rcgan", "c_rnn_gan"), scores, strict=True)))
    assessment = ranks().assess(runs)
    assert assessment.verdict.state == state
    if state != "undecided" or "seed" in says:
        assert says in assessment.verdict.reason
    assert "TimeGAN (0.105), RCGAN (0.133), C-RNN-GAN (0.22)" in assessment.rule
    assert "(Bonferroni over all pairs of methods, 99 % each)" in assessment.rule


def test_equal_published_numbers_are_not_compared(table):
    runs = table(timegan=[0.1, 0.11, 0.12], rcgan=[0.4, 0.41, 0.42], c_rnn_gan=[0.2, 0.21, 0.22])
    assessment = ranks(published={"TimeGAN": 0.1, "RCGAN": 0.2, "C-RNN-GAN": 0.2}).assess(runs)
    assert assessment.verdict.state == "held"
    assert assessment.verdict.reason.count("before") == 2


def test_an_unfinished_run_leaves_it_open(table, run, tmp_path):
    table(timegan=[0.1, 0.11, 0.12])
    run("s/late", {"loss/d": [1.0]}, status=None, overrides=["game=rcgan"])
    assert ranks().assess(run_records(tmp_path / "s")).verdict.reason.startswith("not finished")


def test_systems_without_published_numbers_are_refused():
    with pytest.raises(UserError, match="must have the same names, at least two"):
        ranks(published={"TimeGAN": 0.1})


def test_what_metrics_remark_stands_under_the_tables(table, tmp_path):
    runs = table(timegan=[0.1, 0.2, 0.15], rcgan=[0.3, 0.3, 0.3])
    (found,) = tables.tables(runs)
    assert f"game=timegan, seed 1: {REMARK}" in found.notes
    assert "protocol: all of it" in found.notes
    (alone,) = tables.tables(run_records(tmp_path / "s" / "timegan1"))
    assert alone.notes[0] == REMARK


def test_pictures_of_sequences_side_by_side(run, tmp_path):
    for name, seed in (("a0", 0), ("a1", 1), ("b0", 0)):
        folder = run(f"s/{name}", {"loss/d": [1.0]}, seed, overrides=[f"loss={name[0]}"])
        (folder / "eval").mkdir()
        for step in (1, 2):
            Image.fromarray(np.full((20, 30, 3), 9, np.uint8)).save(folder / "eval" / f"pca_step_{step:08d}.png")
    runs = run_records(tmp_path / "s")
    (chosen,) = [figure for figure in standard.standard_figures(runs, None) if isinstance(figure, Gallery)]
    assert (chosen.title, chosen.glob) == ("Principal components", "eval/pca_step_*.png")
    (drawn,) = chosen.draw(runs)
    assert drawn.png.startswith(b"\x89PNG")
    with pytest.raises(UserError, match="no run has a picture"):
        Gallery(glob="eval/none_*.png").draw(runs)
