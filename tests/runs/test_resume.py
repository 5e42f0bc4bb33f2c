"""Resumed runs: without a checkpoint, at their end, beyond it, after a kill, and with damaged checkpoints."""

import json
import shutil

import pytest
from omegaconf import OmegaConf
from support import configs
from support.runs import differences, outcome, result, set_trained_config, state, train
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_cli.config.identity import edits
from gan_cli.errors import DamageWarning, UserError
from gan_cli.evaluation.sweeps import SweepRun
from gan_cli.files import temporary_name
from gan_cli.inference.load import load
from gan_cli.report.records.runs import RunRecord
from gan_cli.runs import checkpoint, logger
from gan_cli.runs.trained import trained_config

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cfg():
    return configs.config(
        "features=identity", "train.steps=10 log_every=1 eval_every=5 sample_every=0 checkpoint_every=5 ema=0.9"
    )


@pytest.fixture(scope="module")
def original(cfg, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "original"
    train(cfg, folder)
    return folder


@pytest.fixture
def finished(original, tmp_path):
    """The folder of a run of ten rounds with checkpoints of 5 and 10."""
    return shutil.copytree(original, tmp_path / "run")


def forget(folder, *steps: int) -> None:
    """As if the run had been killed before these checkpoints were written."""
    (folder / "result.json").unlink(missing_ok=True)
    for step in steps:
        checkpoint.path_of(folder, step).unlink()


def forget_rows_after(step: int, folder) -> None:
    """As if the run had been killed after it logged ``step``."""
    path = folder / "metrics.jsonl"
    rows = [line for line in path.read_text().splitlines(keepends=True) if json.loads(line)["step"] <= step]
    path.write_text("".join(rows))


def files(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_no_checkpoint_yet_starts_at_0(cfg, finished, tmp_path, capsys):
    reference = outcome(finished)
    forget(finished, 5, 10)
    forget_rows_after(5, finished)
    train(cfg, finished, resume=True)
    assert "continuing at step 0: the run has not written a checkpoint yet" in capsys.readouterr().out
    assert differences(outcome(finished), reference) == []


def test_players_whose_turn_never_comes_are_named(tmp_path, capsys):
    """And none of them where the last phase is reached, or where somebody froze them."""
    cfg = configs.config("game=c_rnn_gan", "train.steps=1 eval_every=0 sample_every=0 metric.n_samples=0")
    cfg.schedule.phases.pretraining.rounds = 1
    train(cfg, tmp_path / "short")
    said = capsys.readouterr().out
    assert "warning: train.steps=1 ends before the first turn of discriminator, generator: see schedule.phases" in said
    train(cfg, tmp_path / "frozen", "frozen=[discriminator,generator]")
    train(cfg, tmp_path / "long", "train.steps=2")
    assert "warning" not in capsys.readouterr().out


def test_finished_already_says_so(cfg, finished, capsys):
    before = files(finished)
    for steps, fewer in ((10, ""), (7, "; train.steps=7 leaves nothing to do")):
        assert train(cfg, finished, f"train.steps={steps}", resume=True) == result(finished)["objective"]
        said = " ".join(capsys.readouterr().out.split())
        assert f"is finished already, at step 10{fewer}. To train on: gan-train resume={finished} train.steps=20" in said
    assert files(finished) == before


def test_more_steps_go_on(cfg, finished, tmp_path):
    train(cfg, finished, "train.steps=14", resume=True)
    train(cfg, tmp_path / "whole", "train.steps=14")
    assert result(finished)["step"] == 14
    a, b = outcome(finished), outcome(tmp_path / "whole")
    assert differences({**a, "pictures": None}, {**b, "pictures": None}) == []
    assert set(a["pictures"]) - set(b["pictures"]) == {"step_00000010.png"}, "drawn at what was the end once"


def test_beyond_what_is_asked_for_is_no_way_back(cfg, finished):
    forget(finished)
    with pytest.raises(UserError, match=r"is at step 10 already: train\.steps=7"):
        train(cfg, finished, "train.steps=7", resume=True)
    assert train(cfg, finished, resume=True) == state_metric(finished), "killed between the last checkpoint and the result"
    assert result(finished)["step"] == 10


def state_metric(folder) -> float:
    return logger.read(folder)[-1]["metric/fd"]


def test_each_step_once_after_a_kill(cfg, tmp_path):
    """To 8 with a checkpoint of 6, killed: what was logged of 7 and 8 is taken back and logged anew."""
    folder, settings = tmp_path / "run", "log_every=2 eval_every=4 checkpoint_every=6 sample_every=4"
    train(cfg, folder, f"train.steps=8 {settings}")
    logged = outcome(folder)["numbers"]
    forget(folder, 8)
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"step": 10, "loss/gen')  # the line it was killed in
    train(cfg, folder, f"train.steps=12 {settings}", resume=True)
    train(cfg, tmp_path / "whole", f"train.steps=12 {settings}")
    assert differences(outcome(folder), outcome(tmp_path / "whole")) == []
    assert logged == outcome(folder)["numbers"][: len(logged)]
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    found.Reload()
    for tag in found.Tags()["scalars"]:
        every, start = (4, 0) if tag.startswith(("metric/", "time/evaluation")) else (2, 2)
        assert [event.step for event in found.Scalars(tag)] == list(range(start, 13, every)), tag
    assert [event.step for event in found.Images("samples")] == list(range(0, 13, 4))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[:-30], id="end missing"),
        pytest.param(lambda content: flipped(content, len(content) // 2), id="bit flipped in a tensor"),
        pytest.param(lambda content: content[: len(content) // 2], id="half", marks=pytest.mark.long),
        pytest.param(lambda content: b"", id="empty", marks=pytest.mark.long),
        pytest.param(lambda content: flipped(content, content.index(b"ema") + 4000), id="bit flipped", marks=pytest.mark.long),
    ],
)
def test_the_checkpoint_before_a_damaged_one(cfg, finished, damage, capsys):
    reference = outcome(finished)
    newest = checkpoint.path_of(finished, 10)
    newest.write_bytes(damage(newest.read_bytes()))
    forget(finished)
    train(cfg, finished, resume=True)
    said = capsys.readouterr().out
    assert f"warning: checkpoint {newest}" in said
    assert "continuing at step 5" in said
    assert differences(outcome(finished), reference) == []


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


def test_a_damaged_checkpoint_does_not_count_among_those_kept(cfg, finished):
    newest = checkpoint.path_of(finished, 10)
    newest.write_bytes(newest.read_bytes()[:100])
    forget(finished)
    for number in (7, 8):
        train(cfg, finished, f"train.steps={number} checkpoint_every=0 keep_checkpoints=2", resume=True)
    assert checkpoint.steps_in(finished) == [7, 8, 10]


def test_all_checkpoints_damaged(cfg, finished):
    forget(finished)
    for step in (5, 10):
        path = checkpoint.path_of(finished, step)
        path.write_bytes(path.read_bytes()[:100])
    before = files(finished)
    with pytest.raises(UserError, match="holds no readable checkpoint"):
        train(cfg, finished, resume=True)
    assert files(finished) == before


def test_a_checkpoint_of_something_else(cfg, finished):
    import torch

    forget(finished, 5)
    path = checkpoint.path_of(finished, 10)
    for content in ({"step": 10}, [1], torch.zeros(3)):
        torch.save(content, path)
        with pytest.raises(UserError, match="is not a checkpoint of this program"):
            train(cfg, finished, resume=True)


def test_a_folder_that_holds_a_run_is_refused(cfg, finished):
    before = files(finished)
    for steps in (10, 20):
        with pytest.raises(UserError, match=r"holds a run already: .*resume="):
            train(cfg, finished, f"train.steps={steps}")
    assert files(finished) == before


def test_another_data_set_is_refused(cfg, finished):
    set_trained_config(finished, OmegaConf.merge(cfg, {"train": {"steps": 20}, "dataset": {"max_samples": 12}}))
    with pytest.raises(UserError, match="has changed since its checkpoint"):
        train(cfg, finished, "train.steps=20 dataset.max_samples=12", resume=True)


def test_other_players_are_refused_in_a_sentence(cfg, finished):
    set_trained_config(finished, OmegaConf.merge(cfg, {"model": {"generator": {"width": 8}}}))
    with pytest.raises(UserError) as error:
        train(cfg, finished, "train.steps=20 model.generator.width=8", resume=True)
    assert "does not fit" in str(error.value)
    assert len(str(error.value).splitlines()) <= 2
    assert state(finished)["step"] == 10


def test_a_learning_rate_that_has_come_to_nothing_is_not_trained_on(tmp_path):
    cfg = configs.config("dataset=ring learning_rate=linear", "train.steps=4 sample_every=0")
    cfg.learning_rate.end = 4  # as config.yaml keeps it
    train(cfg, tmp_path / "run")
    with pytest.raises(UserError, match=r"learning rate of .* reaches 0 before step 8"):
        train(cfg, tmp_path / "run", "train.steps=8", resume=True)


def test_what_a_killed_save_left_is_cleared_away(cfg, finished):
    """Whichever file of the run it was; a file that another command may be writing stays."""
    names = ("checkpoints/step_00000010.pt", "samples/step_00000010.png", "metrics.jsonl", "config.yaml", "eval.json")
    leftovers = [path.with_name(temporary_name(path, "1")) for path in map(finished.joinpath, names)]
    for leftover in leftovers:
        leftover.write_bytes(b"half")
    train(cfg, finished, "train.steps=11", resume=True)
    assert [leftover.exists() for leftover in leftovers] == [False, False, False, False, True]


@pytest.mark.parametrize("last", [10, 8], ids=["finished", "killed after the first checkpoint"])
def test_checkpoints_that_are_gone_are_missed(cfg, finished, last):
    """The run would start at 0 and overwrite its curves."""
    shutil.rmtree(finished / "checkpoints")
    if last < 10:
        forget(finished)
        forget_rows_after(last, finished)
    before = files(finished)
    with pytest.raises(
        UserError, match=rf"was trained to step {last}, but its checkpoints are gone: .*\n.* or remove this one"
    ):
        train(cfg, finished, "train.steps=20", resume=True)
    assert files(finished) == before


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("train.batch_size=3", r"train\.batch_size=3 instead of 4"),
        ("optimizer.generator.lr=0.5", r"optimizer\.generator\.lr=0\.5 instead of 0\.002"),
        (
            "seed=1 ema=null precision=bf16 frozen=[generator]",
            "ema=null instead of 0.9; seed=1 .*; precision=bf16 .*; 2 more",
        ),
        ("solver.extra=1", r"solver\.extra=1 instead of no solver\.extra"),
    ],
)
def test_an_edited_config_is_not_trained_with(cfg, finished, edit, said):
    cfg = cfg.copy()
    OmegaConf.set_struct(cfg, False)
    before = files(finished)
    with pytest.raises(UserError, match=rf"config\.yaml is not the config that the run was trained with: {said}\.\nPut"):
        train(cfg, finished, f"train.steps=20 {edit}", resume=True)
    assert files(finished) == before


def test_what_decides_nothing_may_change(cfg, finished):
    train(
        cfg,
        finished,
        "train.steps=11 log_every=2 eval_every=3 sample_every=4 checkpoint_every=6 keep_checkpoints=9",
        resume=True,
    )
    assert result(finished)["step"] == 11


def test_the_checkpoints_config_is_the_one_that_is_sampled(cfg, finished):
    edited = OmegaConf.load(finished / "config.yaml")
    edited.model.generator.width, edited.eval_every = 99, 7
    OmegaConf.save(edited, finished / "config.yaml")
    said = r"config\.yaml is not the config .* trained with, which is used: model\.generator\.width=99 instead of 16\.$"
    with pytest.warns(DamageWarning, match=said):
        run = load(finished)
    assert run.config.model.generator.width == 16
    with pytest.warns(DamageWarning, match=said):
        assert trained_config(finished).model.generator.width == 16
    record = RunRecord(finished, SweepRun("run", {}), {}, [], [])
    with pytest.warns(DamageWarning, match=said):
        assert record.trained_config["model"]["generator"]["width"] == 16


def test_the_place_of_the_data_is_no_edit():
    trained = {"seed": 0, "train": {"steps": 5}, "dataset": {"_location_": "root", "root": "/a", "n": 1}, "device": "cpu"}
    moved = {"seed": 0, "train": {"steps": 9}, "dataset": {"_location_": "root", "root": "/b", "n": 1}, "device": "cuda"}
    assert edits(moved, trained) == []
    assert edits({**moved, "seed": 1.5}, trained) == ["seed=1.5 instead of 0"]
