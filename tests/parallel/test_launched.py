"""Processes that torchrun has started: their places, runs that process 0 does not begin, and sweeps."""

import pytest
from torch.distributed import TCPStore

from gan_cli.cli import app
from gan_cli.errors import UserError
from gan_cli.parallel import team
from gan_cli.parallel.launched import Launch, launched, leading, led

LAUNCH = Launch(1, 4, 1, 2, "127.0.0.1", 29500, is_hosted=True, is_spawned=False)


def test_the_place_of_a_process_is_read_from_its_environment(monkeypatch):
    for name in LAUNCH.environment():
        monkeypatch.delenv(name, raising=False)
    assert launched() is None
    for name, value in LAUNCH.environment().items():
        monkeypatch.setenv(name, value)
    assert launched() == LAUNCH
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert launched() is None


def test_the_other_processes_end_where_process_0_trains_nothing_and_follow_where_it_does():
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    first = LAUNCH._replace(rank=0, port=store.port)
    team.dismiss(first)
    assert team.job_of(first._replace(rank=1)) == b""
    store.set(team.JOB, b"{}")
    team.dismiss(first)
    assert team.job_of(first._replace(rank=2)) == b"{}"


def test_torchrun_starts_no_sweep():
    with leading(LAUNCH), pytest.raises(UserError, match="the processes of one run, and no sweep"):
        app.launch_train(["dataset=ring", "seed=1,2"], multirun=True)
    assert led() is None
