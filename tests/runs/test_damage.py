"""Damaged files of a run: every reader names the damage and goes on with what is left."""

import warnings

import pytest
import torch
from support.runs import EMPTY_STATE

from gan_cli.cli import main
from gan_cli.errors import DamageWarning, UserError, warn
from gan_cli.runs import checkpoint

STATE = {**EMPTY_STATE, "game": {"generator.w": torch.arange(3)}}
"""The content of a checkpoint with a player of one parameter."""


@pytest.fixture
def with_damaged_newest(tmp_path):
    """The folder of a run whose checkpoint of step 10 is damaged and whose checkpoint of step 5 is good."""
    for step in (5, 10):
        checkpoint.save(tmp_path, step, STATE)
    path = checkpoint.path_of(tmp_path, 10)
    path.write_bytes(path.read_bytes()[:100])
    (tmp_path / "config.yaml").write_text("{}\n")
    return tmp_path


def test_the_newest_readable_checkpoint_comes_with_a_warning(with_damaged_newest):
    """For every reader: the warning is given where the checkpoint is chosen."""
    with pytest.warns(DamageWarning, match=r"step_00000010\.pt cannot be read: .*\. The checkpoint of step 5 is used\."):
        assert checkpoint.newest(with_damaged_newest)["step"] == 5


def test_a_caller_may_tell_it_in_its_own_way(with_damaged_newest):
    told = []
    assert checkpoint.newest(with_damaged_newest, told.append)["step"] == 5
    assert len(told) == 1
    assert "Use an earlier one" not in told[0]


def test_a_report_of_a_run_without_a_readable_checkpoint_warns(with_damaged_newest):
    from gan_cli.evaluation.sweeps import SweepRun
    from gan_cli.report.records.runs import RunRecord

    record = RunRecord(with_damaged_newest, SweepRun("run", {}), {}, [], [])
    with pytest.warns(DamageWarning, match="step 5 is used"):
        assert record.shape == (2,)
    checkpoint.path_of(with_damaged_newest, 5).write_bytes(b"")
    record = RunRecord(with_damaged_newest, SweepRun("run", {}), {}, [], [])
    with pytest.warns(DamageWarning, match="no readable checkpoint"):
        assert record.shape is None


def test_a_command_prints_a_warning_in_one_line_and_once(monkeypatch, capsys):
    def answer(command, words):
        for _ in range(2):
            warn("the file is damaged.")

    monkeypatch.setattr(main, "_answer", answer)
    monkeypatch.setattr("sys.argv", ["gan-sample"])
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main.gan_sample() == 0
    assert capsys.readouterr().err == "warning: the file is damaged.\n"


def test_a_damaged_checkpoint_that_was_named_is_refused(with_damaged_newest):
    with pytest.raises(UserError, match="Use an earlier one"):
        checkpoint.load(checkpoint.path_of(with_damaged_newest, 10))


def test_one_flipped_bit_does_not_end_a_run_that_keeps_one_checkpoint(tmp_path):
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, step, STATE, keep=1)
    assert checkpoint.steps_in(tmp_path) == [2, 3]
    content = bytearray(checkpoint.path_of(tmp_path, 3).read_bytes())
    content[content.index(STATE["game"]["generator.w"].numpy().tobytes())] ^= 4
    checkpoint.path_of(tmp_path, 3).write_bytes(content)
    with pytest.warns(DamageWarning):
        assert checkpoint.newest(tmp_path)["step"] == 2


def test_a_flipped_bit_in_the_directory_of_the_archive_is_found(tmp_path):
    """The checksums of the archive's members do not cover it, and torch.load reads a "folder" as zeros without an error."""
    path = checkpoint.save(tmp_path, 1, STATE)
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(b"/data/"))  # of the last tensor
    content[entry + 38] ^= 0x10  # the bit of its external attributes that says: a folder
    path.write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        checkpoint.load(path)


@pytest.mark.slow
def test_every_flipped_bit_of_the_seal_is_found(tmp_path):
    path = checkpoint.save(tmp_path, 1, STATE)
    content = path.read_bytes()
    for place in range(len(content) - 64 - 22, len(content)):
        for bit in range(8):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
            with pytest.raises(UserError, match=r"is damaged|cannot be read|has no checksum"):
                checkpoint.load(path)
    path.write_bytes(content)
    assert checkpoint.load(path)["step"] == 1


def test_a_checkpoint_without_a_checksum_is_refused(tmp_path):
    path = tmp_path / "x.pt"
    torch.save({"format": checkpoint.FORMAT, "step": 1, **STATE}, path)
    with pytest.raises(UserError, match="it has no checksum"):
        checkpoint.load(path)
