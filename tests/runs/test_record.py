"""The record of the data in a run's folder: written once, compared on resume."""

import json

import pytest
from support import configs
from support.runs import state, train

from gan_cli import files
from gan_cli.data.images.fashion_mnist_mini import fashion_mnist_mini
from gan_cli.data.points.toy import ring
from gan_cli.data.record import DataRecord
from gan_cli.runs import checkpoint, record

pytestmark = pytest.mark.slow

QUIET = "checkpoint_every=2 eval_every=0 sample_every=0"


@pytest.fixture
def cfg(tmp_path):
    return configs.config("dataset=csv", root=tmp_path / "data")


def test_a_run_keeps_the_record_that_it_began_with(cfg, tmp_path, capsys):
    folder = tmp_path / "run"
    train(cfg, folder, f"train.steps=2 {QUIET}")
    written = record.read(folder)
    shown = capsys.readouterr().out
    assert all(line[:60] in shown.replace("\n", "") for line in written.lines())
    assert written.lines()[1].startswith("table: 600 rows of table.csv, 2 columns")
    content = (folder / record.FILE).read_bytes()
    train(cfg, folder, f"train.steps=4 {QUIET}", resume=True)
    assert "the run began with" not in capsys.readouterr().out
    assert (folder / record.FILE).read_bytes() == content


def test_a_resumed_run_warns_of_samples_that_differ_within_the_tolerance(cfg, tmp_path, capsys):
    folder, table = tmp_path / "run", tmp_path / "data" / "csv" / "table.csv"
    train(cfg, folder, f"train.steps=2 {QUIET}")
    head, *rows = table.read_text().splitlines()
    values = [tuple(map(float, row.split(","))) for row in rows]
    moved = [f"{price:.6f},{wave + 1e-6 * (abs(wave) < 0.9):.6f}" for price, wave in values]
    table.write_text("\n".join([head, *moved]) + "\n")
    content = (folder / record.FILE).read_bytes()
    train(cfg, folder, f"train.steps=4 {QUIET}", resume=True)
    shown = " ".join(capsys.readouterr().out.split())
    assert "data.json: checksum" in shown
    assert "warning: the samples are not equal to those that the run began with" in shown
    assert (folder / record.FILE).read_bytes() == content


def test_a_record_that_is_missing_or_damaged_is_written_again(cfg, tmp_path, capsys):
    folder = tmp_path / "run"
    train(cfg, folder, f"train.steps=2 {QUIET}")
    good = record.read(folder)
    for text in ("{", "[]", '{"kind": 3}'):
        (folder / record.FILE).write_text(text)
        assert record.read(folder) is None
    (folder / record.FILE).unlink()
    assert record.read(folder) is None
    train(cfg, folder, f"train.steps=4 {QUIET}", resume=True)
    assert record.read(folder) == good
    assert isinstance(good, DataRecord)
    assert state(folder)["step"] == checkpoint.steps_in(folder)[-1] == 4
    assert "was damaged" not in capsys.readouterr().out
    (folder / record.FILE).write_bytes(b"")
    train(cfg, folder, f"train.steps=5 {QUIET}", resume=True)
    assert record.read(folder) == good
    assert "data.json was damaged, and is written again" in " ".join(capsys.readouterr().out.split())


def test_forged_facts_about_originals_are_done_without(tmp_path):
    data = DataRecord.of(fashion_mnist_mini(size=8, max_samples=4))
    plain = data.to_dict()
    plain["origins"]["train"] |= {"width": "x", "preprocessing": 3}
    plain["origins"]["heldout"] = {"modes": [1]}
    files.write_json(tmp_path / record.FILE, plain)
    forged = record.read(tmp_path)
    assert forged.lines()[-1] == data.lines()[-1]
    assert record.preprocessing(tmp_path, {}) == {}
    (tmp_path / record.FILE).write_text(
        json.dumps(plain).replace('"sources": null', '"sources": ' + '{"sources": ' * 400 + "null" + "}" * 400)
    )
    assert record.read(tmp_path) is None


def test_size_and_fit_come_from_the_record_or_else_from_the_config(tmp_path):
    dataset = {"size": 32, "fit": "pad", "root": "somewhere"}
    assert record.preprocessing(tmp_path, dataset) == {"size": 32, "fit": "pad"}
    record.write(tmp_path, DataRecord.of(fashion_mnist_mini(size=8, fit="crop", max_samples=4)))
    assert record.preprocessing(tmp_path, {}) == {"size": 8, "fit": "crop"}
    record.write(tmp_path, DataRecord.of(ring(n=4, n_heldout=4)))
    assert record.preprocessing(tmp_path, dataset) == {}, "the size of another kind of data is none of images"
