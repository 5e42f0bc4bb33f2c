"""Every logger of the group: the same tags, each step once, also after a crash; failures never stop a run."""

import errno
import itertools
import json
import math
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas
import pytest
from omegaconf import OmegaConf
from PIL import Image
from support import configs
from support.runs import differences, outcome, train
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_cli.build import build_loggers
from gan_cli.cli.earlier_run import in_resumed_folder
from gan_cli.cli.job import _stored
from gan_cli.errors import UserError
from gan_cli.loggers import LoggedRun, Logger, Service, TensorBoard
from gan_cli.runs import logger
from gan_cli.runs.folder import refuse_links

LINES = [(step, {"loss/generator": step + 0.5, "metric/w1": math.inf if step == 2 else 0.25 * step}) for step in range(1, 9)]
LOSSES = [(step, values["loss/generator"]) for step, values in LINES]


def tensorboard(folder: Path) -> list[tuple[int, float]]:
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    assert [event.step for event in found.Images("samples")] == [1, 6]
    return [(event.step, event.value) for event in found.Scalars("loss/generator")]


def csv(folder: Path) -> list[tuple[int, float]]:
    frame = pandas.read_csv(folder / "metrics.csv")
    assert list(frame.columns) == ["step", "loss/generator", "metric/w1", "heldout/js"]
    assert frame["heldout/js"].dropna().tolist() == [0.125]
    return list(zip(frame["step"], frame["loss/generator"], strict=True))


def wandb(folder: Path) -> list[tuple[int, float]]:
    from wandb.proto.wandb_internal_pb2 import Record

    curve, ids, pictures = [], set(), 0
    for path in sorted(folder.glob("loggers/wandb/offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime):
        for record in map(Record.FromString, leveldb_records(path.read_bytes())):
            if record.HasField("run"):
                ids.add((record.run.run_id, record.run.project))
            if record.HasField("history"):
                row = {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
                curve.append((record.history.step.num, row["loss/generator"]))
                pictures += any(key.startswith("samples") for key in row)
    assert len(ids) == 1
    assert pictures == 2
    return curve


def leveldb_records(content: bytes) -> Iterator[bytes]:
    """Yield the records of a log in LevelDB's format, after wandb's header of 7 bytes."""
    position, record = 7, b""
    while position + 7 <= len(content):
        if 32768 - position % 32768 < 7:  # the rest of a block that is too short for a header
            position += 32768 - position % 32768
        _, length, kind = struct.unpack_from("<IHB", content, position)
        record += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


def mlflow(folder: Path) -> list[tuple[int, float]]:
    from mlflow import MlflowClient

    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    client = MlflowClient(tracking_uri=str(folder.parent / "mlruns"))
    [experiment] = [one for one in client.search_experiments() if one.name == "gan-cli"]
    [run] = client.search_runs([experiment.experiment_id])
    assert run.data.params["seed"] == "0"
    assert run.info.status == "FINISHED"
    assert len(client.list_artifacts(run.info.run_id, "samples")) == 2
    return [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, "loss/generator")]


READ = {"tensorboard": tensorboard, "csv": csv, "wandb": wandb, "mlflow": mlflow, "none": None}
"""Functions that read the curve of ``loss/generator`` back from each logger."""


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "false")


def log(folder: Path, names: str, first: int, last: int, finished: bool = False, step: int = 0) -> None:
    """Log the lines ``first`` to ``last`` of a run that begins or continues at ``step``."""
    cfg = configs.config(f"logger={names}")
    run = logger.RunLogger(folder, step, build_loggers(cfg), OmegaConf.to_container(cfg, resolve=True), pytest.fail)
    for number, values in LINES[first - 1 : last]:
        run.numbers(number, values)
        if number in (1, 6):
            run.picture(number, "samples", np.zeros((4, 4, 3), np.uint8))
        if number == 7:
            run.numbers(number, {"heldout/js": 0.125})
    run.flush()
    refuse_links(folder)  # the run can be read, and resumed if it is killed now
    if finished:
        run.hparams({"seed": 0}, {"metric/w1": 2.0}, ["seed"])
    run.close()


def test_every_logger_has_a_reader():
    assert set(READ) == set(configs.options("logger"))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks={"wandb": pytest.mark.long, "mlflow": pytest.mark.slow}.get(name, [])) for name in READ]
)
def test_a_resumed_run_has_each_step_once(name, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    log(folder, name, 1, 6)
    log(folder, name, 5, 8, finished=True, step=4)  # the process was killed at step 6, and its last checkpoint is of step 4
    assert [(row["step"], row["loss/generator"]) for row in logger.read(folder) if "loss/generator" in row] == LOSSES
    if READ[name]:
        assert READ[name](folder) == LOSSES


@pytest.mark.slow
def test_a_run_is_kept_here_if_the_server_is_out_of_reach(tmp_path, monkeypatch):
    for name, value in (("MODE", "online"), ("API_KEY", "0" * 40), ("BASE_URL", "http://127.0.0.1:9")):
        monkeypatch.setenv(f"WANDB_{name}", value)
    monkeypatch.setattr("gan_cli.loggers.wandb.PATIENCE", 1)
    log(tmp_path, "wandb", 1, 6)
    log(tmp_path, "wandb", 5, 8, finished=True, step=4)
    assert wandb(tmp_path) == LOSSES


@pytest.mark.long
def test_a_database_is_a_store_of_mlflow(tmp_path, monkeypatch):
    from mlflow import MlflowClient

    address = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.chdir(tmp_path)  # where the files of a run in a database go
    log(tmp_path, "mlflow", 1, 8, finished=True)
    client = MlflowClient(tracking_uri=address)
    [run] = client.search_runs([client.get_experiment_by_name("gan-cli").experiment_id])
    assert [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, "loss/generator")] == LOSSES


def test_a_database_without_its_package_is_refused_before_training(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+psycopg2://me:secret@host/db")
    monkeypatch.setattr("gan_cli.checks.installed", lambda name: name != "SQLAlchemy")
    with pytest.raises(UserError, match=r"names a database, .*\nInstall the whole package with: pip install mlflow$") as error:
        build_loggers(configs.config("logger=mlflow"))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/runs/my mlruns", "mlflow ui --backend-store-uri '/runs/my mlruns'"),
        ("sqlite:///mlflow.db", 'mlflow ui --backend-store-uri "$MLFLOW_TRACKING_URI"'),
        ("https://me:secret@host:5000/a@b", "https://host:5000/a@b"),
    ],
)
def test_how_a_store_is_looked_at(address, shown):
    [logger] = build_loggers(configs.config("logger=mlflow")).values()
    logger.uri = address
    assert logger.shown_by() == shown


def test_tensorboard_shows_the_picture_that_is_in_the_file(tmp_path):
    picture, file, board = np.arange(18, dtype=np.uint8).reshape(2, 3, 3), tmp_path / "a.png", TensorBoard()
    Image.fromarray(picture).save(file, compress_level=0)  # other bytes than if it were encoded once more
    board.begin(LoggedRun(tmp_path, 0, [], {}))
    board.image(4, "samples", picture, file)
    board.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    (shown,) = events.Images("samples")
    assert (shown.step, shown.height, shown.width, shown.encoded_image_string) == (4, 2, 3, file.read_bytes())


def test_the_table_of_values_that_are_not_finite(tmp_path):
    log(tmp_path, "csv", 1, 3)
    assert (tmp_path / "metrics.csv").read_text().splitlines()[2] == "2,2.5,inf"
    log(tmp_path, "csv", 4, 4, step=3)
    assert (tmp_path / "metrics.csv").read_text().splitlines() == [
        "step,loss/generator,metric/w1",
        "1,1.5,0.25",
        "2,2.5,nan",
        "3,3.5,0.75",
        "4,4.5,1.0",
    ]


class Recorded(Service):
    """A service in memory, by id."""

    name = "recorded"
    runs: ClassVar[dict] = {}
    numbers = itertools.count()
    broken_at = 0

    def open(self, run, id):
        self.id = id if id in self.runs else f"run{next(self.numbers)}"
        self.runs.setdefault(self.id, [])
        return self.id

    def send(self, step, values, pictures):
        if step == self.broken_at:
            raise ConnectionError("the network is down")
        self.runs[self.id].append((step, values["loss/generator"]))

    def end(self, finished):
        pass


def play(folder, service, first, last, step=0, say=pytest.fail):
    run = logger.RunLogger(folder, step, {"recorded": service}, {}, say)
    for number, values in LINES[first - 1 : last]:
        run.numbers(number, values)
    return run


@pytest.fixture
def recorded(monkeypatch):
    monkeypatch.setattr(Recorded, "runs", {})
    monkeypatch.setattr(Recorded, "numbers", itertools.count())
    monkeypatch.setattr(Recorded, "broken_at", 0)
    return Recorded


def test_a_service_gets_what_it_missed_and_nothing_twice(recorded, tmp_path):
    said = []
    recorded.broken_at = 3
    play(tmp_path, recorded(), 1, 6, say=said.append)
    [line] = said
    assert line.startswith("warning: the logger recorded failed: ConnectionError: the network is down (")
    assert line.endswith("). The run goes on without it.")
    assert recorded.runs == {"run0": LOSSES[:2]}
    recorded.broken_at = 0
    play(tmp_path, recorded(), 5, 7, step=4)  # killed here: step 7 has not been sent
    assert recorded.runs == {"run0": LOSSES[:6]}
    play(tmp_path, recorded(), 7, 8, step=6).close()
    assert recorded.runs == {"run0": LOSSES}


def test_a_run_that_a_service_does_not_know_is_sent_again(recorded, tmp_path):
    play(tmp_path, recorded(), 1, 4).close()
    recorded.runs.clear()
    play(tmp_path, recorded(), 5, 6, step=4).close()
    assert recorded.runs == {"run1": LOSSES[:6]}


@pytest.mark.parametrize("place", ["{", '{"id": "../x", "step": 3}', '{"id": 3}', "[]"])
def test_a_damaged_place_is_begun_anew(recorded, tmp_path, place):
    (tmp_path / "loggers").mkdir()
    (tmp_path / "loggers" / "recorded.json").write_text(place)
    play(tmp_path, recorded(), 1, 4).close()
    assert recorded.runs == {"run0": LOSSES[:4]}


class Failing(Logger):
    """Raises ``error`` when it is asked to log."""

    def __init__(self, error):
        self.error = error

    def begin(self, run: LoggedRun) -> None:
        pass

    def scalars(self, step, values):
        raise self.error


def test_a_full_disk_is_an_error(tmp_path):
    run = logger.RunLogger(tmp_path, 0, {"failing": Failing(OSError(errno.ENOSPC, "No space left"))})
    with pytest.raises(OSError, match="No space left"):
        run.numbers(1, {"loss/generator": 1.0})


@pytest.mark.slow
def test_training_is_the_same_to_the_bit_whatever_logs_it(tmp_path, monkeypatch, capsys):
    cfg = configs.config("dataset=ring", "train.steps=4 eval_every=2 sample_every=2 log_every=1 checkpoint_every=2")
    monkeypatch.setattr("gan_cli.training.run.build_loggers", lambda cfg: {"failing": Failing(TimeoutError("no answer"))})
    train(cfg, tmp_path / "failing")
    assert " ".join(capsys.readouterr().out.split()).count("the logger failing failed: TimeoutError: no answer (") == 1
    monkeypatch.undo()
    monkeypatch.setenv("WANDB_MODE", "offline")
    cfg.logger = configs.config("logger=[csv,wandb,mlflow]").logger
    train(cfg, tmp_path / "several")
    assert {path.name for path in (tmp_path / "several" / "loggers").iterdir()} == {"wandb", "wandb.json", "mlflow.json"}
    printed = " ".join(capsys.readouterr().out.split())
    assert all(word in printed for word in ("metrics.csv", "wandb sync", "mlflow ui"))
    outcomes = [outcome(tmp_path / name) for name in ("failing", "several")]
    for one in outcomes:
        del one["config"]["logger"]
    assert differences(*outcomes) == []


@pytest.mark.parametrize("words", ["logger.wandb.mode=loud", "logger.wandb.mode=disabled"])
def test_a_wrong_mode(words):
    with pytest.raises(UserError, match=r"^logger\.wandb\.mode='\w+': it must be online, offline or null\.$"):
        build_loggers(configs.config("logger=wandb", words))


@pytest.mark.slow
def test_a_resume_may_choose_other_loggers(tmp_path):
    folder = tmp_path / "run"
    train(configs.config("dataset=ring metric=none", "train.steps=0"), folder)
    words = in_resumed_folder([f"resume={folder}", "logger=[csv,wandb]", "logger.wandb.project=mine"])
    cfg = configs.compose("logger=[csv,wandb] logger.wandb.project=mine")
    stored = _stored(cfg, folder, [word for word in words if not word.startswith("hydra")])
    assert list(stored.logger) == ["csv", "wandb"]
    assert stored.logger.wandb.project == "mine"
