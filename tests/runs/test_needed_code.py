"""The code of a user's own that a run needs to be sampled, and where it is looked for."""

import sys

import pytest
import torch
from support import configs
from support.runs import train

import gan_cli
from gan_cli.config import trust
from gan_cli.errors import UserError

pytestmark = pytest.mark.slow

OBJECTIVE = """
from gan_cli.augmentations import InstanceNoise
from gan_cli.losses import Hinge
from gan_cli.regularizers import R1, SpectralNorm


class Loss(Hinge):
    def state_dict(self):
        return {"seen": 1}

    def load_state_dict(self, state):
        assert state == {"seen": 1}


class Penalty(R1): ...


class Norm(SpectralNorm): ...


class Noise(InstanceNoise): ...
"""
NETWORKS = """
from gan_cli.models import MLPGenerator


class Generator(MLPGenerator): ...
"""
STEPS = "train.steps=1 eval_every=0 sample_every=0 metric.n_samples=0 device=cpu"


@pytest.fixture
def work(tmp_path, monkeypatch):
    """The folder that the user types in, which Python does not search, with modules of the user's own."""
    (tmp_path / "objective_of_mine.py").write_text(OBJECTIVE)
    (tmp_path / "networks_of_mine.py").write_text(NETWORKS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    yield tmp_path
    for name in ("objective_of_mine", "networks_of_mine"):
        sys.modules.pop(name, None)


def trained(work, choices, **targets):
    """Train a run of these options, whose nodes are exchanged for the user's own targets, and forget the modules."""
    cfg = configs.config(choices)
    for key, target in targets.items():
        node = cfg
        for name in key.split("__"):
            node = node[name]
        node._target_ = target
    with trust.importable(work):
        train(cfg, work / "run", STEPS)
    for name in ("objective_of_mine", "networks_of_mine"):
        sys.modules.pop(name, None)
    return work / "run"


def test_a_run_is_sampled_without_the_code_of_its_objective(work):
    parts = {"loss": "Loss", "regularizer__r1": "Penalty", "augmentation": "Noise"}
    choices = "dataset=ring loss=hinge regularizer=[r1,orthogonal] augmentation=instance_noise"
    folder = trained(work, choices, **{key: f"objective_of_mine.{name}" for key, name in parts.items()})
    whole = gan_cli.load(folder)
    assert (whole.left_out, type(whole.game.objective.loss).__name__) == ([], "Loss")
    (work / "objective_of_mine.py").unlink()
    del sys.modules["objective_of_mine"]
    bare = gan_cli.load(folder)
    assert bare.left_out == ["regularizer.r1", "augmentation", "loss"]
    assert bare.game.objective.loss is None
    assert list(bare.game.objective.regularizers) == ["orthogonal"]
    assert torch.equal(bare.sample(5, seed=1), whole.sample(5, seed=1))
    with pytest.raises(UserError, match=r"objective_of_mine\.Penalty: there is no module objective_of_mine here"):
        gan_cli.evaluate(folder, silent=True, device="cpu")


def test_a_regularizer_that_players_consist_of_is_needed(work):
    folder = trained(work, "dataset=ring regularizer=spectral_norm", regularizer__spectral_norm="objective_of_mine.Norm")
    (work / "objective_of_mine.py").unlink()
    with pytest.raises(UserError, match=r"regularizer\.spectral_norm\._target_=objective_of_mine\.Norm: there is no module"):
        gan_cli.load(folder)


def test_networks_of_ones_own_are_looked_for_in_the_working_folder(work, monkeypatch):
    folder = trained(work, "dataset=ring", model__generator="networks_of_mine.Generator")
    monkeypatch.setenv("HOME", str(work))
    for name in (folder, "run", "~/run"):
        assert type(gan_cli.load(name).game.generator).__name__ == "Generator"
        assert str(work) not in sys.path
    assert gan_cli.Run("~/run").sample(2).shape == (2, 2)
    (work / "networks_of_mine.py").unlink()
    del sys.modules["networks_of_mine"]
    with pytest.raises(UserError, match=r"there is no module networks_of_mine here[\s\S]*read the copy in"):
        gan_cli.load(folder)
