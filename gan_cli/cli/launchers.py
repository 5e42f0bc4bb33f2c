"""Launchers of Hydra: where they run the jobs of a sweep, and what share of a machine each job has."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan_cli.errors import UserError

DEALT = {"auto", "cuda"}
"""The values of ``device`` for which GPUs are dealt out; ``cuda:1`` names one itself."""
ALL = -1
"""The default of ``hydra.launcher.n_jobs``."""
ASKING = ("gpus_per_node", "gpus_per_task", "gres")
"""Keys of ``hydra.launcher`` by which a job asks Slurm for GPUs."""


def is_parallel(launcher: Any) -> bool:
    """Return True if ``launcher``, the node of its config, runs several jobs at a time in workers of this process."""
    return "joblib" in launcher._target_


def is_sent(launcher: Any) -> bool:
    """Return True if ``launcher``, the node of its config, starts jobs by submitit, which may outlive this process."""
    return "submitit" in launcher._target_


def is_slurm(launcher: Any) -> bool:
    """Return True if ``launcher``, the node of its config, sends jobs to Slurm."""
    return is_sent(launcher) and bool(launcher._target_.endswith(".SlurmLauncher"))


def unfinished(launcher: Any) -> str:
    """Return what the table of an interrupted sweep says of a job without a result."""
    return "not finished, and maybe queued" if is_slurm(launcher) else "interrupted"


def gpus_for(launcher: Any, devices: Mapping[str, int]) -> list[str]:
    """Return the shares of GPUs to be dealt out, as ``CUDA_VISIBLE_DEVICES`` names them; none where jobs do not ask for any.

    Args:
        launcher: The node of the launcher's config.
        devices: The values of ``device`` of all jobs, and for each the largest number of processes that compute a job.
    """
    if not (is_parallel(launcher) and devices and devices.keys() <= DEALT):
        return []
    gpus, size = _gpus(), max(devices.values())
    return [",".join(gpus[start : start + size]) for start in range(0, len(gpus) - size + 1, size)]


def n_workers(launcher: Any, gpus: Sequence[str]) -> int:
    """Return the number of jobs that run at the same time: unless it is given one per share of GPUs, or per CPU without."""
    if not is_parallel(launcher):
        return 1
    from joblib import effective_n_jobs

    return len(gpus) if gpus and launcher.n_jobs == ALL else int(effective_n_jobs(launcher.n_jobs))


def thread_share(launcher: Any, n_jobs: int, gpus: Sequence[str]) -> int | None:
    """Return the number of CPU threads of each of ``n_jobs`` jobs. None: all of the machine that it runs on."""
    if cpus := launcher.get("cpus_per_task"):
        return int(cpus)
    if not is_parallel(launcher) and (is_slurm(launcher) or not is_sent(launcher)):
        return None
    from joblib import cpu_count

    return max(1, int(cpu_count()) // (min(n_workers(launcher, gpus), n_jobs) if is_parallel(launcher) else n_jobs))


def refuse_choice_of_this_machine(launcher: Any, device: str, keys: Sequence[str]) -> None:
    """Check that no job for a GPU runs in what would be chosen for the CPU of the machine that it is sent from.

    Args:
        launcher: The node of the launcher's config.
        device: The value of ``device``.
        keys: The keys that are ``auto``.

    Raises:
        UserError: If it would.
    """
    wants_gpu = device.startswith("cuda") or (device == "auto" and any(launcher.get(key) for key in ASKING))
    if keys and is_slurm(launcher) and wants_gpu and not _gpus():
        raise UserError(
            f"{' and '.join(keys)}: auto is chosen by the device, and the jobs' GPU is not in this machine.\n"
            "Say what they are to use, for example precision=bf16 memory_format=channels_last."
        )


def _gpus() -> list[str]:
    from gan_cli import device  # imports torch

    return device.gpus()
