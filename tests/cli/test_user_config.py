"""The user's own defaults: a config file and a folder of data sets, behind the command line and experiments."""

import pytest
from support import configs

from gan_cli.config.compose import compose, loader
from gan_cli.config.hydra_internals import supplied
from gan_cli.data import cifar10
from gan_cli.errors import UserError

CONFIG = """
device: cpu
cache_dir: ~/decoded
dataset:
  lsun: {root: /data/lsun}
  csv: {path: /data/table.csv}
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home directory in which the tests work; ``write(text)`` writes its user config."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "config" / "gan-cli").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def write(home):
    return lambda text: (home / "config" / "gan-cli" / "config.yaml").write_text(text)


def test_it_fills_in_what_nobody_says(home, write):
    write(CONFIG)
    configs, file = loader(), home / "config" / "gan-cli" / "config.yaml"
    cfg = compose(configs, "train", ["dataset=lsun"])
    assert (cfg.device, cfg.dataset.cache_dir, cfg.dataset.root) == ("cpu", str(home / "decoded"), "/data/lsun")
    assert supplied(configs) == [
        f"device=cpu comes from {file}",
        f"dataset.cache_dir={home}/decoded comes from {file}",
        f"dataset.root=/data/lsun comes from {file}",
    ]
    assert compose(configs, "train", ["dataset=csv"]).dataset.path == "/data/table.csv"
    assert compose(configs, "eval", []).device == "cpu"


@pytest.mark.slow
def test_the_command_line_and_experiments_win(home, write):
    write(CONFIG)
    (home / "own" / "experiment").mkdir(parents=True)
    (home / "own" / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /dataset: lsun\ndevice: cuda\ndataset: {root: rooms}\n"
    )
    configs = loader(str(home / "own"))
    cfg = compose(configs, "train", ["experiment=mine"])
    assert (cfg.device, cfg.dataset.root) == ("cuda", str(home / "rooms"))
    words = ["dataset=lsun", "dataset.root=other/rooms", "device=auto", "dataset.cache_dir=here"]
    cfg = compose(configs, "train", words)
    assert (cfg.device, cfg.dataset.cache_dir, cfg.dataset.root) == ("auto", "here", str(home / "other" / "rooms"))
    assert supplied(configs) == []


def test_a_relative_place_is_stored_absolute(home):
    assert compose(loader(), "train", ["dataset=image_folder", "dataset.root=photos"]).dataset.root == str(home / "photos")
    assert compose(loader(), "train", ["dataset=image_folder", "dataset.root='~/photos'"]).dataset.root == str(home / "photos")
    assert compose(loader(), "train", ["dataset=image_folder"]).dataset.root is None


@pytest.mark.slow
def test_a_folder_of_data_sets(home, monkeypatch):
    configs = loader()
    monkeypatch.setenv("GAN_CLI_DATA", "~/sets")
    (home / "sets" / "lsun").mkdir(parents=True)
    (home / "sets" / "energydata_complete.csv").touch()
    for option, place in (("cifar10", ""), ("lsun", "/lsun")):
        cfg = compose(configs, "train", [f"dataset={option}"])
        assert cfg.dataset.root == f"{home}/sets{place}"
        assert supplied(configs) == [f"dataset.root={home}/sets{place} comes from GAN_CLI_DATA"]
    assert compose(configs, "train", ["dataset=energy"]).dataset.path == f"{home}/sets/energydata_complete.csv"
    assert compose(configs, "train", ["dataset=image_folder"]).dataset.root is None
    (home / "sets" / "lsun").rmdir()
    assert compose(configs, "train", ["dataset=lsun"]).dataset.root == f"{home}/sets"


def test_the_user_config_wins_over_the_folder_of_data_sets(home, write, monkeypatch):
    write(CONFIG)
    monkeypatch.setenv("GAN_CLI_DATA", str(home))
    assert compose(loader(), "train", ["dataset=lsun"]).dataset.root == "/data/lsun"


def test_sets_that_can_be_downloaded_have_a_default_place(home):
    configs, place = loader(), home / "cache" / "gan-cli" / "data"
    assert compose(configs, "train", ["dataset=cifar10"]).dataset.root == str(place)
    assert supplied(configs) == [f"dataset.root={place} is the default place; dataset.root=DIR names another"]
    assert compose(configs, "train", ["dataset=lsun"]).dataset.root is None
    with pytest.raises(UserError) as error:
        cifar10(str(place))
    assert str(error.value).startswith(f"dataset.root: there is no folder {place}.\nIt should hold cifar-10-batches-py/")
    assert str(error.value).endswith(" dataset.download=true downloads it there.")
    with pytest.raises(UserError, match=r"needs dataset\.root=DIR.* dataset\.download=true downloads it there\.$"):
        cifar10()


@pytest.mark.slow
def test_no_composed_config_holds_the_places():
    for option in ("cifar10", "energy", "lsun", "ring"):  # a folder, a file, several folders, and no place
        assert "_within_" not in configs.compose(f"dataset={option}").dataset


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("devise: cpu", "no key 'devise'. Its keys are dataset, cache_dir, device."),
        ("[a]", "it holds no keys. Its keys are dataset, cache_dir, device."),
        ("device: gpu", "device must be auto (best one here), cpu, cuda, cuda:N or mps, not 'gpu'"),
        ("device: 3", "device must be a text, not 3."),
        ("dataset: {lsun: /data}", "dataset.lsun must say where the data set lies, as in {lsun: {root: /data/lsun}}."),
        ("dataset: lsun", "dataset.lsun must say where"),
        ("dataset: {lsun: {root: rooms}}", "dataset.lsun.root must be an absolute path, not 'rooms'."),
        ("dataset: {lsun: {path: /rooms}}", "dataset.lsun.path: the place of this data set is called root."),
        ("cache_dir: here", "cache_dir must be an absolute path, not 'here'."),
    ],
)
def test_a_bad_user_config_is_one_line(home, write, text, said):
    write(text)
    with pytest.raises(UserError) as error:
        compose(loader(), "train", ["dataset=lsun"])
    assert str(error.value).startswith(f"{home}/config/gan-cli/config.yaml: {said}")
    assert "\n" not in str(error.value)


def test_yaml_that_cannot_be_read_is_named_with_its_line(home, write):
    write("device: cpu\ndataset: [\n")
    with pytest.raises(UserError, match=r"config/gan-cli/config\.yaml, line 3: .*\.$"):
        loader()


def test_an_empty_user_config_says_nothing(home, write):
    write("# nothing yet\n")
    assert compose(loader(), "train", []).device == "auto"


@pytest.mark.long
def test_a_sweep_says_once_where_the_values_of_each_job_come_from(conf, call, jobs, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "gan-cli").mkdir(parents=True)
    (conf / "dataset" / "more.yaml").write_text((conf / "dataset" / "images.yaml").read_text())
    file = tmp_path / "config" / "gan-cli" / "config.yaml"
    file.write_text("dataset: {images: {root: /photos}, more: {root: /more}}\n")
    answer = call("train", "-m", "dataset=images,more", "seed=1,2")
    notes = [line for line in answer.out.splitlines() if "comes from" in line]
    assert notes == [f"dataset.root={place} comes from {file}" for place in ("/photos", "/more")]
    assert sorted({note["cfg"]["dataset"]["root"] for note in jobs.trained}) == ["/more", "/photos"]


@pytest.mark.slow
def test_the_run_says_once_where_values_come_from(call, jobs, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "gan-cli").mkdir(parents=True)
    file = tmp_path / "config" / "gan-cli" / "config.yaml"
    file.write_text("device: cuda:7\ndataset: {images: {root: /photos}}\n")
    answer = call("train", "dataset=images")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.count("comes from") == 2
    assert answer.out.startswith(f"device=cuda:7 comes from {file}\ndataset.root=/photos comes from {file}\n")
    assert (jobs.trained[0]["cfg"]["device"], jobs.trained[0]["cfg"]["dataset"]["root"]) == ("cuda:7", "/photos")
    answer = call("train", "-m", "dataset=images", "seed=1,2")
    assert (answer.code, answer.out.count("comes from")) == (0, 2)
    assert {note["cfg"]["dataset"]["root"] for note in jobs.trained} == {"/photos"}
    assert "comes from" not in call("train", "dataset=images", "--cfg", "job").out
    file.write_text("devise: cpu")
    assert call("train", "dataset=images").err.startswith(f"gan-train: {file}: no key 'devise'. Its keys are ")
    assert call("train", "--help").code == 0
