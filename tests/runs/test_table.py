"""The table of runs: their status, step, number and size, as rows and as a frame; and gan-runs, which lists and clears them."""

import io
import shlex
import sys
from importlib import import_module

import pytest
import yaml

import gan_cli
from gan_cli.cli import main
from gan_cli.cli import runs as command
from gan_cli.errors import UserError
from gan_cli.files import bytes_in_words, write_json
from gan_cli.runs import environment, lock, table
from gan_cli.runs.console import Terminal

DONE = {"status": "finished", "step": 9, "metric": {"name": "w1", "final": 0.25, "initial": 1.0, "floor": 0.1}}


def write(folder, result=None, steps=(), **config):
    """Write the folder of a run with this result and checkpoints of these steps."""
    (folder / "checkpoints").mkdir(parents=True)
    environment.record(folder, 0, {}, {})
    content = {"train": {"steps": 9}, "seed": 0, "loss": {"_target_": "m.Hinge"}, "game": {"_target_": "m.GAN"}, **config}
    content.setdefault("dataset", {"_target_": "m.Ring"})
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    if result is not None:
        write_json(folder / "result.json", result)
    for step in steps:
        (folder / "checkpoints" / f"step_{step:08d}.pt").write_bytes(b"12345")
    return folder


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """Runs of every status below ``outputs/``."""
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "outputs"
    write(place / "done", DONE, [9], method="mine")
    write(place / "sweep" / "bad", {"status": "failed", "reason": "no data"}, seed=1)
    write(place / "sweep" / "late", {"status": "failed", "reason": "nan"}, [4], seed=2)
    write(place / "cut", {"status": "stopped", "step": 3, "reason": "stopped"}, [3])
    killed = write(place / "killed", None, [5])
    (killed / "metrics.jsonl").write_text('{"step": 5, "metric/w1": 0.5}\n{"step": 6, "loss/g": 1.0}\n{"step": 7, "met')
    write(place / "broken")
    (place / "broken" / "config.yaml").write_text("${oc.env:HOME}")
    return place


@pytest.fixture
def gan_runs(outputs, monkeypatch, capsys):
    """``gan_runs("delete")`` -> (exit code, output)."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["gan-runs", *words])
        code = main.gan_runs()
        streams = capsys.readouterr()
        return code, streams.out + streams.err

    return call


def by_name(place):
    return {row.folder.name: row for row in table.rows(place, 2e9)}


def test_a_run_is_what_its_folder_says(outputs):
    found = by_name(outputs)
    assert {name: row.status for name, row in found.items()} == {
        "done": "finished",
        "bad": "failed",
        "late": "failed",
        "cut": "stopped",
        "killed": "unfinished",
        "broken": "unreadable",
    }
    assert (found["done"].method, found["done"].metric, found["done"].value) == ("mine", "w1", 0.25)
    assert (found["killed"].step, found["killed"].metric, found["killed"].value) == (5, "w1", 0.5)
    assert found["late"].step == 4
    assert found["done"].size == sum(path.stat().st_size for path in (outputs / "done").rglob("*") if path.is_file())
    assert found["done"].settings["seed"] == 0


def test_a_run_in_which_a_process_works_is_running(outputs):
    with lock.locked(outputs / "cut"):
        assert by_name(outputs)["cut"].status == "running"


def test_the_frame_has_the_rows_and_settings(outputs):
    frame = gan_cli.runs(outputs)
    assert set(frame.columns) >= {"folder", "method", "data", "step", "status", "metric", "value", "age", "size", "train.steps"}
    assert sorted(frame[frame.status == "failed"].seed) == [1, 2]
    import_module("gan_cli.runs.checkpoint")  # after which the name stands for the package
    assert len(gan_cli.runs(outputs / "sweep")) == 2
    with pytest.raises(UserError, match="there is no such folder"):
        gan_cli.runs(outputs / "nowhere")


@pytest.mark.parametrize(("width", "in_table"), [(60, False), (200, True)])
def test_a_terminal_too_narrow_for_the_table_shows_a_list(outputs, width, in_table):
    terminal = Terminal(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    command.show([by_name(outputs)["done"]], terminal)
    lines = [line.rstrip() for line in terminal.file.getvalue().splitlines()]
    assert (str(outputs / "done") in lines) != in_table, "its name stands alone in a list"
    assert in_table or "    mine, Ring, 9/9, finished, w1 0.25, " in lines[1]


def test_runs_are_listed_filtered_and_sorted(gan_runs):
    code, out = gan_runs()
    assert code == 0
    assert all(name in out for name in ("outputs/done", "outputs/sweep/bad", "9/9", "w1 0.25", "unfinished", "6 runs, "))
    lines = gan_runs("status=failed,stopped", "seed=1,2")[1].splitlines()
    named = [line.split()[-1] for line in lines if "outputs/" in line]
    assert sorted(named) == ["outputs/sweep/bad", "outputs/sweep/late"]
    steps = [line for line in gan_runs("sort=step", "outputs")[1].splitlines() if "outputs/" in line]
    assert steps[-1].split()[-1] == "outputs/done"
    assert gan_runs("status=failed", "seed=7") == (0, "no runs.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["status=gone"], "status=gone: it must be one of running, finished, pruned, failed, "),
        (["sort=colour"], "sort must be age, size, step, "),
        (["sed=1"], "no run has a key 'sed'. Filter by status, "),
        (["nowhere"], "nowhere: there is no such folder."),
        (["diff", "done"], "name two runs: gan-runs diff RUN_A RUN_B"),
        (["--yes"], "--yes belongs to gan-runs delete"),
        (["delete"], "nothing was deleted: add --yes to delete these runs."),
    ],
)
def test_requests_without_a_meaning_are_refused(gan_runs, monkeypatch, words, said):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    code, out = gan_runs(*words)
    assert code == 2
    assert f"gan-runs: {said}" in out


def test_two_runs_are_compared(gan_runs):
    code, out = gan_runs("diff", "outputs/done", "late")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.split()}
    assert code == 0
    assert rows["seed"] == ["0", "2"]
    assert rows["w1"] == ["0.25", "-"]
    assert rows["status"] == ["finished", "failed"]
    assert "loss._target_" not in rows


def test_only_what_failed_without_a_checkpoint_is_deleted_unless_a_status_is_named(gan_runs, outputs):
    assert gan_runs("delete", "--yes")[0] == 0
    assert {row.folder.name for row in table.rows(outputs, 0)} == {"done", "late", "cut", "killed", "broken"}
    assert "1 failed with a checkpoint and can be continued: status=failed" in gan_runs("delete", "--yes")[1]
    with lock.locked(outputs / "cut"):
        assert "deleted 1 of 1" in gan_runs("delete", "status=failed,stopped", "--yes")[1]
    assert {row.folder.name for row in table.rows(outputs, 0)} == {"done", "cut", "killed", "broken"}


def test_folders_of_other_programs_are_no_runs(gan_runs, outputs):
    for name, content in (("site", {"title": "x"}), ("train", {"train": {"steps": 9}, "seed": 0})):
        (outputs / name).mkdir()
        (outputs / name / "config.yaml").write_text(yaml.safe_dump(content))
    for name, result in (("hydra", {"status": "failed", "accuracy": 1}), ("job", {"status": "failed", "config": "abc"})):
        (outputs / name / ".hydra").mkdir(parents=True)
        write_json(outputs / name / "result.json", result)
    assert by_name(outputs).keys() == {"done", "bad", "late", "cut", "killed", "broken", "job"}
    assert "deleted 4 of 4" in gan_runs("delete", "status=failed,unreadable", "--yes")[1]
    assert {path.name for path in outputs.iterdir()} == {"done", "sweep", "cut", "killed", "site", "train", "hydra"}


def test_a_question_is_asked_at_a_terminal(gan_runs, outputs, monkeypatch):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert "nothing was deleted" in gan_runs("delete")[1]
    assert (outputs / "sweep" / "bad").is_dir()


def test_links_are_not_followed(gan_runs, outputs, tmp_path):
    elsewhere = write(tmp_path / "elsewhere", {"status": "failed", "reason": "x"})
    (outputs / "link").symlink_to(elsewhere)
    gan_runs("delete", "--yes")
    assert (elsewhere / "config.yaml").is_file()


def test_what_is_unfinished_is_continued(gan_runs, monkeypatch):
    code, out = gan_runs("requeue")
    assert code == 0
    assert sorted(shlex.split(line)[1] for line in out.splitlines()) == ["resume=outputs/cut", "resume=outputs/killed"]
    called = []
    monkeypatch.setattr(command.subprocess, "call", lambda words: called.append(words[-1]) or (2 if "cut" in words[-1] else 0))
    code, out = gan_runs("requeue", "--run")
    assert (code, sorted(called)) == (1, ["resume=outputs/cut", "resume=outputs/killed"])
    assert "1 of 2 failed" in out


def test_names_from_elsewhere_reach_the_terminal_as_text(gan_runs, outputs):
    write(outputs / "x\x1b[31m[bold]", {"status": "failed", "reason": "x"}, method="\x1b[2Jred")
    out = gan_runs()[1]
    assert "\x1b[2J" not in out
    assert "[bold]" in out


@pytest.mark.parametrize(("seconds", "said"), [(0.2, "0 s"), (59, "59 s"), (3700, "1 h"), (90000, "1 d")])
def test_a_time_is_said_in_its_largest_unit(seconds, said):
    assert command.duration(seconds) == said
    assert bytes_in_words(1234567) == "1.23 MB"
