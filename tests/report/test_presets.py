"""Runs that were shortened on the command line: their claims are not judged."""

import pytest
from omegaconf import OmegaConf

from gan_cli.report.claims.base import describe_shortened
from gan_cli.report.claims.comparisons import Ordering
from gan_cli.report.claims.runs import Reaches
from gan_cli.report.records.runs import run_records

pytestmark = pytest.mark.slow

CURVES = {"x": [3.0, 2.0]}


@pytest.fixture
def short(run):
    """``short("name", "words of the command line", train={...})`` -> the sizes below the experiment's."""

    def sizes(words, name="r", **config):
        [record] = run_records(run(name, CURVES, overrides=words.split(), **config))
        return list(record.shortened)

    return sizes


def test_fewer_steps_than_the_experiment_has(short):
    assert short("experiment=goodfellow_1d train.steps=600", train={"steps": 600}) == ["train.steps=600 instead of 1500"]


def test_as_many_or_more_steps_are_not_short(short):
    assert short("experiment=goodfellow_1d", "a", train={"steps": 1500}) == []
    assert short("experiment=goodfellow_1d train.steps=9000", "b", train={"steps": 9000}) == []


def test_fewer_data_and_smaller_measurements(short):
    config = {"train": {"steps": 3000}, "dataset": {"max_samples": 50}, "metric": {"n_samples": 10}}
    assert short("experiment=ddpm dataset.max_samples=50 metric.n_samples=10", **config) == [
        "metric.n_samples=10 instead of 2000",
        "dataset.max_samples=50 instead of null",
    ]


def test_what_the_experiment_sweeps_is_no_shortening(short):
    words = "experiment=vanishing_gradient schedule.phases.training.rounds=156"
    assert short(f"{words} train.steps=1656", "a", train={"steps": 1656}) == []
    assert short(f"{words} train.steps=65", "b", train={"steps": 65}) == ["train.steps=65 instead of 1656"]


def test_experiments_of_the_users_own_folder(short, tmp_path):
    (tmp_path / "options" / "experiment").mkdir(parents=True)
    (tmp_path / "options" / "experiment" / "mine.yaml").write_text("# @package _global_\ntrain: {steps: 70}\n")
    folder = tmp_path / "outputs" / "r" / ".hydra"

    def started_with(path):
        sources = [{"path": str(path), "schema": "file", "provider": "command-line"}]
        OmegaConf.save(OmegaConf.create({"hydra": {"runtime": {"config_sources": sources}}}), folder / "hydra.yaml")
        [record] = run_records(folder.parent)
        return list(record.shortened)

    assert short("experiment=mine", "outputs/r", train={"steps": 60}) == [], "unknown here"
    assert started_with(tmp_path / "options") == ["train.steps=60 instead of 70"]
    (tmp_path / "options").rename(tmp_path / "outputs" / "options")
    assert started_with(tmp_path / "outputs" / "options") == [], "options that came with the run are not read"


def test_without_an_experiment_nothing_is_short(short):
    assert short("train.steps=6", train={"steps": 6}) == []


def test_claims_are_not_judged(run, tmp_path):
    for loss in ("hinge", "wgan"):
        for seed in (1, 2, 3):
            steps = 600 if (loss, seed) == ("hinge", 1) else 1500
            words = ["experiment=goodfellow_1d", f"loss={loss}", f"train.steps={steps}"]
            run(f"s/{loss}{seed}", CURVES, seed, overrides=words, train={"steps": steps})
    runs = run_records(tmp_path / "s")
    said = "train.steps=600 instead of 1500"
    assessed = Reaches(says="", tag="x", below=1.0).assess(runs)
    assert assessed.runs["loss=hinge, steps=600, seed 1"] == ("undecided", f"too short to judge: {said}")
    assert assessed.runs["loss=wgan, steps=1500, seed 1"].state == "not held"
    compared = Ordering(says="", number="x", better={"loss": "hinge"}, worse={"loss": "wgan"}).assess(runs)
    assert compared.verdict == ("undecided", f"too short to judge: {said} (loss=hinge, steps=600, seed 1)")
    assert describe_shortened(runs[:1]) == [said]
