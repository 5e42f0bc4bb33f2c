"""The commands in this process: small configs, a training that only takes notes, and nothing left behind."""

import os
import shutil
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from omegaconf import OmegaConf

from gan_cli import own_code
from gan_cli.cli import main
from gan_cli.config import suggestions, trust
from gan_cli.config.identity import config_hash, to_plain
from gan_cli.device import threads
from gan_cli.files import write_json
from gan_cli.own_code import is_own

TINY = {
    "model/tiny": "defaults:\n  - generator: tiny\n",
    "model/other": "defaults:\n  - generator: other\n",
    "model/generator/tiny": "_target_: m.Tiny\nwidth: 8\nnorm: true\nname: null\n",
    "model/generator/other": "_target_: m.Other\nwidth: 16\n",
    "optimizer/adam": '_target_: m.Adam\nlr: 2.0e-4\nbetas: [0.5, 0.999]\ngenerator: {lr: "${..lr}"}\n',
    "optimizer/rmsprop": "_target_: m.RMSprop\nlr: 5.0e-5\n",
    "learning_rate/constant": "_target_: m.Constant\n",
    "solver/alternating": "_target_: m.Alternating\n",
    "regularizer/none": "none: {_target_: m.Nothing}\n",
    "regularizer/penalty": "penalty: {_target_: m.Penalty, weight: 10.0}\n",
    "regularizer/spectral": "spectral: {_target_: m.Spectral, n_iterations: 1}\n",
    "augmentation/none": "_target_: m.Same\n",
    "averaging/decay": "_target_: m.Decay\n",
    "metric/auto": "_target_: m.Auto\n",
    "logger/tensorboard": "tensorboard:\n  _target_: m.TensorBoard\n",
    "diagnostics/none": "_target_: m.NoDiagnostics\n",
    "diagnostics/game": "_target_: m.GameDiagnostics\nsteps: 200\n",
    "logger/csv": "csv: {_target_: m.CSV}\n",
    "features/net": "_target_: m.Net\n",
    "dataset/points": "_target_: m.Points\n_location_: root\nroot: data\n",
    "dataset/images": "_target_: m.Images\n_location_: root\nroot: ???\n",
    "loss/plain": "_target_: m.Plain\n",
    "loss/hinge": "_target_: m.Hinge\n",
    "loss/wgan": "# @package _global_\ndefaults:\n  - override /regularizer: penalty\n  - override /optimizer: rmsprop\n"
    "loss: {_target_: m.Wasserstein}\ntrain: {n_critic: 5}\n",
    "game/gan": "# @package _global_\ngame: {_target_: m.GAN}\nschedule: {_target_: m.Rounds, n_critic: '${train.n_critic}'}\n",
    "experiment/long": "# @package _global_\ndefaults:\n  - override /loss: hinge\ntrain: {steps: 9}\n",
}
ENTRY_POINTS = {
    "train": main.gan_train,
    "evaluate": main.gan_eval,
    "sample": main.gan_sample,
    "export": main.gan_export,
    "report": main.gan_report,
    "runs": main.gan_runs,
}
DEFAULTS = {"dcgan": "tiny", "efficientnet_lite0": "net", "fashion_mnist_mini": "points", "non_saturating": "plain"}


@pytest.fixture
def conf(tmp_path, monkeypatch):
    """A small config folder with the shipped ``train.yaml``, whose defaults are exchanged for the small options."""
    shipped, folder = suggestions.conf_dir(), tmp_path / "conf"
    for name, text in TINY.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    main = (shipped / "train.yaml").read_text()
    for option, small in DEFAULTS.items():
        assert f": {option}\n" in main
        main = main.replace(f": {option}\n", f": {small}\n")
    (folder / "train.yaml").write_text(main)
    for name in ("eval.yaml", "sample.yaml", "export.yaml", "report.yaml"):
        shutil.copy(shipped / name, folder)
    monkeypatch.setattr(suggestions, "conf_dir", lambda: folder)
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "m.py").write_text("raise AssertionError('no test here builds anything')")
    monkeypatch.syspath_prepend(tmp_path / "modules")
    return folder


@dataclass
class Notes:
    """Calls of the stand-in for ``gan_cli.training.command``.

    ``fail`` maps a seed to the exception raised for it, ``measure`` a config to its metric.
    """

    trained: list = field(default_factory=list)
    asked: list = field(default_factory=list)
    fail: dict = field(default_factory=dict)
    measure: Callable = lambda cfg: 10.0 + cfg.seed
    higher_is_better: bool = False

    def train(self, cfg, folder, named=(), console=None, pruner=None):
        """Leaves what a training leaves, and takes a note."""
        note = {
            "cfg": {**to_plain(cfg), "resume": cfg.resume},
            "folder": folder,
            "threads": threads(),
            "path": list(sys.path),
            "argv": list(sys.argv),
        }
        self.trained.append(note)
        folder.mkdir(parents=True, exist_ok=True)
        trust.remember_targets(to_plain(cfg))
        (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(to_plain(cfg))))
        if cfg.seed in self.fail:
            raise self.fail[cfg.seed]
        final = self.measure(cfg)
        metric = None if final is None else {"name": "fd", "final": final, "higher_is_better": self.higher_is_better}
        pruned = pruner is not None and pruner.prunes(1, final, self.higher_is_better)
        status = "pruned" if pruned else "finished"
        result = {"status": status, "config": config_hash(cfg), "objective": final, "metric": metric, "step": 1}
        write_json(folder / "result.json", result)
        return result["objective"]


@pytest.fixture
def jobs(monkeypatch):
    """Replaces what gan-train, gan-sample and gan-eval do."""
    notes = Notes()
    monkeypatch.setattr(own_code, "is_own", lambda file: is_own(file) and str(file) != __file__)  # it stands for the package
    stand_ins = {
        "gan_cli.training.command": {"train_command": notes.train, "unused": lambda cfg: []},
        "gan_cli.inference.command": {"sample_command": lambda cfg: notes.asked.append(("sample", dict(cfg)))},
        "gan_cli.evaluation.command": {"evaluate_command": lambda cfg: notes.asked.append(("evaluate", dict(cfg)))},
    }
    for name, functions in stand_ins.items():
        module = types.ModuleType(name)
        vars(module).update(functions)
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(name, module, raising=False)
    return notes


@dataclass
class Answer:
    """Exit code and what was printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def call(conf, jobs, tmp_path, monkeypatch, capsys):
    """``call("train", "loss=wgan")`` in an empty folder -> Answer; fails if anything of the process was changed."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def run(command, *words):
        monkeypatch.setattr(sys, "argv", [f"gan-{command}", *words])
        before = dict(os.environ), os.getcwd(), list(sys.path), list(sys.argv)
        capsys.readouterr()
        code = ENTRY_POINTS[command]()
        assert (dict(os.environ), os.getcwd(), list(sys.path), list(sys.argv)) == before
        return Answer(code, *capsys.readouterr())

    return run
