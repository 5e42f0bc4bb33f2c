"""Slurm's daemons on this machine: a controller, two nodes, and munge, which tells them who asks."""

import os
import platform
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool-%n
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd-%n.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Return why Slurm cannot be started here, None if it can."""
    os.environ["PATH"] += f"{os.pathsep}/usr/sbin"
    if absent := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"no {', '.join(absent)} here; on Debian: apt-get install slurmctld slurmd munge slurm-client"
    return None if os.geteuid() == 0 else "Slurm's daemons are started by root"


@contextmanager
def running(place: Path) -> Iterator[str]:
    """Start the daemons, with all their files in ``place``, yield the version of Slurm, and stop them."""
    (place / "state").mkdir(parents=True)
    conf = CONF.format(place=place, host=platform.node().partition(".")[0], ports=free_ports(3))
    (place / "slurm.conf").write_text(conf)
    key = place / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    os.environ["SLURM_CONF"] = str(place / "slurm.conf")
    files = [f"--{name}={place}/munge.{name.partition('-')[0]}" for name in ("socket", "pid-file", "log-file", "seed-file")]
    with ExitStack() as stack:
        for command in (
            ["munged", "--foreground", "--force", f"--key-file={key}", *files],
            ["slurmctld", "-D", "-c"],
            ["slurmd", "-D", "-N", "n1"],
            ["slurmd", "-D", "-N", "n2"],
        ):
            stack.enter_context(daemon(command, place))
            time.sleep(1)
        deadline = time.monotonic() + 60
        while "idle" not in (nodes := shown("sinfo", "--noheader", "--format=%T %D")) or " 2" not in nodes:
            if time.monotonic() > deadline:
                raise SystemExit(f"the nodes do not come up: {nodes}; see {place}")
            time.sleep(0.5)
        try:
            yield shown("sinfo", "--version")
        finally:
            shown("scancel", f"--user={os.geteuid()}")
            time.sleep(2)


def free_ports(n: int) -> list[int]:
    """Return ports that nothing listens at."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@contextmanager
def daemon(command: list[str], place: Path) -> Iterator[None]:
    """Run a daemon in the foreground, what it prints in a file, until the context ends."""
    with (place / f"{command[0]}.log").open("a") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()


def shown(*command: str) -> str:
    """Return what a command prints."""
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()
