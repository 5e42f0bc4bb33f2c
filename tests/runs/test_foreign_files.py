"""Files of a run that somebody else has made or damaged: each reader answers in one sentence, or does without the file."""

import json
import pickle
import zipfile

import pytest
import torch
from omegaconf import OmegaConf
from support.runs import EMPTY_STATE
from torch import nn

from gan_cli.config.form import FormError, require
from gan_cli.config.stored import read_composed, read_config
from gan_cli.errors import UserError
from gan_cli.evaluation import results, sweeps
from gan_cli.report.index import write_index
from gan_cli.runs import checkpoint
from gan_cli.runs.folder import read_result, stored_config
from gan_cli.solvers.base import require_fitting

DEEP = "[" * 20_000 + "]" * 20_000
BOMB = "a: &a [x, x]\n" + "".join(f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- 1\n- 2", "is no mapping"),
        ("word", "is no mapping"),
        (BOMB, "has no aliases"),
        (f"a: {DEEP}", r"cannot be read|levels deep"),
        ("a: " + "[" * 60 + "]" * 60, "levels deep"),
        (f"a: {'x' * 300_000}", "has more than 262144 bytes"),
        ("train: {}\nloss: {margin: '${oc.env:HOME}'}", r"loss\.margin is an interpolation"),
        ("loss: [1, 'a ${train.steps} b']", r"loss\.1 is an interpolation"),
        (f"loss: '{'${' * 50_000}'", "loss is an interpolation"),
        ("seed: ???", "seed has no value"),
        ("a: [", "cannot be read"),
        ("1: 2", "no mapping of words"),
        ("a: !!python/object/apply:os.system [true]", "cannot be read"),
        ("a: 1\na: 2", "cannot be read"),
    ],
)
def test_a_stored_config_is_plain_data(tmp_path, monkeypatch, text, said):
    monkeypatch.setenv("HOME", "a secret")
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=said) as error:
        read_config(tmp_path / "config.yaml")
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)
    with pytest.raises(UserError):
        stored_config(tmp_path)


@pytest.mark.slow
def test_the_config_of_a_job_that_never_began_may_refer_to_its_own_values(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "a secret")
    path = tmp_path / ".hydra" / "config.yaml"
    path.parent.mkdir()
    path.write_text("seed: 1\ntrain: {n: 3}\na: {lr: '${..train.n}', deep: {lr: '${..lr}'}}\nb: '${a}'\nc: ???")
    assert read_composed(path) == {"seed": 1, "train": {"n": 3}, **{key: {"lr": 3, "deep": {"lr": 3}} for key in "ab"}}
    doubled = "".join(
        f"{new}: ['${{{old}}}', '${{{old}}}']\n" for old, new in zip("abcdefghijklmnop", "bcdefghijklmnopq", strict=True)
    )
    for text in ("a: '${oc.env:HOME}'", "a: 'x${b}'\nb: 1", f"a: [1, 2]\n{doubled}", "a: '${a}'", "a: {b: '${a}'}"):
        path.write_text(f"seed: 1\n{text}")
        with pytest.raises(UserError):
            read_composed(path)
        assert sweeps.sweep_run(tmp_path).config == {}


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "3",
        "{}",
        DEEP,
        '{"status": 1}',
        '{"status": "finished", "step": "9"}',
        '{"status": "x", "metric": {"final": 1}}',
        "{",
    ],
)
def test_a_forged_result_counts_as_none(tmp_path, content):
    (tmp_path / "result.json").write_text(content)
    assert read_result(tmp_path) is None


RESULT = {
    "source": ".",
    "step": 1,
    "chosen": ["last"],
    "provenance": {
        "metric": "m",
        "settings": {},
        "features": {},
        "n_real": 1,
        "n_fake": 1,
        "split": "train",
        "ema": True,
        "reference": "r",
        "seed": 0,
    },
    "numbers": {"m": {"value": 1.0}},
    "details": {},
}


@pytest.mark.parametrize(
    "changed",
    [
        {"source": 1},
        {"step": "1"},
        {"chosen": "last"},
        {"provenance": {}},
        {"provenance": {**RESULT["provenance"], "n_real": None}},
        {"provenance": {**RESULT["provenance"], "more": 1}},
        {"numbers": []},
        {"numbers": {"m": {"value": "x"}}},
        {"numbers": {"m": {"value": True}}},
        {"numbers": {"m": {"value": 1, "error": []}}},
        {"details": {"a": {"remarks": "text"}}},
        {"details": {"table": []}},
        {"details": {"table": [{"a": 1}, {}]}},
        {"seconds": "1"},
        {"more": 1},
    ],
)
def test_a_forged_evaluation_is_named(tmp_path, changed):
    path = tmp_path / "eval.json"
    path.write_text(json.dumps({"results": [RESULT]}))
    assert [result.step for result in results.read(tmp_path)] == [1]
    for content in (json.dumps({"results": [{**RESULT, **changed}]}), DEEP):
        path.write_text(content)
        with pytest.raises(UserError, match=r"eval\.json is damaged"):
            results.read(tmp_path)


@pytest.mark.slow
def test_forged_tables_of_sweeps_and_summaries_of_reports_are_left_out(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "result.json").write_text('{"status": "failed"}')
    (tmp_path / "a" / ".hydra").mkdir()
    for content in ("3", DEEP, "[a: 1]", "- 2001-99-99", BOMB):
        (tmp_path / "a" / ".hydra" / "overrides.yaml").write_text(content)
        assert sweeps.sweep_run(tmp_path / "a").overrides is None
    for content in ("3", '{"jobs": 3}', '{"jobs": [{"folder": 1}]}', '{"jobs": [{"folder": "b", "overrides": [1]}]}', DEEP):
        (tmp_path / "sweep.json").write_text(content)
        assert [run.name for run in sweeps.sweep_runs(tmp_path)] == ["a"]
    good = {"title": "t", "source": None, "thumbnail": None, "claims": [], "identities": []}
    (tmp_path / "a" / "report").mkdir()
    summary = tmp_path / "a" / "report" / "summary.json"
    for changed in ({"claims": [{"claim": "c"}]}, {"thumbnail": 3}, {"claims": 3}):
        summary.write_text(json.dumps({**good, **changed}))
        with pytest.raises(UserError, match="no report in"):
            write_index([tmp_path / "a"], tmp_path / "index.html")
    (tmp_path / "secret.png").write_bytes(b"")
    summary.write_text(json.dumps({**good, "thumbnail": "../../secret.png"}))
    assert write_index([tmp_path / "a"], tmp_path / "index.html").is_file()


class Evil:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self):
        return open, ("trace", "w")


CIRCLE: dict = {}
CIRCLE["again"] = CIRCLE
LADDER: list = []
for _ in range(40):
    LADDER = [LADDER, LADDER]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"step": "1"}, "step is of the wrong kind"),
        ({"step": -1}, "negative"),
        ({"config": []}, "config is of the wrong kind"),
        ({"config": {"a": "${oc.env:HOME}"}}, "a is an interpolation"),
        ({"config": CIRCLE}, "more than 10000 values"),
        ({"config": {"a": LADDER}}, "more than 10000 values"),
        ({"solver": CIRCLE}, "more than 100000 values"),
        ({"data": {}}, "it has no data.classes"),
        ({"data": {**EMPTY_STATE["data"], "shape": [0, -3]}}, "data.shape is"),
        ({"data": {**EMPTY_STATE["data"], "shape": [1] * 9}}, "data.shape is"),
        ({"data": {**EMPTY_STATE["data"], "series": {"names": [], "low": [1], "high": [], "protocol": None}}}, "series"),
        ({"game": 3}, "game is of the wrong kind"),
        ({"batches": {"position": "x", "samples": 0}}, "batches.position is of the wrong kind"),
    ],
)
def test_a_forged_checkpoint_is_named(tmp_path, changed, said):
    assert checkpoint.load(checkpoint.save(tmp_path, 1, EMPTY_STATE))["step"] == 1
    path = checkpoint.save(tmp_path, 1, {**EMPTY_STATE, **changed})
    with pytest.raises(UserError, match=said) as error:
        checkpoint.load(path)
    assert "\n" not in str(error.value)


def test_no_advice_to_load_without_protection_is_passed_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.pt"
    contents = [Evil(), {"format": checkpoint.FORMAT, **EMPTY_STATE, "random": Evil()}, nn.Linear(1, 1)]
    for content in contents:
        torch.save(content, path)
        with pytest.raises(UserError, match="it holds other objects than tensors and plain data") as error:
            checkpoint.load(path)
        assert "weights_only" not in str(error.value)
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match="cannot be read"):
        checkpoint.load(path)
    assert not (tmp_path / "trace").exists()


def test_a_compressed_checkpoint_could_expand_to_any_size(tmp_path):
    good = checkpoint.save(tmp_path, 1, EMPTY_STATE)
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(tmp_path / "x.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        for member in source.infolist():
            archive.writestr(member.filename, source.read(member))
    with pytest.raises(UserError, match="it is compressed"):
        checkpoint.load(tmp_path / "x.pt")


@pytest.mark.parametrize(
    "kind", [torch.optim.Adam, torch.optim.SGD, torch.optim.LBFGS, torch.optim.Adafactor, torch.optim.RMSprop]
)
def test_the_state_of_an_optimizer_is_checked_before_its_next_step(kind):
    network = nn.Linear(3, 2)
    optimizer = kind(network.parameters(), lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = network(torch.ones(3)).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    require_fitting(optimizer)
    states = [state for state in optimizer.state.values() if state]
    for state in states[-1:]:
        for key in list(state):
            kept = state[key]
            state[key] = "x"
            with pytest.raises(ValueError, match=key):
                require_fitting(optimizer)
            state[key] = kept
    lr = optimizer.param_groups[0].pop("lr")
    with pytest.raises(ValueError, match="lr is missing"):
        require_fitting(optimizer)
    optimizer.param_groups[0]["lr"] = [lr]
    with pytest.raises(ValueError, match="lr is missing or of another kind"):
        require_fitting(optimizer)


@pytest.mark.parametrize(
    ("value", "form", "fits"),
    [
        (1, float, True),
        (True, int, False),
        (None, int | None, True),
        ([1, "a"], tuple[int, str], True),
        ([1], tuple[int, str], False),
        ({"a": [1]}, dict[str, list[int]], True),
        ({1: [1]}, dict[str, list[int]], False),
        ("ab", list[str], False),
    ],
)
def test_forms(value, form, fits):
    if fits:
        require(value, form)
    else:
        with pytest.raises(FormError):
            require(value, form)


def test_a_target_on_something_that_is_no_node(tmp_path):
    from gan_cli.config.instantiate import target_of
    from gan_cli.losses.base import Loss

    for loss in ([1], 3, None, "x", {"_target_": 3}):
        with pytest.raises(UserError, match="loss has no _target_"):
            target_of(OmegaConf.create({"loss": loss}), "loss", Loss)
