"""Files of a run: curves, pictures, numbers, config, result and checkpoints."""

import json
import math
import re

import pytest
import torch
import yaml
from omegaconf import OmegaConf
from PIL import Image
from support import configs, rasters
from support.runs import result, state, train
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_cli.config.identity import config_hash, to_plain
from gan_cli.runs import checkpoint, logger

pytestmark = pytest.mark.slow

STEPS = "train.steps=20 log_every=5 eval_every=10 sample_every=10 checkpoint_every=10"
PLAYERS = ("discriminator", "generator")


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    """A finished WGAN-GP on the ring, with figures as the program draws them: (config, folder)."""
    cfg = configs.config("dataset=ring loss=wgan_gp", f"{STEPS} metric.n_samples=16 train.n_critic=2")
    folder = tmp_path_factory.mktemp("runs") / "a folder, Ümläut = 1"
    with pytest.MonkeyPatch.context() as monkeypatch:
        rasters.draw(monkeypatch)
        assert train(cfg, folder) == result(folder)["objective"]
    return cfg, folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A finished GAN on images: (config, folder)."""
    cfg = configs.config("features=identity", STEPS)
    folder = tmp_path_factory.mktemp("runs") / "images"
    train(cfg, folder)
    return cfg, folder


def events(folder) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    accumulator.Reload()
    return accumulator


@pytest.mark.parametrize(
    ("run", "estimate", "metric", "more"),
    [
        ("points", "wasserstein", ["w1"], {"penalty_gradient_penalty/discriminator", "logit/real", "logit/fake"}),
        ("images", "js", ["fd", "kid"], {"D/real", "D/fake", "accuracy/real", "accuracy/fake"}),
    ],
)
def test_the_curves_have_the_names_that_others_rely_on(run, estimate, metric, more, request):
    _, folder = request.getfixturevalue(run)
    found = events(folder)
    logged = {f"{what}/{player}" for what in ("loss", "grad_norm", "adversarial") for player in PLAYERS}
    logged |= {f"estimate/{estimate}", f"heldout/{estimate}", "time/samples_per_second", "time/seconds"} | more
    logged |= {
        "time/waiting_share",
        "cost/images",
        "cost/epochs",
        "cost/flops",
        "time/training_seconds",
        "time/processor_seconds",
    }
    evaluated = {"time/evaluation_share", "time/evaluation_seconds", *(f"metric/{name}" for name in metric)}
    assert set(found.Tags()["scalars"]) == logged | evaluated
    for tag in logged:
        assert [event.step for event in found.Scalars(tag)] == [5, 10, 15, 20], tag
    for tag in evaluated:
        assert [event.step for event in found.Scalars(tag)] == [0, 10, 20], tag
    assert found.Tags()["images"] == ["samples"]
    assert [event.step for event in found.Images("samples")] == [0, 10, 20]


@pytest.mark.parametrize("run", ["points", "images"])
def test_the_numbers_are_the_same_everywhere(run, request):
    _, folder = request.getfixturevalue(run)
    found = events(folder)
    rows = logger.read(folder)
    told = {(row["step"], tag): value for row in rows for tag, value in row.items() if tag != "step"}
    drawn = {(event.step, tag): event.value for tag in found.Tags()["scalars"] for event in found.Scalars(tag)}
    assert told.keys() == drawn.keys()
    for key, value in told.items():
        assert drawn[key] == pytest.approx(value, rel=1e-6), key
    assert sum(len(row) - 1 for row in rows) == len(told), "each number once"


def test_the_estimate_has_no_penalty_in_it(points, images):
    for row in (row for row in logger.read(points[1]) if "loss/discriminator" in row):
        penalty = row["penalty_gradient_penalty/discriminator"]
        assert penalty > 0.1
        assert row["loss/discriminator"] == pytest.approx(penalty - row["estimate/wasserstein"], rel=1e-5)
        assert row["time/samples_per_second"] > 0
    for row in (row for row in logger.read(images[1]) if "loss/discriminator" in row):
        assert row["estimate/js"] == pytest.approx(math.log(2) - row["loss/discriminator"] / 2, abs=1e-6)
    for run, name in ((points, "wasserstein"), (images, "js")):
        heldout = [row[f"heldout/{name}"] for row in logger.read(run[1]) if f"heldout/{name}" in row]
        assert len(heldout) == 4
        assert heldout != [row[f"estimate/{name}"] for row in logger.read(run[1]) if f"estimate/{name}" in row]


@pytest.mark.parametrize(("run", "metric"), [("points", "metric/w1"), ("images", "metric/fd")])
def test_hparams_with_the_final_metric(run, metric, request):
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    _, folder = request.getfixturevalue(run)
    content = events(folder).PluginTagToContent("hparams")
    start = HParamsPluginData.FromString(content["_hparams_/session_start_info"]).session_start_info.hparams
    assert start["train.steps"].number_value == 20
    assert not [name for name in start if "_target_" in name or name.startswith(("report", "eval_every"))]
    experiment = HParamsPluginData.FromString(content["_hparams_/experiment"]).experiment
    assert [info.name.tag for info in experiment.metric_infos] == [metric]


@pytest.mark.parametrize(("run", "size"), [("points", (600, 600)), ("images", (8 * 80 + 16, 8 * 80 + 16))])
def test_pictures_open(run, size, request):
    _, folder = request.getfixturevalue(run)
    files = sorted((folder / "samples").iterdir())
    assert [file.name for file in files] == [f"step_{step:08d}.png" for step in (0, 10, 20)]
    for file in files:
        with Image.open(file) as picture:
            picture.load()
            assert (picture.size, picture.mode, picture.format) == (size, "RGB", "PNG")
    assert len({file.read_bytes() for file in files}) == 3, "the players moved"


@pytest.mark.parametrize(("run", "metric"), [("points", "w1"), ("images", "fd")])
def test_config_and_result(run, metric, request):
    cfg, folder = request.getfixturevalue(run)
    assert yaml.safe_load((folder / "config.yaml").read_text()) == to_plain(cfg)
    curve = {row["step"]: row[f"metric/{metric}"] for row in logger.read(folder) if f"metric/{metric}" in row}
    found = result(folder)
    assert found["seconds"] >= found["seconds_evaluating"] >= 0
    metric_found = found.pop("metric")
    assert (metric_found["name"], metric_found["initial"], metric_found["final"]) == (metric, curve[0], curve[20])
    assert metric_found["floor"] > 0
    n = cfg.metric.n_samples
    origin = {"n_real": n, "n_fake": n, "floor_n": n, "split": "train", "ema": True, "seed": cfg.seed}
    assert {key: metric_found[key] for key in origin} == origin
    assert metric_found["features"] == {"extractor": "identity"}
    assert {key: value for key, value in found.items() if not key.startswith("seconds")} == {
        "status": "finished",
        "config": config_hash(cfg),
        "step": 20,
        "objective": curve[20],
        "budget": "train.steps=20",
        "costs": found["costs"],
        "players": found["players"],
    }
    logged = next(row for row in reversed(logger.read(folder)) if "cost/images" in row)
    assert {name: logged[name] for name in found["costs"] if name.startswith("cost/")}.items() <= found["costs"].items()
    assert found["costs"]["time/training_seconds"] >= logged["time/training_seconds"] > 0
    assert len(found["players"]) == 64


def test_nothing_else(points):
    _, folder = points
    names = sorted(path.name for path in folder.iterdir())
    events_file = [name for name in names if name.startswith("events.out.tfevents.")]
    assert len(events_file) == 1
    texts = {"config.yaml", "data.json", "environment.json", "metric.json", "metrics.jsonl", "result.json"}
    rest = {*texts, "samples", "checkpoints"}
    assert set(names) - set(events_file) == rest


def plain(content) -> bool:
    """Return True if ``content`` holds nothing that a YAML or JSON file could not hold."""
    if isinstance(content, dict):
        return all(isinstance(key, str) and plain(value) for key, value in content.items())
    if isinstance(content, list):
        return all(map(plain, content))
    return content is None or type(content) in (bool, int, float, str)


@pytest.mark.parametrize("run", ["points", "images"])
def test_checkpoints_hold_tensors_and_plain_data(run, request):
    cfg, folder = request.getfixturevalue(run)
    assert checkpoint.steps_in(folder) == [10, 20]
    for step in (10, 20):
        content = torch.load(checkpoint.path_of(folder, step), weights_only=True)
        assert content["step"] == step
        assert plain(content["config"])
        assert content["config"] == to_plain(cfg)
        form = {"shape": [2], "classes": 8} if run == "points" else {"shape": [1, 8, 8], "classes": 10}
        names = content["data"].pop("class_names")
        assert len(names) == (0 if run == "points" else 10)
        assert sum(content["data"].pop("class_counts")) == 16
        signature = content["data"].pop("signature")
        assert signature.dtype == torch.float32
        assert signature.isfinite().all()
        assert content["data"] == form | {"source": None, "series": None}
        assert set(content) == {
            "format",
            "step",
            "config",
            "data",
            "game",
            "objective",
            "parts",
            "ema",
            "solver",
            "batches",
            "random",
            "clock",
            "costs",
            "early_stopping",
            "last",
        }
        json.dumps(content["config"])
    assert OmegaConf.create(content["config"]).train.steps == 20


def test_the_fingerprint_is_that_of_the_last_checkpoint(images):
    cfg, folder = images
    players = configs.build(cfg, torch.device("cpu")).game
    players.load_state_dict(state(folder)["game"])
    assert checkpoint.fingerprint(players) == result(folder)["players"]
    players.load_state_dict(state(folder, 10)["game"])
    assert checkpoint.fingerprint(players) != result(folder)["players"]


def test_only_the_newest_checkpoints_are_kept(tmp_path):
    """At least two, so that one damaged file does not end a run."""
    for keep, steps in ((1, [6, 7]), (2, [6, 7]), (3, [4, 6, 7])):
        folder = tmp_path / str(keep)
        values = f"train.steps=7 checkpoint_every=2 keep_checkpoints={keep} log_every=0"
        train(configs.config("dataset=ring metric=none"), folder, values)
        assert checkpoint.steps_in(folder) == steps


def test_what_comes_only_at_the_end_comes_at_the_end(tmp_path):
    cfg = configs.config("features=identity", "train.steps=3 log_every=0 eval_every=0 sample_every=0 checkpoint_every=0")
    train(cfg, tmp_path)
    rows = logger.read(tmp_path)
    assert [row["step"] for row in rows if "loss/generator" in row] == [3]
    assert [row["step"] for row in rows if "heldout/js" in row] == [3]
    assert [row["step"] for row in rows if "metric/fd" in row] == [0, 3]
    assert sorted(path.stem for path in (tmp_path / "samples").iterdir()) == ["step_00000000", "step_00000003"]
    assert checkpoint.steps_in(tmp_path) == [3]


def test_no_rounds_at_all_leave_the_players_as_they_began(tmp_path):
    train(configs.config("metric=none"), tmp_path, "train.steps=0")
    assert checkpoint.steps_in(tmp_path) == [0]
    assert result(tmp_path)["metric"] is None
    assert result(tmp_path)["objective"] is None


def test_the_estimate_is_shown_beside_what_the_samples_say(points):
    from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
    from tensorboard.util.tensor_util import make_ndarray

    found = events(points[1])
    layout = Layout.FromString(make_ndarray(found.Tensors("custom_scalars__config__")[0].tensor_proto).item())
    charts = {chart.title: list(chart.multiline.tag) for category in layout.category for chart in category.chart}
    shown = [tag for tag in found.Tags()["scalars"] if any(re.fullmatch(pattern, tag) for pattern in charts["Wasserstein"])]
    assert sorted(shown) == ["estimate/wasserstein", "heldout/wasserstein", "metric/w1"]


def test_the_share_of_time_that_evaluation_takes(points):
    rows = [row for row in logger.read(points[1]) if "time/evaluation_share" in row]
    assert [row["step"] for row in rows] == [0, 10, 20]
    assert all(0 < row["time/evaluation_share"] <= 1 for row in rows)
