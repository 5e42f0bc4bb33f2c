"""The record of a run's environment: machine, versions, and the user's own modules."""

import io
import json
import sys

import pytest
import torch
from omegaconf import OmegaConf
from rich.console import Console
from support import configs
from support.runs import train

from gan_cli.config import sources
from gan_cli.errors import UserError
from gan_cli.runs import environment, machine
from gan_cli.training.command import train_command

OWN = """\
from my_helpers.scales import scale
from gan_cli.losses import NonSaturating


class Mine(NonSaturating):
    def discriminator_loss(self, real, fake):
        return scale * super().discriminator_loss(real, fake)
"""
TINY = "train.steps=1 train.batch_size=4 ema=null"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder with modules of the user's own, on the import path."""
    (tmp_path / "my_helpers").mkdir()
    (tmp_path / "my_helpers" / "__init__.py").write_text("from . import other\n")
    (tmp_path / "my_helpers" / "other.py").write_text("import torch, json\n")
    (tmp_path / "my_helpers" / "scales.py").write_text("scale = 1.0\n")
    (tmp_path / "my_losses.py").write_text(OWN)
    (tmp_path / "unrelated.py").write_text("raise AssertionError('never imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("my_")]:
        del sys.modules[name]


@pytest.fixture
def cfg(own):
    return configs.config("dataset=ring metric=none", f"loss._target_=my_losses.Mine {TINY}")


def test_own_modules_are_found_with_what_they_import(own):
    found = sources.of_targets(
        ["my_losses.Mine", "gan_cli.losses.Hinge", "torch.optim.Adam", "no_such.Module", "json", "a b.c"]
    )
    assert list(found) == ["my_helpers", "my_helpers.other", "my_helpers.scales", "my_losses"]
    assert found["my_losses"].content == OWN.encode()
    assert not {name for name in sys.modules if name.startswith("my_")}, "nothing is imported"
    assert str(found["my_helpers"].path_of("my_helpers")) == "my_helpers/__init__.py"
    (own / "my_losses.py").write_text("this is no Python")
    assert list(sources.of_targets(["my_losses.Mine"])) == ["my_losses"]


@pytest.mark.slow
def test_a_run_without_own_modules_stores_none(tmp_path):
    train(configs.config("dataset=ring metric=none", TINY), tmp_path)
    [entry] = environment.read(tmp_path)
    assert (entry.step, entry.modules, entry.code) == (0, {}, "")
    assert not (tmp_path / "code").exists()
    facts = entry.facts
    assert (facts["torch"], facts["device"], facts["threads"]) == (torch.__version__, "cpu", torch.get_num_threads())
    own = {"batches": "whole", "precision": "fp32", "memory_format": "contiguous", "networks": "not compiled"}
    assert facts == {**machine.facts(torch.device("cpu")), **own}
    assert set(environment.DECISIVE) <= set(facts)


@pytest.mark.slow
def test_changed_code_is_refused_by_name_and_new_code_is_stored(cfg, own, tmp_path):
    folder = tmp_path / "run"
    train(cfg, folder)
    [entry] = environment.read(folder)
    copies = folder / entry.code
    assert (copies / "my_losses.py").read_text() == OWN
    assert (copies / "my_helpers" / "scales.py").read_text() == "scale = 1.0\n"
    (own / "my_helpers" / "scales.py").write_text("scale = 100.0\n")
    for steps in (1, 2):  # a finished run, and one to be continued
        with pytest.raises(UserError, match=r"my_helpers\.scales \(.*scales\.py\)") as error:
            train(cfg, folder, f"train.steps={steps}", resume=True)
        assert "code=new" in str(error.value)
        assert "my_losses" not in str(error.value)
    train(cfg, folder, "train.steps=2 code=new", resume=True)
    first, second = environment.read(folder)
    assert (first, second.step) == (entry, 1)
    assert (folder / second.code / "my_helpers" / "scales.py").read_text() == "scale = 100.0\n"
    assert (copies / "my_helpers" / "scales.py").read_text() == "scale = 1.0\n"
    assert "code" not in OmegaConf.load(folder / "config.yaml")
    train(cfg, folder, "train.steps=3", resume=True)
    (own / "my_helpers" / "scales.py").write_text("scale = 1.0\n")
    with pytest.raises(UserError, match=r"my_helpers\.scales"):
        train(cfg, folder, "train.steps=4", resume=True)


def test_a_run_without_a_checkpoint_may_begin_again_with_other_code(cfg, own, tmp_path):
    own_sources = sources.of_config(cfg)
    (tmp_path / "config.yaml").touch()
    environment.record(tmp_path, 0, {}, own_sources)
    (own / "my_losses.py").write_text(f"{OWN}\n# changed\n")
    assert environment.changed_modules(tmp_path, cfg) == []
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "step_00000001.pt").touch()
    assert environment.changed_modules(tmp_path, cfg) == [f"my_losses ({own / 'my_losses.py'})"]
    cfg.code = "ignore"
    assert environment.changed_modules(tmp_path, cfg) == []


@pytest.mark.slow
def test_a_resume_names_what_differs_from_the_start(tmp_path):
    cfg = configs.config("dataset=ring metric=none", TINY)
    train(cfg, tmp_path)
    path = tmp_path / environment.FILE
    [content] = json.loads(path.read_text())
    content["facts"] |= {"torch": "1.0", "threads": 64, "python": "2.7", "processor": None}
    path.write_text(json.dumps([content]))
    cfg.resume, cfg.train.steps = str(tmp_path), 2
    out = io.StringIO()
    train_command(cfg, tmp_path, console=Console(file=out, width=500))
    [line] = [line for line in out.getvalue().splitlines() if line.startswith("warning")]
    assert f"torch {torch.__version__} instead of 1.0" in line
    assert f"threads {torch.get_num_threads()} instead of 64" in line
    assert "processor" in line
    assert "instead of unknown" in line
    assert "python" not in line


def test_the_facts_of_a_checkpoint_are_those_of_the_process_that_wrote_it(tmp_path):
    assert environment.at(tmp_path, 3) == {}
    (tmp_path / "config.yaml").touch()
    for step in (0, 3, 5):
        environment.record(tmp_path, step, {"threads": step}, {})
    assert [environment.at(tmp_path, step)["threads"] for step in (0, 1, 3, 4, 5, 9)] == [0, 0, 0, 3, 3, 5]
    environment.record(tmp_path, 3, {"threads": 4}, {})  # resumed from an earlier checkpoint
    assert [entry.step for entry in environment.read(tmp_path)] == [0, 3, 3]
    assert environment.at(tmp_path, 9)["threads"] == 4
    (tmp_path / "config.yaml").unlink()  # what was left before a run had begun belongs to no run
    environment.record(tmp_path, 0, {"threads": 7}, {})
    assert len(environment.read(tmp_path)) == 1


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", '{"a": 1}', '[{"step": 0}]', "[" * 100_000])
def test_an_unreadable_record_is_none(tmp_path, text):
    (tmp_path / environment.FILE).write_text(text)
    assert environment.read(tmp_path) == []


def test_the_commit_is_that_of_a_checkout_of_this_package_alone(tmp_path, monkeypatch):
    assert machine._checkout(tmp_path) == (None, None)
    (tmp_path / ".git").mkdir()  # no repository in it
    machine._checkout.cache_clear()
    assert machine._checkout(tmp_path) == (None, None)
    machine._checkout.cache_clear()
    monkeypatch.setenv("PATH", "")  # no git
    assert machine._checkout(tmp_path) == (None, None)
    lines = "# branch.oid 0123abc\n# branch.head main\n"
    for extra, clean in (("", True), ("1 .M N... gan_cli/api.py\n", False)):
        machine._checkout.cache_clear()
        monkeypatch.setattr(machine, "_output", lambda words, extra=extra: lines + extra)
        assert machine._checkout(tmp_path) == ("0123abc", clean)
    machine._checkout.cache_clear()
