"""A full disk and a folder that cannot be written."""

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

from torture.arena import Arena, Try
from torture.children import Answer, call, refusal_problem
from torture.injection import at_every_call
from torture.oracle import PLAIN, Reference, left_behind, reference, resume_problem, stopped_run


def no_space() -> None:
    """Fail as a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_at_every_write(arena: Arena) -> None:
    """Let one call that changes a file fail as on a full disk, then resume with room again."""

    def judge(start: Reference, answer: Answer, run: Path) -> str | None:
        problem = refusal_problem(answer) or left_behind(run)
        has_finished = answer.code == 0 and (run / "result.json").is_file()
        return problem or (None if has_finished else resume_problem(start, run, run.parent))

    at_every_call(arena, no_space, judge)


def full_file_system(arena: Arena) -> None:
    """Train on a small tmpfs, which fills up at a random place, then make it larger and resume."""
    place = arena.folder / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        arena.add("not tried: a tmpfs needs root on Linux")
        return
    try:
        start = reference(arena.folder, "dataset=ring", PLAIN)
        needed = sum(path.stat().st_size for path in start.folder.rglob("*") if path.is_file())

        def play(attempt: Try) -> str | None:
            shutil.rmtree(place / "run", ignore_errors=True)
            size = attempt.random.randint(4096, needed)
            resize(f"{size // 1024 + 4}k")
            run = place / "run"
            answer = call([*start.words, f"hydra.run.dir={run}"], attempt.folder)
            problem = refusal_problem(answer) or left_behind(run)
            resize("64m")
            problem = problem or (None if answer.code == 0 else resume_problem(start, run, attempt.folder))
            return f"{problem}, on {size} of {needed} bytes" if problem else None

        def resize(size: str) -> None:
            subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)

        arena.repeat(play, int(60 * arena.scale))
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def read_only(arena: Arena) -> None:
    """Run all commands on folders that this user may not write."""
    if sys.platform != "linux" and os.geteuid() == 0:
        arena.add("not tried: root may write everywhere")
        return
    start = reference(arena.folder, "dataset=ring", PLAIN)
    stopped = stopped_run(start, arena.folder)
    cases = [
        [*start.words, "hydra.run.dir=locked/new"],
        [*start.words, "-m", "seed=1,2", "hydra.sweep.dir=locked/sweep"],
        ["gan-train", "resume=locked/stopped"],
        ["gan-sample", "locked/stopped", "n=2"],
        ["gan-eval", "locked/stopped", "device=cpu"],
        ["gan-report", "locked/stopped"],
        ["gan-export", "locked/stopped"],
        ["gan-runs", "delete", "locked/stopped", "status=stopped", "--yes"],
    ]

    def play(attempt: Try, words: list[str]) -> str | None:
        locked = attempt.folder / "locked"
        shutil.copytree(stopped, locked / "stopped")
        before = contents(locked)
        for path in (*locked.rglob("*"), locked):
            path.chmod(0o555 if path.is_dir() else 0o444)
        answer = call(words, attempt.folder, without_privileges)
        changed = contents(locked) != before
        for path in (locked, *locked.rglob("*")):
            path.chmod(0o755)
        return refusal_problem(answer) or ("written all the same" if changed else None)

    arena.over(cases, play)
    arena.add("as root without capabilities" if os.geteuid() == 0 else "as this user")


def contents(folder: Path) -> dict[Path, bytes]:
    """Return the content of each file in a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def without_privileges() -> None:
    """Give up what lets root write everywhere: all capabilities of this process."""
    if os.geteuid() == 0:
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        if ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)()):
            raise OSError(ctypes.get_errno(), "capset")
