"""The wheel: its files, and its use from another folder once it is installed in an environment of its own."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second environment that holds the wheel; the libraries it depends on are borrowed from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, ROOT], check=True
    )
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", symlinks=True)
    python = folder / "env" / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel], check=True
    )
    (site,) = (folder / "env" / "lib").glob("python*/site-packages")
    # a path file inside a folder that a path file names is not read: the editable install here stays invisible there
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "env"


def call(environment: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess:
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [environment / "bin" / words[0], *words[1:]], cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )


def test_wheel_carries_its_configs_and_data(tmp_path: Path):
    [wheel] = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        carried = {*archive.namelist()}
        [commands] = (archive.read(name).decode() for name in carried if name.endswith("entry_points.txt"))
    for folder, place in ((ROOT / "gan_cli", "gan_cli"), (ROOT / "conf", "gan_cli/conf")):
        files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        assert {f"{place}/{path.relative_to(folder).as_posix()}" for path in files} <= carried
    for name in ("train", "eval", "sample", "export", "report", "runs"):
        assert f"gan-{name} = gan_cli.cli.main:gan_{name}\n" in commands


@pytest.mark.long
def test_an_installed_wheel_finds_its_own_configs(environment: Path, tmp_path: Path):
    where = call(environment, tmp_path, "python", "-c", "import gan_cli.config.suggestions as s; print(s.conf_dir())")
    assert str(environment) in where.stdout, where.stderr
    assert "wgan_gp" in call(environment, tmp_path, "gan-train", "--help").stdout


@pytest.mark.long
def test_wheel_trains_from_another_folder(environment: Path, tmp_path: Path):
    done = call(environment, tmp_path, "gan-train", "train.steps=2", "train.batch_size=4", "metric=none", "device=cpu")
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("outputs/*/result.json"))
    assert all((environment / "bin" / name).exists() for name in ("gan-sample", "gan-eval", "gan-export", "gan-report"))
    others = "import sys; from gan_cli.cli.main import *; sys.argv[1:] = ['nowhere']; gan_sample(), gan_eval(), gan_report()"
    said = call(environment, tmp_path, "python", "-c", others).stderr  # they compose their configs before they look for the run
    assert said.count(": no run in nowhere") == 3, said
