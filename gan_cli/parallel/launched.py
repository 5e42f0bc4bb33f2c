"""The place of this process among those that torchrun, or a run with ``processes=N``, has started. Standard library only."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

SPAWNED = "GAN_CLI_SPAWNED"
"""Environment variable of the processes that a run has started itself, beside those of torchrun."""


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
    """Return the place of this process as its environment states it, None if it was started alone."""
    environment = os.environ
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
