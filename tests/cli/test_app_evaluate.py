"""Arguments of gan-eval: a run, its metric or another one, two folders of images, and paths with any name."""

import os

import pytest
from omegaconf import OmegaConf

from gan_cli.cli import main

pytestmark = pytest.mark.slow

ODD = "out/ä =,[b] it's 漢\\"


def test_evaluate_takes_the_metric_of_the_run_or_another(call, jobs, tmp_path):
    (tmp_path / "work" / "a").mkdir()
    (tmp_path / "work" / "a" / "config.yaml").touch()
    assert call("evaluate", "a").code == 0
    assert (jobs.asked[0][1]["metric"], jobs.asked[0][1]["features"]) == (None, None)
    assert call("evaluate", "a", "metric=auto", "n_samples=5").code == 0
    assert (jobs.asked[1][1]["metric"], jobs.asked[1][1]["features"]) == ({"_target_": "m.Auto"}, None)
    assert jobs.asked[1][1]["n_samples"] == 5


@pytest.fixture
def bundled(conf):
    """The default metric and features of two folders of images, and other options beside them."""
    (conf / "features" / "efficientnet_lite0.yaml").write_text("_target_: m.Bundled\nresolution: 96\n")
    (conf / "metric" / "auto.yaml").write_text("_target_: m.Auto\ndownload: false\n")
    (conf / "metric" / "kid.yaml").write_text("_target_: m.KID\nsubsets: 100\n")


def test_two_folders_of_images_bring_a_metric_along(call, jobs, bundled):
    for words in ([], ["metric=kid"], ["features=net"], ["metric=kid", "metric.subsets=7", "features=net"]):
        assert call("evaluate", "real=a", "fake=b/c", *words).code == 0
    auto, kid = {"_target_": "m.Auto", "download": False}, {"_target_": "m.KID", "subsets": 100}
    both, net = {"_target_": "m.Bundled", "resolution": 96}, {"_target_": "m.Net"}
    found = [(cfg["metric"], cfg["features"]) for _, cfg in jobs.asked]
    assert found == [(auto, both), (kid, both), (auto, net), (kid | {"subsets": 7}, net)]
    assert {(cfg["run"], cfg["real"], cfg["fake"]) for _, cfg in jobs.asked} == {(None, "a", "b/c")}


@pytest.mark.parametrize("word", ["metric.download=true", "features.resolution=128"])
def test_keys_of_the_metric_that_two_folders_bring_along(call, jobs, bundled, word):
    answer = call("evaluate", "real=a", "fake=b", word)
    assert (answer.code, answer.err) == (0, "")
    key, value = word.split("=")
    assert str(OmegaConf.select(OmegaConf.create(jobs.asked[0][1]), key)).lower() == value


@pytest.mark.parametrize("words", [["real={}", "fake=b"], ["real=a", "fake={}"], ["a", "root={}"]])
def test_every_path_of_evaluate_may_be_called_anything(call, jobs, tmp_path, bundled, words):
    (tmp_path / "work" / "a").mkdir()
    (tmp_path / "work" / "a" / "config.yaml").touch()
    assert call("evaluate", *(word.format(ODD) for word in words)).code == 0
    assert ODD in jobs.asked[0][1].values()


@pytest.mark.parametrize("name", ["run", "real", "out"])
def test_a_run_may_be_called_like_a_key(call, jobs, tmp_path, name):
    (tmp_path / "work" / name).mkdir()
    (tmp_path / "work" / name / "config.yaml").touch()
    assert call("evaluate", name).code == 0
    assert jobs.asked[0][1]["run"] == name


def test_runs_are_named_by_parts_checkpoints_and_side_by_side(call, jobs, tmp_path):
    for name in ("ring_hinge", "ring_wgan,[x]"):
        (tmp_path / "work" / "outputs" / name / "checkpoints").mkdir(parents=True)
        (tmp_path / "work" / "outputs" / name / "config.yaml").touch()
    (tmp_path / "work" / "outputs" / "ring_hinge" / "checkpoints" / "step_00000004.pt").touch()
    hinge, wgan = "outputs/ring_hinge", "outputs/ring_wgan,[x]"
    for words in (["hinge", "wgan"], [f"{hinge}/checkpoints/step_00000004.pt"], ["run=hinge", "ema=false"]):
        assert call("evaluate", *words).code == 0
    assert call("sample", "hinge", "n=1").code == 0
    assert [(cfg["run"], list(cfg.get("others", ())), cfg["checkpoint"]) for _, cfg in jobs.asked] == [
        (hinge, [wgan], None),
        (hinge, [], "4"),
        (hinge, [], None),
        (hinge, [], "last"),
    ]


def test_train_resumes_and_begins_with_runs_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("ring_a", "ring_b"):
        (tmp_path / "outputs" / name).mkdir(parents=True)
        (tmp_path / "outputs" / name / "config.yaml").touch()
    os.utime("outputs/ring_a/config.yaml", (1, 1))
    assert main.train_overrides(["resume=latest"]) == ["resume='outputs/ring_b'"]
    assert main.train_overrides(["init_from=g_a", "init_players=null"])[0] == "init_from='outputs/ring_a'"
    assert main.train_overrides(["init_from=g_a,ring_b"], multirun=True) == ["init_from='outputs/ring_a','outputs/ring_b'"]
    assert main.train_overrides(["init_from='g_a'"]) == ["init_from='g_a'"]
