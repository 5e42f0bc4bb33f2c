"""A console that cannot be written: a run goes on without it."""

import io
import json
import os
import subprocess
import sys

import pytest

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


PROGRAM = """
import sys

from gan_cli.cli.main import gan_train

code = gan_train()
with open("code", "w") as file:
    file.write(str(code))
with open("imported", "w") as file:
    file.write(" ".join(sys.modules))
"""
UNUSED = {"matplotlib", "mlflow", "onnx", "pandas", "scipy", "tensorboard", "torchvision", "wandb"}
"""Packages that a run on images needs no part of, unless it has a metric or a logger; some take a second to import."""


@pytest.mark.slow
def test_a_run_whose_console_is_gone_is_finished_and_imports_what_it_uses(tmp_path):
    """Standard output is closed before the program starts, standard error has no room; neither shows in the exit code."""
    words = ["model=mlp_small", "dataset.max_samples=100", "metric=none", "logger=none", "device=cpu", "train.steps=3"]
    shell = f'exec "$@" >&- 2>{FULL if os.path.exists(FULL) else os.devnull}'
    command = ["sh", "-c", shell, "sh", sys.executable, "-c", PROGRAM, *words, f"hydra.run.dir={tmp_path / 'run'}"]
    ended = subprocess.run(command, cwd=tmp_path, check=False).returncode
    assert (tmp_path / "code").read_text() == "0"
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "finished"
    assert ended == 0
    imported = {name.partition(".")[0] for name in (tmp_path / "imported").read_text().split()}
    assert "torch" in imported
    assert not imported & UNUSED
