"""The place of this process among those of torchrun, Slurm, or a run with ``processes=N``. Standard library only."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

SPAWNED = "GAN_CLI_SPAWNED"
"""Environment variable of the processes that a run has started itself, beside those of torchrun."""
HERE = "127.0.0.1"
"""Address of the store if all processes are on one machine."""
PORTS = range(20000, 30000)
"""Ports for jobs of Slurm; Linux gives those from 32768 on to connections."""


class Launch(NamedTuple):
    """A process among several.

    Attributes:
        rank: Its number, from 0.
        world: Number of processes.
        local_rank: Its number among those of this machine.
        local_count: Number of processes on this machine.
        address: Host of the store at which the processes meet.
        port: Port of the store.
        is_hosted: True if the launcher has opened the store; otherwise process 0 opens it.
        is_spawned: True if process 0 has started this one.
    """

    rank: int
    world: int
    local_rank: int
    local_count: int
    address: str
    port: int
    is_hosted: bool
    is_spawned: bool

    def environment(self) -> dict[str, str]:
        """Return the environment variables from which ``launched`` reads this."""
        return {
            "RANK": str(self.rank),
            "WORLD_SIZE": str(self.world),
            "LOCAL_RANK": str(self.local_rank),
            "LOCAL_WORLD_SIZE": str(self.local_count),
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port),
            "TORCHELASTIC_USE_AGENT_STORE": str(self.is_hosted),
            SPAWNED: str(int(self.is_spawned)),
        }


def launched() -> Launch | None:
    """Return the place of this process as its environment states it, None if it was started alone.

    The processes are those of torchrun, of a run with ``processes=N``, or the tasks that ``srun`` has started.
    """
    environment = os.environ
    if "RANK" not in environment and int(environment.get("SLURM_STEP_NUM_TASKS", 1)) > 1:
        return task_of(environment)
    if not {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= environment.keys() or environment["WORLD_SIZE"] == "1":
        return None
    rank, world = int(environment["RANK"]), int(environment["WORLD_SIZE"])
    return Launch(
        rank,
        world,
        int(environment.get("LOCAL_RANK", rank)),
        int(environment.get("LOCAL_WORLD_SIZE", world)),
        environment["MASTER_ADDR"],
        int(environment["MASTER_PORT"]),
        environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
        environment.get(SPAWNED) == "1",
    )


def task_of(environment: Mapping[str, str]) -> Launch:
    """Return the place of this process among the tasks of its job step, as Slurm states it.

    Task 0 runs on the first node, whose name is the address unless ``MASTER_ADDR`` is set. The port follows from the number of
    the job unless ``MASTER_PORT`` is set.
    """
    on_node = tasks_per_node(environment["SLURM_STEP_TASKS_PER_NODE"])
    first = HERE if len(on_node) == 1 else first_node(environment["SLURM_STEP_NODELIST"])
    return Launch(
        int(environment["SLURM_PROCID"]),
        int(environment["SLURM_STEP_NUM_TASKS"]),
        int(environment["SLURM_LOCALID"]),
        on_node[int(environment["SLURM_NODEID"])],
        environment.get("MASTER_ADDR", first),
        int(environment.get("MASTER_PORT", PORTS.start + int(environment["SLURM_JOB_ID"]) % len(PORTS))),
        False,
        False,
    )


def tasks_per_node(text: str) -> list[int]:
    """Return the number of tasks of each node, written by Slurm as ``4(x2),1``."""
    parts = (re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part) for part in text.split(","))
    return [int(part[1]) for part in parts if part for _ in range(int(part[2] or 1))]


def first_node(text: str) -> str:
    """Return the first of a list of nodes, written by Slurm as ``gpu[03-05,9],cpu1``."""
    return re.sub(r"^([^,\[]*)(?:\[([^],-]*)[^]]*\])?([^,]*).*", r"\1\2\3", text)


_leading: list[Launch] = []


@contextmanager
def leading(launch: Launch) -> Iterator[None]:
    """Let the run that this process trains inside the context be computed by all processes of ``launch``."""
    _leading.append(launch)
    try:
        yield
    finally:
        _leading.remove(launch)


def led() -> Launch | None:
    """Return the launch whose process 0 this is; None if there is none."""
    return _leading[-1] if _leading else None
