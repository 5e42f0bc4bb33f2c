"""Devices and CPU threads of the processes of a run."""

import torch

from gan_cli.errors import UserError
from gan_cli.parallel.ranks import Ranks


def threads_of(ranks: Ranks, threads: int | None) -> int | None:
    """Return the number of CPU threads of this process where a job has so many; None: torch's default."""
    if ranks.threads is None:
        return threads
    return max(1, (threads or ranks.threads) // ranks.local_count)


def device_of(ranks: Ranks, name: str, chosen: torch.device) -> torch.device:
    """Return the device of this process.

    Args:
        ranks: The processes of the run.
        name: The device as it was configured.
        chosen: The device that one process alone would have.

    Raises:
        UserError: If several processes cannot compute on it.
    """
    if ranks.count == 1 or chosen.type == "cpu":
        return chosen
    if chosen.type != "cuda" or name.startswith("cuda:"):
        raise UserError(
            f"device={name}: {ranks.count} processes compute on CPUs, or each on a GPU of its own.\n"
            "Use device=cpu or device=cuda, or processes=1."
        )
    return torch.device("cuda", ranks.local_rank % torch.cuda.device_count())
