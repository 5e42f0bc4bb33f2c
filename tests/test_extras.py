"""Packages that only one option needs: where one is missing, the error is a sentence that names the extra."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from support import configs, layouts

from gan_cli import checks
from gan_cli.build import build_data
from gan_cli.cli.app import launch_train
from gan_cli.errors import UserError
from gan_cli.metrics.auto import Auto
from gan_cli.metrics.features.efficientnet_lite0 import EfficientNetLite0
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.features.inception import Inception, load_inception
from gan_cli.metrics.sequences.sequences import AllSequenceMetrics

EXTRAS = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]


@pytest.fixture
def without(monkeypatch):
    """Return a function after whose call a package counts as not installed."""
    installed = checks.distribution

    def hide(package: str) -> None:
        def distribution(name: str) -> metadata.Distribution:
            if name == package:
                raise metadata.PackageNotFoundError(name)
            return installed(name)

        monkeypatch.setattr(checks, "distribution", distribution)

    return hide


def the_error_names(package: str, extra: str, error: pytest.ExceptionInfo[UserError]) -> None:
    assert f"needs the package {package}" in str(error.value)
    assert f"pip install 'gan-cli[{extra}]'" in str(error.value)
    assert package in [re.split("[=<>]", requirement)[0] for requirement in EXTRAS[extra]]
    assert extra in EXTRAS["all"][0]
    assert len(str(error.value).splitlines()) <= 2


def test_stocks(without):
    without("arch")
    with pytest.raises(UserError) as error:
        build_data(configs.config("dataset=stocks"))
    the_error_names("arch", "sequences", error)


def test_pictures_of_sequences(without):
    without("scikit-learn")
    cfg = configs.config("dataset=sines")
    with pytest.raises(UserError) as error:
        AllSequenceMetrics(Identity()).fitted(build_data(cfg), "cpu")
    the_error_names("scikit-learn", "sequences", error)


@pytest.mark.slow
def test_lsun(without, tmp_path):
    layouts.write_lsun(tmp_path)
    without("lmdb")
    with pytest.raises(UserError) as error:
        build_data(configs.config("dataset=lsun", f"dataset.root={tmp_path}"))
    the_error_names("lmdb", "lsun", error)


def test_fid(without, tmp_path):
    without("torch-fidelity")
    with pytest.raises(UserError) as error:
        load_inception("cpu", tmp_path / "weights.pth", False, "0" * 64)
    the_error_names("torch-fidelity", "fid", error)


def test_without_the_inception_network_auto_takes_the_bundled_features(without, monkeypatch):
    without("torch-fidelity")
    monkeypatch.setattr(Inception, "locate", lambda self: Path("weights.pth"))
    metric = Auto(EfficientNetLite0())
    assert metric.name == "fd_efficientnet_lite0"
    assert "pip install 'gan-cli[fid]'" in metric.describe()


def test_jobs_side_by_side(without):
    without("hydra-joblib-launcher")
    with pytest.raises(UserError) as error:
        launch_train(["seed=1,2", "hydra/launcher=joblib"], multirun=True)
    the_error_names("hydra-joblib-launcher", "sweeps", error)


@pytest.mark.parametrize("launcher", ["submitit_local", "submitit_slurm"])
def test_jobs_for_slurm(without, launcher):
    without("hydra-submitit-launcher")
    with pytest.raises(UserError) as error:
        launch_train(["seed=1,2", f"hydra/launcher={launcher}"], multirun=True)
    the_error_names("hydra-submitit-launcher", "submitit", error)
