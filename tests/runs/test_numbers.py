"""metrics.jsonl and TensorBoard's event files: damage is named, numbers are found again, resumed curves are complete."""

from types import SimpleNamespace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from gan_cli.errors import DamageWarning
from gan_cli.loggers import TensorBoard, events
from gan_cli.runs import checkpoint, logger


def log(folder, steps, start=0, offset=0.0):
    """Log one number at each of the ``steps`` of a run that starts or resumes at ``start``."""
    run = logger.RunLogger(folder, start, {"tensorboard": TensorBoard()})
    for step in steps:
        run.numbers(step, {"loss/generator": step + offset, "metric/w1": float("inf") if step == 2 else 0.5})
    run.close()


def numbers(rows):
    return {(row["step"], tag): value for row in rows for tag, value in row.items() if tag != "step"}


@pytest.fixture
def logged(tmp_path):
    """The folder of a run that logged steps 1 to 6."""
    log(tmp_path, range(1, 7))
    return tmp_path


def replace_line(folder, number, content):
    path = folder / "metrics.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines[number - 1] = content
    path.write_bytes(b"\n".join(lines))


BAD = [b'{"step": 3, "loss/gen\xffrator": 3.0}', b"{", b"", b"[3]", b"3", b'{"loss/generator": 3.0}', b'{"step": "3"}']


@pytest.mark.parametrize("line", [*BAD, b'{"step": 3, "loss/generator": [3.0]}', b"[" * 100_000])
def test_a_damaged_line_is_named_and_its_numbers_come_from_tensorboard(logged, line):
    complete = numbers(logger.read(logged))
    replace_line(logged, 3, line)
    with pytest.warns(DamageWarning, match=r"metrics\.jsonl: line 3 cannot be read and is left out; 2 of its numbers") as said:
        rows = logger.read(logged)
    assert len(said) == 1
    assert numbers(rows) == complete
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]


def test_without_event_files_the_other_lines_remain(logged):
    for path in events.files_in(logged):
        path.unlink()
    for number in (2, 5):
        replace_line(logged, number, b"?")
    with pytest.warns(DamageWarning, match=r"lines 2, 5 cannot be read and are left out\.$"):
        assert [row["step"] for row in logger.read(logged)] == [1, 3, 4, 6]


def test_a_damaged_event_file_serves_up_to_its_damage(logged):
    complete = numbers(logger.read(logged))
    replace_line(logged, 1, b"?")
    replace_line(logged, 6, b"?")
    [path] = events.files_in(logged)
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    with pytest.warns(DamageWarning, match="lines 1, 6"):
        found = numbers(logger.read(logged))
    assert found.items() < complete.items()
    assert {step for step, _ in found} >= {1, 2, 3, 4, 5}


def test_a_last_line_cut_off_by_a_crash_is_unremarkable(logged):
    with open(logged / "metrics.jsonl", "ab") as file:
        file.write(b'{"step": 7, "loss/gen\xc3')
    assert [row["step"] for row in logger.read(logged)] == [1, 2, 3, 4, 5, 6]  # a warning is an error here


@pytest.mark.parametrize(("left", "said"), [(0, "it holds no rows"), (2, "nothing follows step 2")])
def test_rows_that_are_missing_at_the_end(logged, left, said):
    checkpoint.save(logged, 6, {"game": torch.zeros(1)})
    path = logged / "metrics.jsonl"
    complete = numbers(logger.read(logged))
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:left]))
    with pytest.warns(DamageWarning, match=said):
        assert numbers(logger.read(logged)) == complete
    path.unlink()
    with pytest.warns(DamageWarning, match="it holds no rows"):
        assert numbers(logger.read(logged)) == complete


def test_numbers_of_gan_eval_are_not_taken_for_those_of_training(logged):
    events.write_evaluations(logged, {3: {"kid": 0.1}})
    complete = numbers(logger.read(logged))
    replace_line(logged, 3, b"?")
    with pytest.warns(DamageWarning):
        assert numbers(logger.read(logged)) == complete


def test_a_resumed_run_keeps_the_damaged_file_and_loses_no_row(logged):
    replace_line(logged, 3, b"?")
    damaged = (logged / "metrics.jsonl").read_bytes()
    with pytest.warns(DamageWarning):
        log(logged, range(5, 8), start=4, offset=0.25)
    rows = logger.read(logged)
    assert [(row["step"], row["loss/generator"]) for row in rows] == [
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 4),
        (5, 5.25),
        (6, 6.25),
        (7, 7.25),
    ]
    assert rows[1]["metric/w1"] is None
    assert (logged / "metrics.damaged.jsonl").read_bytes() == damaged
    replace_line(logged, 1, b"!")
    with pytest.warns(DamageWarning):
        log(logged, [], start=7)
    assert (logged / "metrics.damaged.jsonl").read_bytes() == damaged
    assert (logged / "metrics.damaged_2.jsonl").is_file()
    assert [row["step"] for row in logger.read(logged)] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("now", [0, 1000], ids=["set back", "the same second"])
def test_the_curves_of_a_resumed_run_follow_whatever_the_clock_says(tmp_path, monkeypatch, now):
    monkeypatch.setattr(event_file_writer, "time", SimpleNamespace(time=lambda: 1000.0))
    log(tmp_path, range(1, 7))
    [first] = events.files_in(tmp_path)
    monkeypatch.setattr(event_file_writer, "time", SimpleNamespace(time=lambda: float(now)))
    for _ in range(2):
        log(tmp_path, range(5, 9), start=4, offset=0.25)
    assert events.files_in(tmp_path)[0] == first
    assert len(events.files_in(tmp_path)) == 3
    found = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    found.Reload()
    curve = [(event.step, event.value) for event in found.Scalars("loss/generator")]
    assert curve == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5.25), (6, 6.25), (7, 7.25), (8, 8.25)]
    assert event_file_writer.time.time() == now
