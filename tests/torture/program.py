"""The command: plays rows, some at a time, and prints the table."""

import argparse
import os
import pickle
import shutil
import sys
import time
import traceback
from pathlib import Path

from rich.console import Console
from rich.table import Table

from torture.arena import Arena, Row
from torture.children import warm
from torture.rows import ROWS

console = Console(width=int(os.environ.get("COLUMNS", "140")))


def main(top: Path) -> int:
    """Play the rows, print the table, and return 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="torture")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"all of: {' '.join(row.name for row in ROWS)}")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the time and the number of tries")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="number of the one try to play")
    parser.add_argument("--side-by-side", type=int, default=min(2, os.cpu_count() or 1), help="rows at a time")
    asked = parser.parse_args()
    if unknown := set(asked.rows) - {row.name for row in ROWS}:
        parser.error(f"no such row: {' '.join(sorted(unknown))}")
    rows = [row for row in ROWS if not asked.rows or row.name in asked.rows]
    console.print(f"seed {asked.seed}, scale {asked.scale:g}, below {top}")
    warm()
    played = play(rows, asked, top)
    table = Table("fault", "tries", "losses", "seconds", "remark")
    for row in rows:
        arena, seconds = played[row.name]
        lost = len(arena.losses)
        table.add_row(row.name, str(arena.tries), f"[red]{lost}[/]" if lost else "0", f"{seconds:.0f}", arena.remark)
    console.print(table)
    losses = sum(len(arena.losses) for arena, _ in played.values())
    if not losses:
        shutil.rmtree(top, ignore_errors=True)
    return int(losses > 0)


def play(rows: list[Row], asked: argparse.Namespace, top: Path) -> dict[str, tuple[Arena, float]]:
    """Play each row in a process of its own, some at a time."""
    waiting, running, played = list(rows), {}, {}
    while waiting or running:
        while waiting and len(running) < asked.side_by_side:
            row = waiting.pop(0)
            arena = Arena(row.name, top / row.name, row.seconds * asked.scale, asked.scale, asked.seed, asked.only)
            arena.folder.mkdir()
            sys.stdout.flush()
            pid = os.fork()
            if pid == 0:
                play_row(row, arena)
            running[pid] = row, arena, time.monotonic()
        pid, _ = os.wait()
        row, arena, began = running.pop(pid)
        result = arena.folder / "arena.pickle"
        if result.exists():
            arena = pickle.loads(result.read_bytes())
        else:
            arena.losses.append(f"{row.name}: the row itself was killed")
        played[row.name] = arena, time.monotonic() - began
        console.print(f"{row.name}: {arena.tries} tries, {len(arena.losses)} losses", highlight=False)
        for loss in arena.losses:
            console.print(loss, markup=False, highlight=False, soft_wrap=True)
    return played


def play_row(row: Row, arena: Arena) -> None:
    """Play a row in this process, leave its result in a file, and end the process."""
    try:
        row.play(arena)
    except Exception:
        arena.losses.append(f"{row.name}: the row itself failed: {traceback.format_exc()}")
    (arena.folder / "arena.pickle").write_bytes(pickle.dumps(arena))
    os._exit(0)
