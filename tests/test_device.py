"""Names of devices."""

import pytest
import torch

from gan_cli.device import available, choose, memory_errors_named
from gan_cli.errors import UserError


@pytest.fixture
def machine(monkeypatch):
    def pretend(cuda=0, mps=False):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("cuda", "mps", "here"),
    [
        (0, False, ["cpu"]),
        (2, False, ["cuda:0", "cuda:1", "cpu"]),
        (0, True, ["mps", "cpu"]),
        (1, True, ["cuda:0", "mps", "cpu"]),
    ],
)
def test_available_best_first(machine, cuda, mps, here):
    machine(cuda, mps)
    assert available() == here
    assert choose("auto") == torch.device(here[0])
    for name in here:
        assert choose(name) == torch.device(name)


def test_cuda_without_a_number(machine):
    machine(cuda=2)
    assert choose("cuda").type == "cuda"


def test_meta():
    assert choose("meta") == torch.device("meta")


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "gpu", "", "CPU"])
def test_errors_list_the_available_devices(machine, name):
    machine()
    with pytest.raises(UserError, match=f"device={name} is not available. Use one of: cpu"):
        choose(name)


def test_unknown_device_number(machine):
    machine(cuda=2)
    with pytest.raises(UserError, match=r"device=cuda:2 is not available. Use one of: cuda:0, cuda:1, cpu"):
        choose("cuda:2")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "device=cpu: out of memory. Lower n."),
        (torch.OutOfMemoryError("CUDA out of memory"), "device=cpu: out of memory. Lower n."),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 3221225472 bytes."),
            "device=cpu: out of memory for 3.0 GiB more. Lower n.",
        ),
        (
            RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes."),
            "device=cpu: out of memory for",
        ),
    ],
)
def test_a_failed_allocation_names_what_lowers_the_need(error, said):
    with pytest.raises(UserError) as caught, memory_errors_named("cpu", "Lower n"):
        raise error
    assert str(caught.value).startswith(said)


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes"), memory_errors_named("cpu", "Lower n"):
        raise RuntimeError("shapes")
