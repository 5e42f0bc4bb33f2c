"""The place of a process among those that were started with it, as the environment states it."""

import pytest

from gan_cli.cli import among
from gan_cli.parallel.launched import Launch, first_node, launched, led, tasks_per_node
from gan_cli.training import together

STEP = {
    "SLURM_STEP_NUM_TASKS": "9",
    "SLURM_STEP_TASKS_PER_NODE": "4(x2),1",
    "SLURM_STEP_NODELIST": "gpu[03-05]",
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
    "SLURM_JOB_ID": "123456",
}


@pytest.fixture
def place(monkeypatch):
    """``place(**variables)`` sets the environment of a process that was started alone otherwise."""
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", *STEP):
        monkeypatch.delenv(name, raising=False)

    def set_variables(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_variables


def test_tasks_of_slurm(place):
    assert launched() is None
    place(**STEP)
    assert launched() == Launch(5, 9, 1, 4, "gpu03", 23456, False, False)
    place(MASTER_ADDR="10.0.0.1", MASTER_PORT="29500")
    assert launched()[4:6] == ("10.0.0.1", 29500)


def test_tasks_of_one_node_meet_there(place):
    place(**STEP | {"SLURM_STEP_TASKS_PER_NODE": "9", "SLURM_NODEID": "0"})
    assert launched()[3:5] == (9, "127.0.0.1")


def test_a_single_task_is_alone_and_torchrun_inside_a_job_counts(place):
    place(**STEP | {"SLURM_STEP_NUM_TASKS": "1"})
    assert launched() is None
    place(SLURM_STEP_NUM_TASKS="9", RANK="1", WORLD_SIZE="2", MASTER_ADDR="x", MASTER_PORT="1")
    assert launched()[:2] == (1, 2)


@pytest.mark.parametrize(
    ("nodes", "first"),
    [("a,b", "a"), ("n1", "n1"), ("n[1-2]", "n1"), ("gpu[03,05-09],c[1-3]", "gpu03"), ("r[2-3]n0,x", "r2n0")],
)
def test_the_first_node_of_a_list(nodes, first):
    assert first_node(nodes) == first


@pytest.mark.parametrize(("text", "counts"), [("2", [2]), ("4(x2),1", [4, 4, 1]), ("1,2,1(x3)", [1, 2, 1, 1, 1])])
def test_the_tasks_of_each_node(text, counts):
    assert tasks_per_node(text) == counts


def test_task_0_leads_and_the_others_follow(place, monkeypatch):
    monkeypatch.setattr(together, "follow", lambda launch: f"follows as {launch.rank}")
    monkeypatch.setattr("gan_cli.parallel.team.dismiss", lambda launch: None)
    assert among.led_or_followed(lambda: "alone") == "alone"
    place(**STEP)
    assert among.led_or_followed(lambda: "alone") == "follows as 5"
    place(SLURM_PROCID="0")
    assert among.led_or_followed(led).rank == 0
    assert led() is None
