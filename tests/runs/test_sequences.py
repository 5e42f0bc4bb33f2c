"""Runs on sequences: resumed to the bit, sampled in the data's own units, measured under the name of their protocol."""

import shutil
import sys
import types
from pathlib import Path

import pandas
import pytest
import torch
from support import configs
from support.runs import differences, outcome, result, state, train

import gan_cli
from gan_cli.config.grammar import quote
from gan_cli.data.base import Data
from gan_cli.data.points.toy import Points
from gan_cli.data.sequences.series import csv
from gan_cli.errors import UserError
from gan_cli.evaluation import results
from gan_cli.evaluation.command import evaluate_command
from gan_cli.inference.command import sample_command

pytestmark = pytest.mark.slow

STEPS = "train.steps=6 eval_every=3 checkpoint_every=3 sample_every=6 log_every=1 ema=0.9 seed=5 optimizer.lr=0.01"
PROTOCOL = "changes in windows without overlap, split by time"


@pytest.fixture(scope="module")
def cfg(tmp_path_factory):
    """A table of 600 rows, by time, in windows of 4."""
    root = tmp_path_factory.mktemp("tables")
    return configs.config("dataset=csv", f"{STEPS} dataset.protocol=by_time dataset.window=4", root=root)


@pytest.fixture(scope="module")
def original(cfg, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "sequences"
    train(cfg, folder)
    return folder


def test_other_rows_of_the_same_range_are_noticed(cfg, run, tmp_path):
    head, *lines = Path(cfg.dataset.path).read_text().splitlines()
    moved = tmp_path / "other.csv"
    moved.write_text("\n".join([head, lines[0], *lines[-2:0:-1], lines[-1]]))
    with pytest.raises(UserError, match="has changed since its checkpoint was written"):
        train(cfg, run, f"dataset.path={moved} train.steps=8", resume=True)
    with pytest.raises(UserError, match=r"is not the one that .* was trained on"):
        evaluate_command(command("eval", run, root=quote(str(moved)), checkpoint="last"))


@pytest.fixture
def run(original, tmp_path):
    """A copy of the run, whose table has moved away."""
    return shutil.copytree(original, tmp_path / "run")


def command(name: str, folder, **values):
    overrides = [f"run={quote(str(folder))}", "device=cpu", *(f"{key}={value}" for key, value in values.items())]
    return configs.compose_command(name, overrides)


def test_a_resumed_run_is_equal_to_the_bit(cfg, run):
    reference = outcome(run)
    (run / "result.json").unlink()
    (run / "checkpoints" / "step_00000006.pt").unlink()
    train(cfg, run, resume=True)
    assert differences(outcome(run), reference) == []


def test_a_changed_table_is_noticed(cfg, run, tmp_path):
    moved = tmp_path / "other.csv"
    moved.write_text(Path(cfg.dataset.path).read_text().replace("price,wave\n", "price,wave\n0.1,0\n", 1))
    with pytest.raises(UserError, match="has changed since its checkpoint was written"):
        train(cfg, run, f"dataset.path={moved} train.steps=8", resume=True)


def test_the_protocol_is_said_and_kept(cfg, tmp_path, capsys):
    train(cfg, tmp_path / "run", "train.steps=1")
    said = capsys.readouterr().out
    assert "data: 16 sequences to train on, 16 held out" in said
    assert f"protocol: {PROTOCOL}" in said
    assert f"train split, {PROTOCOL}); real against real: " in said
    assert result(tmp_path / "run")["metric"]["protocol"] == PROTOCOL


def test_the_checkpoint_holds_the_scaling(cfg, run):
    kept = state(run)["data"]["series"]
    data = csv(cfg.dataset.path, window=4, protocol="by_time", max_samples=16)
    assert kept == data.series.to_dict()
    assert kept["names"] == ["price log return", "wave change"]


def test_samples_come_back_in_their_own_units_without_the_table(run, capsys):
    loaded = gan_cli.load(run)
    x = loaded.sample(5, seed=2)
    assert (x.shape, loaded.series.protocol) == ((5, 4, 2), PROTOCOL)
    assert 0 < x.min() < x.max() < 1
    out = sample_command(command("sample", run, n=5, seed=2))
    assert "grid_step_00000006_seed_2.png and grid_step_00000006_seed_2.csv" in capsys.readouterr().out
    assert out.read_bytes().startswith(b"\x89PNG")
    table = pandas.read_csv(out.with_suffix(".csv"))
    assert list(table.columns) == ["sample", "t", "price log return", "wave change"]
    assert table["t"].tolist() == [0, 1, 2, 3] * 5
    low, high = (torch.tensor(bounds).double() for bounds in (loaded.series.scaling.low, loaded.series.scaling.high))
    values = torch.tensor(table.iloc[:, 2:].to_numpy()).view(5, 4, 2)
    assert torch.allclose(values, low + x.double() * (high - low), rtol=1e-6)
    alone = sample_command(command("sample", run, mode="single", n=5, seed=2))
    assert (alone / "sequences.csv").read_bytes() == out.with_suffix(".csv").read_bytes()
    assert sample_command(command("sample", run, mode="interpolation", n=8)).with_suffix(".csv").is_file()
    assert "(the first" not in capsys.readouterr().out
    sample_command(command("sample", run, n=9))
    assert "grid_step_00000006_seed_0.png (the first 8 of them) and grid_step" in capsys.readouterr().out


def test_pictures_show_both_sides_in_the_data_s_units(run):
    pictures = sorted((run / "samples").iterdir())
    assert [path.name for path in pictures] == ["step_00000000.png", "step_00000006.png"]
    assert pictures[0].read_bytes() != pictures[1].read_bytes()


def test_an_evaluation_names_the_protocol(run, capsys):
    evaluate_command(command("eval", run))
    found = capsys.readouterr().out
    assert f"protocol: {PROTOCOL}" in found
    assert {entry.provenance.protocol for entry in results.read(run)} == {PROTOCOL}
    assert PROTOCOL in (run / results.CSV).read_text()
    evaluate_command(command("eval", run, metric="wasserstein", features="identity", n_samples=4))
    assert {entry.provenance.protocol for entry in results.read(run)} == {PROTOCOL}


def test_an_evaluation_finds_the_table_elsewhere(cfg, run):
    config = (run / "config.yaml").read_text().replace(cfg.dataset.path, "gone.csv")
    (run / "config.yaml").write_text(config)
    with pytest.raises(UserError, match=r"there is no file .*gone\.csv"):
        evaluate_command(command("eval", run, checkpoint="last"))
    [found] = evaluate_command(command("eval", run, checkpoint="last", root=quote(cfg.dataset.path)))
    assert found.provenance.protocol == PROTOCOL


@pytest.mark.long
def test_other_protocols_are_not_ranked_together(original, cfg, tmp_path):
    train(cfg, tmp_path / "run", "train.steps=1 dataset.protocol=shuffled")
    for folder in (original, tmp_path / "run"):
        evaluate_command(command("eval", folder, checkpoint="last", out=quote(str(tmp_path / "out"))))
    by_time, shuffled = (entry.provenance for entry in results.read(tmp_path / "out"))
    assert f"protocol {PROTOCOL} against overlapping windows, shuffled and then split" in results.differences(by_time, shuffled)


def mine() -> Data:
    """Sequences of a user's own, of which nothing is said."""
    return Data(*(Points(torch.rand(20, 3, 2)) for _ in range(2)))


def test_sequences_of_which_nothing_is_known(tmp_path, monkeypatch):
    module = types.ModuleType("mine")
    module.mine = mine
    monkeypatch.setitem(sys.modules, "mine", module)
    cfg = configs.config("dataset=sines", f"{STEPS} train.steps=1 metric.n_samples=4")
    cfg.dataset = {"_target_": "mine.mine"}
    train(cfg, tmp_path / "run")
    assert result(tmp_path / "run")["metric"]["protocol"] is None
    table = pandas.read_csv(sample_command(command("sample", tmp_path / "run", n=2)).with_suffix(".csv"))
    assert list(table.columns) == ["sample", "t", "feature 1", "feature 2"]
