"""New runs that go on from a checkpoint of another run: equal to the bit with nothing changed, and with anything changed."""

import json

import pytest
import torch
from support import configs
from support.runs import differences, outcome, result, state, train

from gan_cli.cli.earlier_run import with_budget_added
from gan_cli.errors import UserError
from gan_cli.evaluation.selection import gone_steps
from gan_cli.runs import checkpoint, logger
from gan_cli.runs.origin import Origin
from gan_cli.training.fork import fork
from gan_cli.training.run import Run

pytestmark = pytest.mark.slow

STEPS = "metric.n_samples=4 train.steps=6 eval_every=0 checkpoint_every=2 sample_every=0 log_every=1"
WORDS = "augmentation=adaptive solver=lookahead regularizer=gradient_penalty"


def config(words: str = WORDS, origin: str | None = None):
    cfg = configs.config(f"features=identity {words}")
    cfg["from"] = origin
    return cfg


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "source"
    train(config(), folder, STEPS)
    return folder


def at_the_end(folder) -> dict:
    """Return what decides how a run goes on from its last checkpoint."""
    return {key: value for key, value in state(folder).items() if key not in ("config", "clock")}


def test_with_nothing_changed_a_run_goes_on_to_the_bit(source, tmp_path, capsys):
    train(config(origin=f"{source}@2"), tmp_path, STEPS)
    assert differences(at_the_end(tmp_path), at_the_end(source)) == []
    assert f"goes on from step 2 of {source}\nchanged: nothing\n" in capsys.readouterr().out
    assert min(row["step"] for row in logger.read(tmp_path)) == 2
    told = result(tmp_path)
    assert told["metric"]["initial"] is not None
    assert (told["origin"]["run"], told["origin"]["step"], told["origin"]["changed"]) == (str(source), 2, [])
    assert checkpoint.steps_in(tmp_path) == [2, 4, 6]
    assert gone_steps(config(origin=f"{source}@4"), [6]) == [], "what its origin wrote is not gone"


def test_what_is_changed_is_listed_and_everything_else_goes_on(source, tmp_path):
    values = f"{STEPS} train.steps=4 optimizer.generator.lr=0.125 train.batch_size=2 regularizer.gradient_penalty.weight=3"
    cfg = config(origin=f"{source}@2")
    train(cfg, tmp_path, values)
    origin = json.loads((tmp_path / "origin.json").read_text())
    assert {text.partition("=")[0] for text in origin["changed"]} == {
        "train.steps",
        "train.batch_size",
        "optimizer.generator.lr",
        "regularizer.gradient_penalty.weight",
    }
    assert origin["fresh"] == []
    begun = state(tmp_path, 2)
    assert differences(dict(begun["game"]), dict(state(source, 2)["game"])) == []
    assert differences(dict(begun["ema"]), dict(state(source, 2)["ema"])) == []
    optimizers = begun["solver"]["inner"]["optimizers"]
    before = state(source, 2)["solver"]["inner"]["optimizers"]
    assert differences(optimizers["generator"]["state"], before["generator"]["state"]) == []
    assert [group["lr"] for group in optimizers["generator"]["param_groups"]] == [0.125]
    assert differences(optimizers["discriminator"], before["discriminator"]) == []
    samples = state(source, 2)["batches"]["position"] * 4
    assert begun["batches"]["position"] == samples // 2


def test_another_optimizer_loss_and_seed_begin_afresh_and_are_named(source, tmp_path):
    words = "augmentation=none loss=hinge optimizer=sgd regularizer=spectral_norm"
    train(config(words, f"{source}@2"), tmp_path, f"{STEPS} train.steps=3 seed=5 frozen=[generator.body.0]")
    fresh = json.loads((tmp_path / "origin.json").read_text())["fresh"]
    assert [text for text in fresh if text.startswith("the optimizer's state of the turn ")]
    assert "the random streams, which the new seed starts" in fresh
    assert any("discriminator fit and are taken" in text for text in fresh)
    name = next(key for key in state(source, 2)["game"] if key.startswith("discriminator") and key.endswith("0.weight"))
    here = name.replace("0.weight", "0.parametrizations.weight.original")
    assert torch.equal(state(tmp_path, 2)["game"][here], state(source, 2)["game"][name])


def test_a_run_that_has_gone_on_is_resumed_without_its_origin(source, tmp_path):
    cfg = config(origin=f"{source}@2")
    train(cfg, tmp_path / "whole", STEPS)
    train(cfg, tmp_path / "cut", STEPS)
    for step in (4, 6):
        checkpoint.path_of(tmp_path / "cut", step).unlink()
    (tmp_path / "cut" / "result.json").unlink()
    gone = source.with_name("gone")
    source.rename(gone)
    try:
        train(cfg, tmp_path / "cut", STEPS, resume=True)
    finally:
        gone.rename(source)
    assert differences(outcome(tmp_path / "cut"), outcome(tmp_path / "whole")) == []


@pytest.mark.long
def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(source, tmp_path):
    cfg = config(origin=f"{source}@2")
    train(cfg, tmp_path, STEPS)
    for step in (2, 4, 6):
        checkpoint.path_of(tmp_path, step).unlink()
    for name in ("result.json", "metrics.jsonl"):
        (tmp_path / name).unlink()
    for path in tmp_path.glob("events*"):
        path.unlink()
    train(cfg, tmp_path, STEPS, resume=True)
    assert differences(at_the_end(tmp_path), at_the_end(source)) == []


@pytest.mark.parametrize(
    ("words", "values", "said"),
    [
        (WORDS, "train.steps=2", r"train\.steps=2 is not beyond that step.*\+1000"),
        ("model=mlp", "", r"its generator does not fit this run: model\.generator DCGANGenerator there"),
    ],
)
def test_origins_that_lead_nowhere_are_refused(source, tmp_path, words, values, said):
    with pytest.raises(UserError, match=said):
        train(config(words, f"{source}@2"), tmp_path, f"{STEPS} {values}")
    assert not (tmp_path / "config.yaml").exists()


def test_other_data_begin_at_their_first_sample(source, tmp_path):
    cfg = config(origin=f"{source}@2")
    cfg.dataset.max_samples = 12
    run = Run(cfg, tmp_path)
    lines = fork(run, Origin(str(source), 2))
    assert "not taken over: the place in the data, which are other data" in lines
    assert run.batches.position == 0


@pytest.mark.parametrize(
    ("text", "origin"),
    [("outputs/a@300", ("outputs/a", 300)), ("a@b", ("a@b", None)), ("me@home/a@7", ("me@home/a", 7)), ("a", ("a", None))],
)
def test_an_origin_is_a_run_and_a_step(text, origin):
    assert Origin.parse(text) == origin
    assert str(Origin.parse(text)) == text


def test_further_steps_are_counted_from_those_that_were_played(tmp_path):
    assert with_budget_added(["seed=1", "train.steps=+1000"], tmp_path, 3000) == ["seed=1", "train.steps=4000"]
    assert with_budget_added(["train.steps=5"], tmp_path, 3000) == ["train.steps=5"]
