"""The formats of exported networks: how each is written, read back and run."""

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.export.networks import ROWS, Network, seeded

TOLERANCE = 1e-4
"""Largest difference between outputs before and after, relative to the largest output or 1."""


class Format(NamedTuple):
    """A format of files.

    Attributes:
        suffix: Suffix of the files.
        packages: What it needs beside torch, as pip calls it.
        write: Writes a network to a file; None for the state of a player, which needs the run.
        run: Reads a file and computes the output for inputs.
    """

    suffix: str
    packages: Sequence[str]
    write: Callable[[Network, Path], None] | None
    run: Callable[[Path, Network], Tensor]


def write_torchscript(network: Network, path: Path) -> None:
    """Write a traced network."""
    with quietly(), torch.no_grad():
        traced = torch.jit.trace(network.module, shorter(network), check_trace=False)
        torch.jit.save(traced, str(path))


def run_torchscript(path: Path, network: Network) -> Tensor:
    """Return the output of a traced network."""
    with quietly():
        loaded = torch.jit.load(str(path), map_location="cpu")
        return seeded(loaded, *network.inputs.values())


def write_onnx(network: Network, path: Path) -> None:
    """Write a network as an ONNX graph with any number of samples.

    Raises:
        UserError: If the network draws random numbers.
    """
    if network.draws:
        raise UserError(
            f"format=onnx: {network.name} draws random numbers of its own (dropout), which ONNX does not repeat.\n"
            "Choose format=torchscript or format=safetensors."
        )
    batch = torch.export.Dim("batch", min=1)
    with quietly(), torch.no_grad():
        program = torch.onnx.export(
            network.module,
            shorter(network),
            dynamo=True,
            dynamic_shapes={"inputs": tuple({0: batch} for _ in network.inputs)},
            input_names=[*network.inputs],
            output_names=["output"],
            verbose=False,
        )
        assert program is not None
        program.save(path)


def run_onnx(path: Path, network: Network) -> Tensor:
    """Return the output that onnxruntime computes."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = {name: tensor.numpy() for name, tensor in network.inputs.items()}
    names = {one.name for one in session.get_inputs()}
    [output] = session.run(None, {name: values for name, values in given.items() if name in names})
    return torch.from_numpy(output)


def run_safetensors(path: Path, network: Network) -> Tensor:
    """Return the output of the network that a file of safetensors describes."""
    from gan_cli.export import stored
    from gan_cli.export.networks import Adapter, Composition

    assert not isinstance(network.module, Composition)
    assert isinstance(network.module, Adapter)
    loaded = stored.rebuilt(*stored.read(path), path)
    return seeded(Adapter(loaded, network.module.arguments), *network.inputs.values())


FORMATS = {
    "safetensors": Format(".safetensors", ("safetensors",), None, run_safetensors),
    "onnx": Format(".onnx", ("onnx", "onnxscript", "onnxruntime"), write_onnx, run_onnx),
    "torchscript": Format(".pt", (), write_torchscript, run_torchscript),
}
"""Formats by the values of ``format``."""


def require_packages(name: str) -> None:
    """Check that the packages of a format are installed.

    Raises:
        UserError: If one is not.
    """
    for package in FORMATS[name].packages:
        checks.package(package, "export", f"format={name}")


def shorter(network: Network) -> tuple[Tensor, ...]:
    """Return the example without its last sample, so that a file for another number of samples would be noticed."""
    return tuple(tensor[: ROWS - 1] for tensor in network.inputs.values())


def difference(form: str, path: Path, network: Network) -> float:
    """Return the largest difference between the outputs of a network and of its file, relative to the largest output or 1.

    Raises:
        UserError: If the file cannot be run, or the difference is not a matter of rounding.
    """
    expected = network(*network.inputs.values())
    try:
        found = FORMATS[form].run(path, network)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"format={form}: the exported {network.name} cannot be run: {first_line(error)}") from error
    if found.shape != expected.shape:
        raise UserError(f"format={form}: {network.name} gives {[*found.shape]} where the run gives {[*expected.shape]}.")
    apart = float((found.float() - expected.float()).abs().max() / expected.abs().max().clamp(min=1))
    if not apart <= TOLERANCE:
        raise UserError(f"format={form}: the outputs of the exported {network.name} differ by {apart:.2g}. Nothing is written.")
    return apart


def first_line(error: BaseException) -> str:
    """Return the first line of an error that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]


@contextmanager
def quietly() -> Iterator[None]:
    """Keep the advice of torch's exporters, which is meant for the authors of networks, to itself."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
