"""The cache computes features of real samples once, for any number of processes, and detects damage."""

import multiprocessing
import os
import signal
import time
import zipfile
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from gan_cli import files
from gan_cli.metrics.features import cache
from gan_cli.metrics.features.base import Features
from gan_cli.metrics.features.cache import content_key, encode_cached, load_or_compute
from gan_cli.metrics.features.identity import Identity
from gan_cli.metrics.features.pixels import Pixels

pytestmark = pytest.mark.slow

X, Y = torch.arange(12.0).view(4, 3), torch.tensor([0, 1, 1, 0])


@dataclass(frozen=True)
class Doubled(Features):
    """Features that are twice the samples, in float64, with their sums as logits; calls are recorded."""

    name = "doubled"
    weights: str = "abc"
    logits: bool = True
    pause: float = 0.0
    calls: list = field(default_factory=list)

    @property
    def provenance(self):
        return {"extractor": self.name, "weights": self.weights, "resizing": "none"}

    def __call__(self, x):
        self.calls.append(len(x))
        time.sleep(self.pause)
        x = x.flatten(1).double()
        return 2 * x, x.sum(1, keepdim=True) if self.logits else None


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache._warn_not_writable.cache_clear()
    return tmp_path


def entries(home):
    return sorted(path for path in home.rglob("*.npz") if not path.name.startswith("."))


def others(home):
    """Return all files except entries and locks."""
    return [path for path in home.rglob("*") if path.is_file() and path.suffix not in (".npz", ".lock")]


@pytest.mark.parametrize("logits", [True, False])
def test_features_are_computed_once(home, logits):
    features = Doubled(logits=logits)
    for _ in range(3):
        found = encode_cached(features, X, Y)
        assert found.x is X
        assert found.y is Y
        torch.testing.assert_close(found.features, 2 * X.double(), rtol=0, atol=0)
        if logits:
            torch.testing.assert_close(found.logits, X.double().sum(1, keepdim=True), rtol=0, atol=0)
        else:
            assert found.logits is None
        found.features.zero_()  # changing the result must not change the cache
    assert features.calls == [4]
    assert len(entries(home)) == 1
    assert encode_cached(features, X).y is None
    assert not others(home)


def test_whatever_changes_the_features_changes_the_key(home):
    features, others = Doubled(), Doubled(weights="abd")
    moved = X.clone()
    moved[3, 2] = torch.nextafter(moved[3, 2], torch.tensor(0.0))
    for n, (which, x) in enumerate(
        [(features, X), (others, X), (features, moved), (features, X.double()), (features, X.view(4, 1, 3)), (features, X[:3])]
    ):
        assert len(encode_cached(which, x)) == len(x)
        assert len(entries(home)) == n + 1
    assert features.calls == [4, 4, 4, 4, 3]


def test_the_key_depends_on_values_not_on_memory_layout():
    assert content_key("a", X) == content_key("a", X.T.contiguous().T)
    assert content_key("a", X) != content_key("a", X.T)
    assert content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
    assert content_key("a", X, Y) != content_key("a", Y, X)
    assert content_key("a", torch.tensor(1), torch.zeros(0)) != content_key("a", torch.zeros(0), torch.tensor(1))
    assert len(content_key("a")) == 64


@pytest.mark.parametrize("features", [Identity(), Pixels()])
def test_features_without_weights_are_not_cached(home, features):
    found = encode_cached(features, X.view(4, 1, 1, 3) / 12, Y)
    assert found.features.shape == (4, 3)
    assert not list(home.iterdir())


def test_no_flipped_bit_goes_unnoticed(home):
    """A flip in an insignificant part of the archive, such as a date, leaves the tensors right."""
    encode_cached(Doubled(), X)
    (path,) = entries(home)
    right, whole = cache._read(path), path.read_bytes()
    noticed = 0
    for bit in range(0, 8 * len(whole), 9):  # a different bit of each byte
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        found = cache._read(path)
        noticed += found is None
        assert found is None or (set(found) == set(right) and all(torch.equal(found[name], right[name]) for name in right))
    assert noticed > len(whole) / 3


def pickled(path):
    with zipfile.ZipFile(path, "w") as archive, archive.open("features.npy", "w") as file:
        np.save(file, np.array([{"an": "object"}], dtype=object), allow_pickle=True)


def forged(**tensors):
    """Return a function that writes other tensors, with their right checksum."""
    return lambda path: cache._write(path, {name: torch.as_tensor(values) for name, values in tensors.items()}, False)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: os.truncate(path, 300),
        lambda path: os.truncate(path, 0),
        pickled,
        lambda path: path.write_bytes(b"\x93NUMPY"),
        forged(logits=X.double()),
        forged(features=X[:3].double()),
        forged(features=[0.0] * 4),
        forged(features=X.long()),
        forged(features=X.double(), more=X.double()),
    ],
    ids=["truncated", "empty", "pickled", "no archive", "no features", "too few", "a vector", "integers", "too many"],
)
def test_a_damaged_entry_is_computed_again(home, damage, capsys):
    features = Doubled()
    encode_cached(features, X)
    (path,) = entries(home)
    whole = path.read_bytes()
    damage(path)
    torch.testing.assert_close(encode_cached(features, X).features, 2 * X.double())
    assert capsys.readouterr().err == f"{path} is damaged and is computed again.\n"
    assert features.calls == [4, 4]
    assert cache._read(path).keys() == {"features", "logits"}
    assert len(path.read_bytes()) == len(whole)
    encode_cached(features, X)
    assert features.calls == [4, 4], "the entry was repaired"
    assert capsys.readouterr().err == ""


def in_child(function):
    process = multiprocessing.get_context("fork").Process(target=function)
    process.start()
    return process


def test_two_processes_at_once(home):
    results = multiprocessing.get_context("fork").Queue()

    def work():
        features = Doubled(pause=0.3)
        results.put((features.calls, encode_cached(features, X).features.tolist()))

    children = [in_child(work) for _ in range(3)]
    found = [results.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert sorted(calls for calls, _ in found) == [[], [], [4]], "one process computes, the others wait"
    assert all(features == (2 * X).tolist() for _, features in found)


def test_two_processes_at_once_without_locks(home, monkeypatch):
    """The second process finds an equal result in place."""

    def refuse(*_):
        raise OSError("no locks here")

    monkeypatch.setattr("fcntl.flock", refuse)

    class Overtaken(Doubled):
        def __call__(self, x):
            encode_cached(Doubled(), x)
            return super().__call__(x)

    torch.testing.assert_close(encode_cached(Overtaken(), X).features, 2 * X.double())
    assert len(entries(home)) == 1
    assert not others(home)


def test_a_process_killed_while_writing_leaves_no_entry(home, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(files, "sync", lambda file: os.kill(os.getpid(), signal.SIGKILL))
        child = in_child(lambda: encode_cached(Doubled(), X))
        child.join()
    assert child.exitcode == -signal.SIGKILL
    assert not entries(home), "no entry that looks complete"
    assert len(others(home)) == 1
    encode_cached(Doubled(), X)
    assert len(entries(home)) == 1
    assert not others(home), "temporary files are removed"


def test_a_folder_that_cannot_be_created_costs_only_time(home, monkeypatch, capsys):
    (home / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "file"))
    features = Doubled()
    for _ in range(2):
        torch.testing.assert_close(encode_cached(features, X, Y).features, 2 * X.double())
    assert features.calls == [4, 4]
    complaint = capsys.readouterr().err
    assert complaint.count("Cannot write to ") == 1
    assert complaint.count("\n") == 1
    assert str(home / "file") in complaint
    assert "Not a directory" in complaint


def test_a_full_disk_costs_only_time(home, monkeypatch, capsys):
    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "sync", full)
    features = Doubled()
    for _ in range(2):
        torch.testing.assert_close(encode_cached(features, X).features, 2 * X.double())
    assert features.calls == [4, 4]
    assert capsys.readouterr().err.count("No space left on device") == 1
    assert not entries(home)
    assert not others(home)


def test_a_hit_writes_nothing(home, monkeypatch):
    encode_cached(Doubled(), X)
    monkeypatch.setattr(cache, "file_lock", lambda *_: pytest.fail("asked for a lock"))
    encode_cached(Doubled(), X)


def test_an_error_while_computing_is_not_mistaken_for_a_full_disk(home):
    def compute():
        raise OSError("weights cannot be read")

    with pytest.raises(OSError, match="weights cannot be read"):
        load_or_compute(home / "a.npz", compute, lambda tensors: True, "")
    assert not entries(home)
