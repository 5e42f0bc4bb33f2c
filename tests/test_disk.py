"""Full disks, folders that cannot be written, no home directory, and names that are not UTF-8."""

import errno
import os
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console
from support import configs
from support.runs import train
from tensorboard.summary.writer.record_writer import RecordWriter

from gan_cli import files
from gan_cli.cli import main
from gan_cli.config.compose import compose, loader
from gan_cli.data.images.cache import default_folder
from gan_cli.errors import UserError
from gan_cli.evaluation.command import measure
from gan_cli.loggers import events
from gan_cli.report.command import report_command


@pytest.mark.slow
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_with_the_file_the_room_and_the_line_that_resumes(tmp_path, monkeypatch, number):
    write = Path.write_bytes

    def full(path, content):
        if "step_" in path.name:
            raise OSError(number, os.strerror(number))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    cfg = configs.config("dataset=ring metric=none", "train.steps=1")
    with pytest.raises(UserError) as caught:
        train(cfg, tmp_path / "run")
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{os.strerror(number)}: {tmp_path}/run/checkpoints/step_00000001.pt (")
    assert " bytes are free)" in first
    assert second == f"Make room. Continue with: gan-train resume={tmp_path}/run"


def test_other_errors_of_files_pass(tmp_path):
    with pytest.raises(PermissionError), files.full_disk_named(tmp_path, "x"):
        raise PermissionError(errno.EACCES, "denied")


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path, monkeypatch):
    train(configs.config("dataset=ring metric=none", "train.steps=0"), tmp_path / "run")

    def refuse(dir):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(files.tempfile, "TemporaryFile", refuse)
    for name, command in (("eval", lambda cfg: measure(cfg, Console(quiet=True))), ("report", report_command)):
        cfg = compose(loader(), name, [f"run={tmp_path}/run"])
        with pytest.raises(UserError, match="run cannot be written: Read-only file system"):
            command(cfg)


def test_the_place_of_a_new_folder_is_looked_at(tmp_path):
    files.require_writable(tmp_path / "a" / "b", "x")
    assert list(tmp_path.iterdir()) == []


def test_without_a_home_directory_the_cache_asks_for_one(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(UserError, match="set XDG_CACHE_HOME"):
        default_folder()


@pytest.mark.parametrize("command", [main.gan_train, main.gan_eval, main.gan_sample, main.gan_export, main.gan_report])
def test_a_name_that_is_not_utf8_is_a_sentence(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gan", os.fsdecode(b"run=caf\xe9")])
    assert command() == 2
    assert r"'run=caf\udce9' is not written in UTF-8" in capsys.readouterr().err


def test_a_yaml_that_is_not_utf8_is_a_sentence(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_bytes("# Verlust f\xfcr\n_target_: m.Mine\n".encode("latin-1"))
    with pytest.raises(UserError, match="not written in UTF-8"):
        compose(loader(str(tmp_path)), "train", ["loss=mine"])


def test_tensorboards_thread_prints_no_traceback_when_the_disk_is_full(tmp_path, monkeypatch):
    """The error reaches the next call of the writer."""
    printed = []
    monkeypatch.setattr(threading, "excepthook", printed.append)
    writer = events.open_writer(tmp_path, 0)
    monkeypatch.setattr(RecordWriter, "write", lambda self, data: no_space())
    writer.add_scalar("loss", 1.0, 1)

    def flush_until_it_fails():
        for _ in range(1000):
            writer.flush()
            time.sleep(0.01)

    with pytest.raises(OSError, match="No space left"):
        flush_until_it_fails()
    assert printed == []


def no_space():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
