"""Faults of every kind against all commands, and one table of what was lost.

    make torture                                 # all rows, at most 30 minutes on two cores
    make torture-long                            # the same with ten times the tries
    make torture ROWS="kill numbers" SEED=3      # some rows
    make torture ROWS=kill SEED=3 TRY=17         # one try, as a loss names it

A try that loses something prints how to repeat it, and keeps its folder. Everything is written below one temporary folder.
"""

import os
import sys
import tempfile
from pathlib import Path


def temporary_folder() -> Path:
    """Make the folder below which everything is written, and let all programs write there."""
    top = Path(tempfile.mkdtemp(prefix="torture-")).resolve()
    places = {"HOME": top / "home", "TMPDIR": top, "XDG_CACHE_HOME": top / "cache", "XDG_STATE_HOME": top / "state"}
    places["HOME"].mkdir()
    os.environ |= {"OMP_NUM_THREADS": "1", **{name: str(place) for name, place in places.items()}}
    return top


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])
    folder = temporary_folder()
    from torture.program import main

    sys.exit(main(folder))
