"""A console that cannot be written: a run goes on without it."""

import importlib
import io
import json
import os
import sys
from pathlib import Path

import pytest
from torture import children

from gan_cli.runs.streams import unfailing

FULL = "/dev/full"


def without_reader():
    reader, writer = os.pipe()
    os.close(reader)
    return open(writer, "w")


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


def full():
    return open(FULL, "w")


def missing():
    """Return what Python has for a stream that was closed when it started."""


BROKEN = [without_reader, closed, missing, *([full] if os.path.exists(FULL) else [])]


@pytest.mark.parametrize("make", BROKEN)
def test_nothing_is_raised_and_the_streams_are_put_back(make, monkeypatch):
    streams = make(), make()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        with unfailing():
            for stream in (sys.stdout, sys.stderr):
                print("a line", file=stream)  # which waits in the buffer
                print("↓" * 50, file=stream, flush=True)
                stream.writelines(["a", "b"])
                stream.flush()
        assert (sys.stdout, sys.stderr) == streams
    for stream in filter(None, streams):
        stream.close()  # what is left in the buffer does not fail again


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_characters_that_the_encoding_lacks_are_replaced(encoding, monkeypatch):
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding=encoding))
    with unfailing():
        print("W₁ ↓ é \udcff")
        print("more")
        assert sys.stdout.encoding == encoding
    said = {"ascii": "W? ? ? ?", "latin-1": "W? ? é ?", "utf-8": "W₁ ↓ é ?"}
    assert content.getvalue().decode(encoding) == f"{said[encoding]}\nmore\n"


def test_what_can_be_written_is_written(capsys):
    with unfailing(own_process=False):
        print("out")
        print("err", file=sys.stderr)
        assert not sys.stdout.isatty()
    assert capsys.readouterr() == ("out\n", "err\n")


UNUSED = {"matplotlib", "mlflow", "onnx", "pandas", "scipy", "tensorboard", "torchvision", "wandb"}
"""Packages that a run on images needs no part of, unless it has a metric or a logger; some take a second to import."""


class Refusing:
    """Finds no package that is unused, and notes which was looked for."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in UNUSED:
            Path("imported").write_text(name)
            raise ImportError(name)


def begin_anew():
    """In a fork: close standard output, leave standard error no room, and forget the program and what it has no need of."""
    importlib.import_module("torch._dynamo")  # which optimizers import, and which looks for packages that it may not need
    for name in [*sys.modules]:
        if name.partition(".")[0] in {"gan_cli", *UNUSED}:
            del sys.modules[name]
    sys.meta_path.insert(0, Refusing)
    sys.stdout, sys.stderr = missing(), full() if full in BROKEN else without_reader()


@pytest.mark.slow
def test_a_run_whose_console_is_gone_is_finished_and_imports_what_it_uses(tmp_path):
    """Neither shows in the exit code."""
    words = ["model=mlp_small", "dataset.max_samples=100", "metric=none", "logger=none", "device=cpu", "train.steps=3"]
    ended = children.call(["gan-train", *words, f"hydra.run.dir={tmp_path / 'run'}"], tmp_path, begin_anew)
    assert ended.code == 0
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "finished"
    assert not (tmp_path / "imported").exists()
