"""Trust: the modules that a stored config may name, and what is never imported."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf
from support import configs
from support.runs import train

import gan_cli
from gan_cli.build import build
from gan_cli.cli import main
from gan_cli.config import trust
from gan_cli.config.identity import to_plain
from gan_cli.config.torch_classes import MODULES, OPTIMIZERS
from gan_cli.errors import UserError
from gan_cli.runs.folder import stored_config

LOSS = """
from pathlib import Path

from gan_cli.losses import Hinge

Path(__file__).with_suffix(".ran").touch()


class Loss(Hinge): ...
"""
"""A loss of the user's own; importing it leaves a trace beside it."""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty folder in which the user types, a process that trusts nothing, and no memory of other calls."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(trust, "_named", set())
    path, modules = list(sys.path), set(sys.modules)
    sys.path[:] = [entry for entry in path if entry not in ("", str(folder))]
    yield folder
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "") or list(getattr(sys.modules[name], "__path__", ""))):
            del sys.modules[name]


def forget(monkeypatch):
    """Let the next call begin as in a new process of a user who has forgotten everything."""
    monkeypatch.setattr(trust, "_named", set())
    trust.store().unlink(missing_ok=True)


def stored(folder: Path, target: str, key: str = "loss._target_") -> Path:
    """Write the config of a run that names ``target``, and return its folder."""
    cfg = OmegaConf.create(to_plain(configs.config("loss=hinge")))
    OmegaConf.update(cfg, key, target, force_add=True)
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(cfg, folder / "config.yaml")
    return folder


def refused(folder: Path) -> str:
    """Return why the stored config of ``folder`` is refused."""
    with trust.importable(Path.cwd()), pytest.raises(UserError) as error:
        stored_config(folder)
    return str(error.value)


def test_the_list_holds_the_optimizers_and_modules_of_torch():
    for listed, package, base in ((OPTIMIZERS, torch.optim, torch.optim.Optimizer), (MODULES, torch.nn, torch.nn.Module)):
        classes = {name for name, value in vars(package).items() if isinstance(value, type) and issubclass(value, base)}
        assert {name for name in listed if hasattr(package, name)} == classes


@pytest.mark.parametrize(
    ("target", "shipped"),
    [
        ("gan_cli.losses.hinge.Hinge", True),
        ("gan_cli.losses.Hinge", True),
        ("torch.optim.Adam", True),
        ("torch.nn.Linear", True),
        ("gan_cli.losses.nowhere.Hinge", False),
        ("gan_cli.files.os.system", False),
        ("gan_cli./etc/x.y", False),
        ("gan_cli..losses.hinge.Hinge", False),
        ("gan_cli", False),
        ("torch.load", False),
        ("torch.hub.load", False),
        ("torch.nn.utils.parametrize.cached", False),
        ("torch.utils.cpp_extension.load", False),
        ("", False),
    ],
)
def test_what_the_package_and_torch_bring(target, shipped):
    assert trust.is_shipped(target) is shipped


@pytest.mark.parametrize(
    ("key", "target"),
    configs.pairs(
        ["loss._target_", "loss.deep", "model.generator._target_", "dataset.list", "report"],
        ["antigravity.X", "venv.__main__.main", "unittest.__main__.x", "os.system", "torch.hub.load"],
        ["antigravity.X"],
        ["loss._target_"],
    ),
)
@pytest.mark.slow
def test_modules_that_act_on_import_are_refused_unseen(work, key, target):
    nodes = {
        "loss.deep": {"a": {"_target_": target}},
        "dataset.list": [{"_target_": target}],
        "report": {"claims": [{"_target_": target}]},
    }
    folder = stored(work / "run", nodes.get(key, target), key)
    assert f"_target_={target} is no component" in refused(folder)
    assert sys.modules.keys().isdisjoint({"antigravity", "venv.__main__", "unittest.__main__", "torch.utils.cpp_extension"})


def test_setuptools_is_not_asked_where_distutils_lies(monkeypatch):
    """It would import its own distutils to answer."""

    def find_spec(name, path=None, target=None):
        raise AssertionError("asked")

    asked = SimpleNamespace(find_spec=find_spec, __module__="_distutils_hack")
    monkeypatch.setattr(sys, "meta_path", [asked, *(finder for finder in sys.meta_path if "_distutils" not in str(finder))])
    monkeypatch.delitem(sys.modules, "distutils", raising=False)
    assert len(trust.find("distutils.spawn.spawn")) in (0, 2), "Python 3.12 has no distutils"
    assert "distutils" not in sys.modules


def test_a_module_of_the_users_is_refused_until_it_is_named(work, monkeypatch):
    (work / "pkg").mkdir()
    (work / "pkg" / "__init__.py").write_text("raise AssertionError('a package was imported')")
    (work / "pkg" / "mine.py").write_text(LOSS)
    folder = stored(work / "run", "pkg.mine.Loss")
    said = refused(folder)
    assert said == (
        f"{folder}/config.yaml: loss._target_=pkg.mine.Loss: the module pkg.mine, {work}/pkg/mine.py, is not trusted. "
        "If it is yours, or you have read it, add trust=pkg.mine."
    )
    for name in ("pkg.mine", "pkg"):
        with trust.importable(work, [name]):
            assert stored_config(folder).loss._target_ == "pkg.mine.Loss"
        monkeypatch.setattr(trust, "_named", set())
        with trust.importable(work):  # another process
            assert stored_config(folder)
        forget(monkeypatch)
    assert "is not trusted" in refused(folder)
    with (
        pytest.raises(UserError, match=r"there is no module pkg\.other in the folder you type in"),
        trust.importable(work, ["pkg.other"]),
    ):
        pass
    with pytest.raises(UserError, match="trust=os: a module of the standard library"), trust.importable(work, ["os"]):
        pass


def test_all_modules_that_are_not_trusted_are_asked_for_at_once(work):
    for name in ("mine", "theirs"):
        (work / f"{name}.py").write_text(LOSS)
    folder = stored(work / "run", "mine.Loss")
    for other, words in (("theirs.Loss", "[mine,theirs]"), ("nowhere.Loss", "mine")):
        config = OmegaConf.load(folder / "config.yaml")
        config.zzz = {"_target_": other}
        with trust.importable(work), pytest.raises(UserError) as error:
            trust.check(OmegaConf.to_container(config), folder)
        said = str(error.value)
        assert said.startswith(f"{folder}: loss._target_=mine.Loss: the module mine, {work}/mine.py, is not trusted.")
        assert said.endswith(f"add trust={words}.")


def test_a_module_that_is_not_here_is_asked_for(work):
    assert "there is no module elsewhere here.\nRead its file, put it into" in refused(stored(work / "run", "elsewhere.Loss"))


def test_another_module_of_a_trusted_name_is_not_trusted(work, monkeypatch):
    (work / "mine.py").write_text(LOSS)
    folder = stored(work / "run", "mine.Loss")
    with trust.importable(work, ["mine"]):
        assert stored_config(folder)
    assert json.loads(trust.store().read_text()) == {"mine": [str(work / "mine.py")]}
    other = work / "other"
    other.mkdir()
    (other / "mine.py").write_text(LOSS)
    monkeypatch.chdir(other)
    assert f"the module mine, {other}/mine.py, is not trusted" in refused(folder)


@pytest.mark.slow
def test_nothing_inside_a_run_folder_is_imported(work, monkeypatch):
    shared = stored(work / "shared", "shared.evil.Loss")
    inner = shared / "code"
    inner.mkdir()
    for name in (shared / "evil.py", inner / "evil.py"):
        name.write_text(LOSS)
    (work / "link.py").symlink_to(shared / "evil.py")
    assert "the module shared lies in the run folder" in refused(shared)
    for folder, name in ((work, "shared"), (work, "shared.evil"), (work, "link"), (shared, "evil"), (inner, "evil")):
        monkeypatch.chdir(folder)
        with (
            pytest.raises(UserError, match=rf"trust={name}: .* lies in the run folder {shared}, "),
            trust.importable(folder, [name]),
        ):
            pass
        cfg = configs.config("loss=hinge")
        cfg.loss._target_ = f"{name}.Loss"
        with pytest.raises(UserError, match="lies in the run folder"), trust.importable(folder):
            build(cfg, torch.device("cpu"))  # a config of the user's own
    assert not list(work.rglob("*.ran"))


def test_the_folder_of_the_shell_is_searched_for_named_modules_alone(work):
    (work / "mine.py").write_text("import helper\n" + LOSS)
    (work / "helper.py").touch()
    (work / "ipywidgets.py").write_text(LOSS)
    with trust.importable(work):
        build(configs.config("loss=hinge"), torch.device("cpu"))
        assert str(work) not in sys.path
        cfg = configs.config("loss=hinge")
        cfg.loss._target_ = "mine.Loss"
        build(cfg, torch.device("cpu"))
        assert str(work) in sys.path
    assert str(work) not in sys.path
    assert [path.stem for path in work.glob("*.ran")] == ["mine"]


@pytest.mark.slow
def test_a_run_remembers_what_its_user_named(work, monkeypatch, capsys):
    (work / "mine.py").write_text(LOSS)
    cfg = configs.config("dataset=ring loss=hinge", "loss._target_=mine.Loss train.steps=1")
    with trust.importable(work):
        train(cfg, work / "run")
        assert gan_cli.load(work / "run").sample(2).shape == (2, 2)
        os.remove(work / "mine.ran")
        del sys.modules["mine"]
        forget(monkeypatch)
        with pytest.raises(UserError, match="add trust=mine"):
            gan_cli.load(work / "run")
    for command, words in ((main.gan_sample, ["run"]), (main.gan_train, ["resume=run"]), (main.gan_eval, ["run"])):
        monkeypatch.setattr(sys, "argv", ["gan", *words])
        assert command() == 2
        assert "the module mine" in capsys.readouterr().err
    assert not (work / "mine.ran").exists()
    monkeypatch.setattr(sys, "argv", ["gan-sample", "run", "trust=mine", "n=2"])
    assert main.gan_sample() == 0
    assert (work / "mine.ran").exists()
    with trust.importable(work):
        assert gan_cli.load("run", trust=["mine"]).sample(2).shape == (2, 2)


def test_without_a_home_directory_trust_lasts_as_long_as_the_process(work, monkeypatch):
    (work / "mine.py").write_text(LOSS)
    folder = stored(work / "run", "mine.Loss")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    with trust.importable(work, ["mine"]):
        assert stored_config(folder)
    with trust.importable(work):
        assert stored_config(folder)
    monkeypatch.setattr(trust, "_named", set())
    assert "is not trusted" in refused(folder)


def test_a_list_of_modules_needs_no_brackets():
    assert main.train_overrides(["trust=mine"]) == ["trust=[mine]"]
    assert main.use_overrides(main.SAMPLE, ["run=x", "trust=a.b,c"])[1] == "trust=[a.b,c]"
    assert main.train_overrides(["trust=[a]"]) == ["trust=[a]"]
