"""The arena of `make torture`: what counts as a loss, and the plan of its rows."""

from pathlib import Path

from torture.arena import Arena
from torture.children import Answer, refusal_problem
from torture.oracle import left_behind
from torture.rows import ROWS

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
MINUTES = 30
"""Limit of the command with two rows at a time; a row may overrun its share by one try and its preparation."""


def arena(tmp_path, **more):
    return Arena("row", tmp_path / "row", 60.0, 1.0, 7, **more)


def draw(attempt):
    (attempt.folder / "file").touch()
    return str(attempt.random.random()) if attempt.number == 2 else None


def test_a_loss_names_its_try_and_keeps_its_folder(tmp_path):
    found = arena(tmp_path)
    found.repeat(draw, 3)
    assert found.tries == 3
    [loss] = found.losses
    assert "make torture ROWS=row SEED=7 TRY=2" in loss
    assert [path.name for path in found.folder.iterdir()] == ["try_2"]
    again = arena(tmp_path / "again", only=2)
    again.repeat(draw, 3)
    assert again.tries == 1
    assert again.losses[0].splitlines()[0] == loss.splitlines()[0]


def test_an_error_of_the_row_is_a_loss_and_time_ends_a_row(tmp_path):
    found = arena(tmp_path)
    found.over(["a", "b"], lambda attempt, case: case / 2)
    assert [loss.startswith("row: the row itself failed") for loss in found.losses] == [True, True]
    found.seconds = 0.0
    found.over(["a", "b"], lambda attempt, case: None)
    assert (found.tries, found.remark) == (3, "1 of 2 cases in the time given")


def test_what_a_command_may_answer():
    def problem(code, err="", timed_out=False):
        return refusal_problem(Answer(code, "", err, ("gan-train",), timed_out))

    assert problem(0, "warning: x\n" * 9) is problem(2, "gan-train: no.\nDo this.\n") is None
    for bad in (problem(1, "no\n"), problem(2), problem(2, "a\n" * 4), problem(-9), problem(0, "", True)):
        assert bad
    assert problem(2, "Traceback (most recent call last):\n  x\n")


def test_half_written_files_are_found(tmp_path):
    (tmp_path / "result.json").write_text("{}")
    assert left_behind(tmp_path) is None
    (tmp_path / "result.json").write_text("{")
    (tmp_path / ".metrics.jsonl.host.1.tmp").touch()
    assert left_behind(tmp_path) == "left behind: .metrics.jsonl.host.1.tmp, result.json"


def test_the_rows_fit_into_the_time_and_stand_in_the_documentation():
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    assert sum(row.seconds for row in ROWS) / 2 <= 0.8 * MINUTES * 60
    page = PAGE.read_text()
    assert [name for name in names if f"`{name}`" not in page] == []
