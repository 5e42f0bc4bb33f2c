"""The words ``from=RUN@STEP``, ``resume=auto`` and ``train.steps=+N``: the config that they lead to, and what they refuse."""

import shutil

import pytest

from gan_cli.cli.earlier_run import reached_by
from gan_cli.files import write_json

pytestmark = pytest.mark.slow


@pytest.fixture
def begun(call, jobs, tmp_path):
    """The run ``a``, with a checkpoint of step 5, and its config."""
    words = ["loss=wgan", "regularizer.penalty.weight=3", "optimizer.lr=0.25", "seed=7", "train.steps=9", "debug=true"]
    assert call("train", *words, "hydra.run.dir=a").code == 0
    checkpoints = tmp_path / "work" / "a" / "checkpoints"
    checkpoints.mkdir()
    (checkpoints / "step_00000005.pt").touch()
    return jobs.trained.pop()["cfg"]


def test_a_run_goes_on_with_the_config_of_another_and_what_is_changed(call, jobs, begun, tmp_path):
    answer = call("train", "from=a@5", "optimizer.lr=0.125", "train.steps=+100")
    assert (answer.code, answer.err) == (0, "")
    changed = {"lr": 0.125, "generator": {"lr": 0.125}, "discriminator": {"lr": 0.125}}
    expected = {**begun, "from": "a@5", "debug": False, "optimizer": {**begun["optimizer"], **changed}}
    assert jobs.trained[0]["cfg"] == {**expected, "train": {**begun["train"], "steps": 105}}
    assert jobs.trained[0]["folder"].name.endswith("_points_wgan")


def test_a_whole_group_is_exchanged_with_the_settings_of_its_options(call, jobs, begun):
    assert call("train", "from=a@5", "regularizer=spectral", "loss=hinge").code == 0
    cfg = jobs.trained[0]["cfg"]
    assert cfg["regularizer"] == {"spectral": {"_target_": "m.Spectral", "n_iterations": 1}}
    assert cfg["loss"] == {"_target_": "m.Hinge"}
    assert (cfg["seed"], cfg["optimizer"]["lr"]) == (7, 0.25)


def test_a_run_whose_words_were_not_recorded_is_composed_from_its_config(call, jobs, begun, tmp_path):
    shutil.rmtree(tmp_path / "work" / "a" / ".hydra")
    assert call("train", "from=a@5").code == 0
    assert jobs.trained.pop()["cfg"] == {**begun, "from": "a@5", "debug": False}
    assert call("train", "from=a@5", "optimizer.lr=0.125").code == 0
    assert jobs.trained.pop()["cfg"]["optimizer"]["generator"] == {"lr": 0.125}, "it follows the common rate"


def test_own_options_are_asked_for_while_they_are_there(call, jobs, begun, tmp_path):
    own = tmp_path / "own" / "loss"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("_target_: m.Mine\nmargin: 1.0\n")
    assert call("train", "--config-dir", str(own.parent), "loss=mine", "model=other", "hydra.run.dir=runs/b").code == 0
    trained = jobs.trained.pop()["cfg"]
    (tmp_path / "work" / "runs" / "b" / "checkpoints").mkdir()
    (tmp_path / "work" / "runs" / "b" / "checkpoints" / "step_00000005.pt").touch()
    answer = call("train", "from=runs/b@5", "optimizer.lr=0.125")
    assert answer.code == 2
    assert "from=runs/b@5: no loss named 'mine'." in answer.err
    assert answer.err.endswith(f"The run was started with --config-dir {own.parent}: add it.\n")
    assert call("train", "--config-dir", str(own.parent), "from=runs/b@5").code == 0
    assert jobs.trained.pop()["cfg"] == {**trained, "from": "runs/b@5"}
    shutil.rmtree(own.parent)
    assert call("train", "from=runs/b@5").code == 0, "the config of the run holds all values"
    assert jobs.trained.pop()["cfg"] == {**trained, "from": "runs/b@5"}


def test_recorded_words_can_do_no_more_than_compose_the_stored_config(call, jobs, begun, tmp_path):
    recorded = tmp_path / "work" / "a" / ".hydra" / "overrides.yaml"
    recorded.write_text(
        "- trust=[m]\n- hydra.run.dir=elsewhere\n- seed=${oc.env:HOME}\n- loss=plain\n- nonsense=1\n- method=x\n"
    )
    assert call("train", "from=a@5", "hydra.run.dir=b").code == 0
    assert jobs.trained[0]["cfg"] == {**begun, "from": "a@5", "debug": False}
    assert not (tmp_path / "work" / "elsewhere").exists()


def test_several_checkpoints_of_a_run_are_a_sweep(call, jobs, begun, tmp_path):
    (tmp_path / "work" / "a" / "checkpoints" / "step_00000003.pt").touch()
    answer = call("train", "-m", "from=a@3,a@5", "optimizer.lr=0.5")
    assert answer.code == 0, answer.err
    assert [job["cfg"]["from"] for job in jobs.trained] == ["a@3", "a@5"]
    assert {job["cfg"]["optimizer"]["lr"] for job in jobs.trained} == {0.5}


LEAD_NOWHERE = [
    (["from=nowhere"], "no run in nowhere"),
    (["from=a@4"], "from=a@4: there is no such checkpoint. There are: 5."),
    (["from=a@5,a@5"], "no run in a@5,a"),
    (["from=a@5", "init_from=a"], "from takes over all players: leave init_from out"),
    (["resume=auto"], "resume=auto continues the run in its folder: name it, as in hydra.run.dir=outputs/mine."),
    (["resume=auto", "hydra.run.dir=a", "train.steps=+5"], "train.steps=+N is another number each time"),
    (["resume=auto", "hydra.run.dir=a", "loss=wgan"], "a holds a run with another config: seed=0 instead of 7"),
    (["resume=auto", "hydra.run.dir=b", "-m"], "resume continues one run: leave out -m."),
]


def test_words_that_lead_nowhere_are_answered_in_a_line_or_two(call, jobs, begun):
    for words, said in LEAD_NOWHERE:
        answer = call("train", *words)
        assert (answer.code, jobs.trained) == (2, []), words
        assert answer.err.startswith(f"gan-train: {said}")
        assert len(answer.err.splitlines()) <= 2, words


def test_an_origin_in_a_file_is_refused(call, conf):
    (conf / "experiment" / "on.yaml").write_text("# @package _global_\nfrom: somewhere\n")
    answer = call("train", "experiment=on")
    assert (answer.code, answer.err) == (2, "gan-train: from belongs on the command line: gan-train from=RUN_DIR@STEP.\n")


def test_a_folder_is_started_and_then_continued(call, jobs, tmp_path):
    words = ["resume=auto", "hydra.run.dir=b", "loss=wgan", "train.steps=9"]
    assert call("train", *words).code == 0
    assert jobs.trained[0]["cfg"]["resume"] is None
    answer = call("train", *words, "log_every=3")
    assert (answer.code, answer.out) == (0, "continues b\n")
    assert jobs.trained[1]["cfg"] == {**jobs.trained[0]["cfg"], "resume": "b", "log_every": 3}
    other = call("train", *words, "seed=1", "optimizer.lr=1")
    assert other.code == 2
    assert other.err.startswith("gan-train: b holds a run with another config: seed=1 instead of 0, ")
    assert len(other.err.splitlines()) == 1


def test_a_folder_that_goes_on_from_another_run_is_continued(call, jobs, begun, tmp_path):
    words = ["resume=auto", "hydra.run.dir=b", "from=a@5", "optimizer.lr=1"]
    assert [call("train", *words).code for _ in range(2)] == [0, 0]
    assert [job["cfg"]["resume"] for job in jobs.trained] == [None, "b"]
    answer = call("train", "resume=auto", "hydra.run.dir=b", "from=a", "optimizer.lr=1")
    assert (answer.code, answer.out) == (0, "continues b\n"), "from=RUN is the checkpoint that was the newest at the start"


def test_a_resumed_run_plays_further_rounds(call, jobs, begun):
    assert call("train", "resume=a", "train.steps=+1000").code == 0
    assert jobs.trained[0]["cfg"]["train"]["steps"] == 1005


@pytest.mark.parametrize(("result", "step"), [({"status": "finished", "step": 500}, 500), ({}, 20)])
def test_a_run_has_reached_its_result_or_its_last_checkpoint(tmp_path, result, step):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "step_00000020.pt").touch()
    write_json(tmp_path / "result.json", result)
    assert reached_by(tmp_path) == step


def test_a_number_of_further_steps_must_be_a_number(call, jobs, begun):
    assert call("train", "resume=a", "train.steps=+x").err.startswith("gan-train: train.steps must be an integer, not ")
