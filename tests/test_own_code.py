"""Errors of the user's own code: the file, the line and the cause are named."""

import re
import sys

import pytest
import torch
from omegaconf import OmegaConf
from support import configs
from support.runs import train

from gan_cli import own_code
from gan_cli.build import build
from gan_cli.cli import main
from gan_cli.errors import UserError
from gan_cli.runs import environment
from gan_cli.runs.folder import stored_config

HEAD = """\
from dataclasses import dataclass
import torch
from gan_cli.data import Data
from gan_cli.data.base import Dataset
from gan_cli.losses import NonSaturating
from gan_cli.metrics import Metric
from gan_cli.models import MLPGenerator
from gan_cli.regularizers import Regularizer
from gan_cli.schedules import LearningRateSchedule, Schedule
from gan_cli.solvers import Alternating
from gan_cli.types import Batch


def wrong():
    raise KeyError("margin")

"""
SCALAR = "it must return a scalar tensor of floating point"
FAULTS = {
    "loss": {
        "class Own(NonSaturating):\n    def discriminator_loss(self, real, fake):\n        wrong()": r"KeyError: 'margin'",
        "class Own(NonSaturating):\n    def generator_loss(self, real, fake):\n        return real @ fake": "RuntimeError: ",
        "class Own(NonSaturating):\n    def discriminator_loss(self, real, fake): ...": f"loss returned None: {SCALAR}",
        "class Own(NonSaturating):\n    def discriminator_loss(self, real, fake): return 3.0": f"returned 3.0: {SCALAR}",
        "class Own(NonSaturating):\n    def generator_loss(self, real, fake): return 1 * fake": r"of shape \(4,\)",
        "class Own(NonSaturating):\n    def generator_loss(self, real, fake): return torch.tensor(3)": "type int64",
        "class Own(NonSaturating):\n    def generator_loss(self, real, fake): return fake.detach().sum()": "without a gradient",
        "class Own(NonSaturating):\n    def generator_loss(self, real, fake): return torch.tensor(float('nan'))": "without a",
        "class Own(NonSaturating):\n    def estimate(self, real, fake): return {'js': 3.0}": "returned {'js': 3.0}",
    },
    "regularizer.own": {
        "class Own(Regularizer):\n    def penalty(self, network, critic, judged): ...": "Own.penalty returned None",
        "class Own(Regularizer):\n    def transform(self, network): ...": "Own.transform returned None",
        "class Own(Regularizer):\n    def constrain(self, network): wrong()": "KeyError: 'margin'",
    },
    "model.generator": {
        "class Own(MLPGenerator):\n    def forward(self, z, y=None): ...": "Own.forward returned None",
        "class Own(MLPGenerator):\n    def __init__(self, latent_dim, width, depth): ...": (
            "model.generator: the program passes shape and classes to Own, which takes no shape and no classes.\n"
            r"Write def __init__\(self, shape, classes, ...\)\."
        ),
        "class Own(MLPGenerator):\n    def __init__(self, **k): raise AttributeError('depth')": "AttributeError: depth",
    },
    "dataset": {
        "def own(): return Data(None, None)": r"\.own does not say what it returns: write -> Data behind",
        "def own() -> int: return 3": r"dataset\._target_=own_\w+\.own says that it returns int, not a Data\.",
        "def own() -> Data: ...": r"dataset\._target_=own_\w+\.own has returned a NoneType, not a Data",
        "class Points(Dataset):\n    shape, classes = (2,), 0\n    def __len__(self): return 40\n"
        "    def batch(self, indices): return Batch(torch.zeros(len(indices), 2).double())\n"
        "def own() -> Data: return Data(Points(), Points())": "Points.batch returned .*: it must return a Batch",
        "class Points(Dataset):\n    shape, classes = (2,), 0\n    def __len__(self): return 40\n"
        "    def origins(self): return {'camera': torch.zeros(1)}\n"
        "    def batch(self, indices): return Batch(torch.zeros(len(indices), 2))\n"
        "def own() -> Data: return Data(Points(), Points())": "Points.origins returned .*: it must return a mapping of plain",
    },
    "schedule": {"class Own(Schedule):\n    def __call__(self, step): ...": "returned None: it must return a list of names"},
    "learning_rate": {"class Own(LearningRateSchedule):\n    def __call__(self, step): ...": "returned None: it must"},
    "solver": {"class Own(Alternating):\n    def round(self, order, batches): ...": "Own.round returned None"},
    "metric": {
        "class Own(Metric):\n    name = 'own'\n    def __init__(self, n_samples): ...": (
            "metric: the program passes features to Own, which takes no features.\nWrite def __init__\\(self, features, ...\\)"
        ),
        "class Own(Metric):\n    name = 'own'\n    def measure(self, real, fake): ...": "Own.measure returned None",
    },
}


@pytest.fixture
def module(tmp_path, monkeypatch, request):
    """Writes a module of the user's own and returns its name."""
    monkeypatch.syspath_prepend(tmp_path)
    names = []

    def write(text):
        names.append(f"own_{abs(hash(request.node.name))}_{len(names)}")
        (tmp_path / f"{names[-1]}.py").write_text(text)
        return names[-1]

    yield write
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.slow
@pytest.mark.parametrize(("key", "text", "said"), [(k, t, s) for k, faults in FAULTS.items() for t, s in faults.items()])
def test_a_fault_names_file_line_and_cause(module, tmp_path, key, text, said):
    name = module(HEAD + text + "\n")
    cfg = configs.config("dataset=ring metric=wasserstein features=identity")
    target = f"{name}.{'own' if 'def own' in text else 'Own'}"
    if key in ("regularizer.own", "dataset", "metric", "schedule", "learning_rate"):
        node = {"_target_": target, **({"n_samples": 8} if key == "metric" else {})}
        OmegaConf.update(cfg, key.partition(".")[0], {"own": node} if "." in key else node, merge=False)
    else:
        OmegaConf.update(cfg, f"{key}._target_", target)
        if key == "loss":
            cfg.loss = {"_target_": target}
    with pytest.raises(Exception) as caught:  # noqa: PT011 (a UserError, or what becomes one)
        train(cfg, tmp_path / "run", "train.steps=1 checkpoint_every=0 sample_every=0")
    shown = own_code.fault(caught.value) or caught.value
    assert isinstance(shown, UserError)
    assert re.search(said, str(shown)), str(shown)
    assert re.search(rf"{name}\.py, line \d+", str(shown)), str(shown)
    assert main._print_error("gan-train", caught.value) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def f(:\n", "SyntaxError: invalid syntax"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("import no_such_package\n", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("import OTHER\n", "SyntaxError: invalid syntax"),
    ],
)
def test_the_cause_of_a_failed_import_is_named(module, text, said):
    other = module("def f(:\n")
    name = module(text.replace("OTHER", other))
    cfg = configs.config("dataset=ring", f"loss._target_={name}.Own")
    with pytest.raises(UserError) as caught:
        build(cfg, torch.device("cpu"))
    message = str(caught.value)
    assert message.startswith(f"loss._target_={name}.Own cannot be imported: {said}")
    assert f"{other if 'OTHER' in text else name}.py, line 1" in message


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("class Own: ...\n", "", r"Own is not a Loss\. Derive it from Loss of gan_cli\.losses\.base\. See .*\.py, line 1\."),
        ("class Onw: ...\n", "", r"has no Own\. Did you mean Onw\?"),
        (
            "from gan_cli.losses import NonSaturating\nclass Own(NonSaturating): ...\n",
            "loss.margin=3",
            r"no key 'loss\.margin'.*\nOwn in .*\.py, line 2 takes no argument margin\.",
        ),
    ],
)
def test_a_target_that_does_not_fit_is_shown_with_its_place(module, text, words, said):
    cfg = configs.config("dataset=ring", f"loss._target_={module(text)}.Own {words}")
    with pytest.raises(UserError, match=said):
        build(cfg, torch.device("cpu"))


@pytest.mark.parametrize(
    ("key", "base", "lacking"),
    [
        ("model.generator", "gan_cli.models.Generator", "forward"),
        ("model.discriminator", "gan_cli.models.Discriminator", "forward"),
        ("model.discriminator", "gan_cli.models.base.FeatureDiscriminator", "features"),
    ],
)
def test_a_network_that_lacks_a_method_is_refused_when_it_is_built(module, key, base, lacking):
    place, _, role = base.rpartition(".")
    text = f"from {place} import {role}\nclass Own({role}):\n    def __init__(self, **arguments): super().__init__()\n"
    cfg = configs.config("dataset=ring", f"{key}._target_={module(text)}.Own")
    with pytest.raises(UserError, match=rf"^{key}: Can't instantiate abstract class Own .*'?{lacking}'?"):
        build(cfg, torch.device("cpu"))


def test_own_code_that_may_be_to_blame_is_named(module, tmp_path, capsys):
    """A generator of other samples than the data's raises nothing itself: the discriminator's first layer does."""
    name = module(f"{HEAD}class Own(MLPGenerator):\n    def forward(self, z, y=None): return super().forward(z)[:, :1]\n")
    cfg = configs.config("dataset=ring metric=none", f"model.generator._target_={name}.Own")
    with pytest.raises(RuntimeError) as caught:
        train(cfg, tmp_path / "run", "train.steps=1")
    assert main._print_error("gan-train", caught.value) == 1
    assert f"a fault of the program or of your own code ({name})" in capsys.readouterr().err


def test_a_failure_on_record_names_the_place(module):
    name = module("def f(): raise ValueError('no\\nmore')\n")
    with pytest.raises(ValueError, match="no") as caught:
        __import__(name).f()
    assert re.fullmatch(rf"ValueError: no \(.*{name}\.py, line 1, in f\)", own_code.reason(caught.value))
    assert own_code.reason(RuntimeError("plain\ntext")) == "RuntimeError: plain"
    assert own_code.fault(UserError("mine")) is None


def test_a_reviewer_without_the_module_is_told_where_it_lay_and_where_its_copy_is(module, tmp_path):
    name = module(f"{HEAD}class Own(NonSaturating): ...\n")
    cfg = configs.config("dataset=ring metric=none", f"loss._target_={name}.Own train.steps=0")
    train(cfg, tmp_path / "run")
    (tmp_path / f"{name}.py").unlink()
    del sys.modules[name]
    [entry] = environment.read(tmp_path / "run")
    with pytest.raises(UserError) as caught:
        stored_config(tmp_path / "run")
    said = f"The run was made with {tmp_path / name}.py, which is gone; read the copy in {tmp_path / 'run' / entry.code}."
    assert str(caught.value).splitlines()[0].endswith(said)
