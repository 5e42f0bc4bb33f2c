"""The lock of a folder: one holder at a time, named to the others, and never left behind."""

import errno
import fcntl
import os
import platform
import shutil
import signal
import threading
from pathlib import Path

import pytest

from gan_cli.errors import UserError
from gan_cli.runs import lock
from gan_cli.runs.lock import InUse, holder, locked


def test_a_lock_excludes_its_own_process(tmp_path):
    folder = tmp_path / "run"
    (tmp_path / "link").symlink_to(folder)
    with locked(folder):
        for path in (folder, tmp_path / "link"):
            with (
                pytest.raises(InUse, match=f"{path} is in use by process {os.getpid()} on {platform.node()}: wait"),
                locked(path),
            ):
                pass
        refused: list[str | None] = []
        thread = threading.Thread(target=lambda: refused.append(holder(folder)))
        thread.start()
        thread.join()
        assert "is in use" in str(refused[0])
        with locked(tmp_path / "other"):
            pass
        assert (folder / lock.NAME).is_file()
    assert holder(folder) is None
    assert list(folder.iterdir()) == []
    assert holder(tmp_path / "nowhere") is None
    assert not (tmp_path / "nowhere").exists()


def test_a_lock_excludes_other_processes_until_its_holder_dies(tmp_path):
    ready, locks = os.pipe()
    child = os.fork()
    if child == 0:
        with locked(tmp_path):
            os.write(locks, b"x")
            signal.pause()
    os.read(ready, 1)
    try:
        for _ in range(2):
            assert f"in use by process {child} on {platform.node()}:" in str(holder(tmp_path))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert (tmp_path / lock.NAME).read_text() == f"{child} {platform.node()}\n"
    with locked(tmp_path):
        assert (tmp_path / lock.NAME).read_text() == f"{os.getpid()} {platform.node()}\n"
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_a_host_and_the_current_folder_do_not_matter(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "node", lambda: "my höst")
    monkeypatch.chdir(tmp_path)
    with locked(Path("run")):
        monkeypatch.chdir(tmp_path / "run")
        (tmp_path / "copy").mkdir()
        shutil.copy(tmp_path / "run" / lock.NAME, tmp_path / "copy")
    assert list((tmp_path / "run").iterdir()) == []
    with locked(tmp_path / "copy"):  # left behind, as by a process that was killed
        assert (tmp_path / "copy" / lock.NAME).read_text() == f"{os.getpid()} my?h?st\n"


def test_a_forked_process_does_not_release_the_lock_of_its_parent(tmp_path):
    with locked(tmp_path):
        child = os.fork()
        if child == 0:
            free = holder(tmp_path) is None
            os._exit(int(free))
        assert os.waitpid(child, 0)[1] == 0
        assert (tmp_path / lock.NAME).is_file()


def link(path, victim):
    path.symlink_to(victim)


def hard_link(path, victim):
    path.hardlink_to(victim)


def dangling_link(path, victim):
    path.symlink_to(victim.with_name("new"))


def fifo(path, victim):
    os.mkfifo(path)


def folder(path, victim):
    path.mkdir()


def notes(path, victim):
    path.write_text("notes of mine")


@pytest.mark.parametrize("make", [link, hard_link, dangling_link, fifo, folder, notes])
def test_a_foreign_lock_file_is_neither_followed_nor_changed(make, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("12 precious\n")
    run = tmp_path / "run"
    run.mkdir()
    make(run / lock.NAME, victim)
    with pytest.raises(UserError, match=r"run/\.lock is not a lock file of gan-cli: remove it\."), locked(run):
        pass
    assert victim.read_text() == "12 precious\n"
    assert not (tmp_path / "new").exists()
    assert (run / lock.NAME).lstat() is not None
    if make is notes:
        assert (run / lock.NAME).read_text() == "notes of mine"


def test_a_file_system_without_locks_is_named_once(tmp_path, monkeypatch, capsys):
    def no_locks(*arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", no_locks)
    monkeypatch.setattr(lock, "_warned", [])
    for name in ("a", "b"):
        with locked(tmp_path / name):
            pass
    assert (
        capsys.readouterr().err
        == f"warning: the file system of {tmp_path / 'a'} has no locks: start nothing else in this folder.\n"
    )


def test_a_folder_that_may_not_be_written_is_not_locked(tmp_path, monkeypatch):
    def denied(*arguments):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", denied)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with locked(tmp_path):
        pass
