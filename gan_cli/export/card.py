"""The model card of an export: what the networks are, where they come from, and how they are loaded."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml
from omegaconf import DictConfig
from torch import Tensor

from gan_cli import __version__
from gan_cli.config.identity import config_hash
from gan_cli.evaluation import results
from gan_cli.evaluation.number_format import format_value
from gan_cli.export.stored import plain
from gan_cli.games.generator_game import LAWS, NORMAL, UNIFORM
from gan_cli.inference.load import LoadedRun
from gan_cli.runs import environment, record
from gan_cli.runs.checkpoint import fingerprint
from gan_cli.runs.folder import read_result

if TYPE_CHECKING:
    from gan_cli.export.command import Written

DRAWS = {LAWS[NORMAL]: "torch.randn({})", LAWS[UNIFORM]: "2 * torch.rand({}) - 1", "U[0, 1]": "torch.rand({})"}
"""Code that draws latents, by their law."""
LABELLED = 100
"""Largest number of classes that are listed."""


def text(run: LoadedRun, cfg: DictConfig, written: "Sequence[Written]") -> str:
    """Return the model card in Markdown.

    Args:
        run: The run.
        cfg: Config of gan-export.
        written: The networks and their files.
    """
    weights = "averaged" if cfg.ema else "trained"
    parts = [
        f"# {run.folder.name}",
        f"The {weights} networks of step {run.step} of a run of gan-cli {__version__}, exported as {cfg.format}.",
        "## Files",
        _table(("file", "parameters", "inputs", "output", "check"), map(_file_row, written)),
        "## Inputs and outputs",
        "\n".join(f"* {line}" for line in _meanings(run, written)),
        "## How to load it",
        "\n\n".join(_loading(run, cfg.format, one) for one in written),
        "## Numbers",
        _numbers(run, cfg.ema),
        "## Data",
        _data(run),
        "## Provenance",
        "\n".join(f"* {line}" for line in _provenance(run)),
        "## Config",
        f"```yaml\n{yaml.safe_dump(plain(run), sort_keys=False, allow_unicode=True, width=120)}```",
    ]
    return "\n\n".join(parts) + "\n"


def checked(apart: float) -> str:
    """Return in words how far the outputs of a file are from those of the run."""
    return "outputs equal to the bit" if apart == 0 else f"outputs within {apart:.1g} of the run's"


def _table(head: Sequence[str], rows: "Iterator[Sequence[str]] | Sequence[Sequence[str]]") -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _file_row(one: "Written") -> list[str]:
    network = one.network
    n = sum(parameter.numel() for parameter in network.module.parameters())
    inputs = ", ".join(f"{name} {_form(tensor)}" for name, tensor in network.inputs.items())
    output = "samples" if network.makes_samples else "logits or features"
    return [one.file, f"{n}", inputs, f"{output} {_form(network(*network.inputs.values()))}", checked(one.apart)]


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} [{', '.join(['B', *map(str, tensor.shape[1:])])}]"


def _meanings(run: LoadedRun, written: "Sequence[Written]") -> Iterator[str]:
    names = {name for one in written for name in one.network.inputs}
    if "z" in names:
        yield f"Latents z: {run.game.law}."
    if run.source is not None:
        yield f"Sources: images {[*run.source]}, RGB or grey, in [-1, 1]: pixels / 127.5 - 1."
    elif "y" in names:
        listed = run.class_names or [str(label) for label in range(run.classes)]
        shown = ", ".join(f"{label} {name}" for label, name in enumerate(listed[:LABELLED]))
        yield f"Labels y: {shown}{', ...' if len(listed) > LABELLED else ''}."
    if len(run.shape) == 3:
        yield "Samples: images [C, H, W] in [-1, 1]; pixels are (x + 1) * 127.5, rounded, 0 to 255."
    elif len(run.shape) == 2:
        low, high = run.series.scaling.low, run.series.scaling.high
        ranges = ", ".join(f"{name} {a:g} to {b:g}" for name, a, b in zip(run.series.names, low, high, strict=True))
        yield f"Samples: sequences [T, F], scaled to [0, 1]. In units of the data 0 and 1 are: {ranges}."
    else:
        yield "Samples: points in units of the data, without bounds."


def _loading(run: LoadedRun, form: str, one: "Written") -> str:
    network = one.network
    names = ", ".join(network.inputs)
    draws = [f"{name} = {_drawn(run, name, tensor)}" for name, tensor in network.inputs.items()]
    heads = {
        "safetensors": ["import torch", "", "import gan_cli", "", f'network = gan_cli.load_exported("{one.file}")', *draws],
        "torchscript": ["import torch", "", f'network = torch.jit.load("{one.file}")', *draws],
        "onnx": [
            "import onnxruntime",
            "import torch",
            "",
            f'session = onnxruntime.InferenceSession("{one.file}")',
            *draws,
        ],
    }
    given = ", ".join(f'"{name}": {name}.numpy()' for name in network.inputs)
    last = f"output = session.run(None, {{{given}}})[0]" if form == "onnx" else f"output = network({names})"
    code = "```python\n" + "\n".join([*heads[form], last]) + "\n```"
    if form != "safetensors":
        return code
    weights = f'`safetensors.torch.load_file("{one.file}")` gives the weights by name'
    return f"{code}\n\nWithout gan-cli, {weights}. `gan-train init_from={one.file}` begins a new run with them."


def _drawn(run: LoadedRun, name: str, tensor: Tensor) -> str:
    """Return an expression that makes 16 examples of an input."""
    sizes = ", ".join(map(str, (16, *tensor.shape[1:])))
    if not tensor.is_floating_point():
        return f"torch.randint({run.classes if name == 'y' else int(tensor.max()) + 1}, (16,))"
    if name == "z":
        known = [code.format(sizes) for law, code in DRAWS.items() if run.game.law == law]
        return known[0] if known else f"torch.randn({sizes})  # in place of: {run.game.law}"
    return f"2 * torch.rand({sizes}) - 1"


def _numbers(run: LoadedRun, ema: bool) -> str:
    found = [one for one in results.read(run.folder) if one.step == run.step and one.provenance.ema in (ema, None)]
    rows = [
        (name, format_value(number.value, number.error), "" if number.floor is None else f"{number.floor:.4g}", _samples(one))
        for one in found
        for name, number in one.numbers.items()
    ]
    if rows:
        return _table(("measure", "value ± standard error", "floor (real against real)", "samples"), rows)
    metric = (read_result(run.folder) or {}).get("metric") or {}
    if metric.get("final") is not None and (read_result(run.folder) or {}).get("step") == run.step:
        floor = f" (real against real {metric['floor']:.4g})" if metric.get("floor") is not None else ""
        counts = f"{metric.get('n_fake')} samples against {metric.get('n_real')} of the {metric.get('split')} split"
        return f"{metric['name']} {metric['final']:.4g}{floor}, {counts}, measured at the end of the run."
    return "Not measured. `gan-eval RUN` writes numbers that the next export holds."


def _samples(one: results.Result) -> str:
    return f"{one.provenance.n_fake} against {one.provenance.n_real} of the {one.provenance.split} split"


def _data(run: LoadedRun) -> str:
    found = record.read(run.folder)
    dataset = run.config.dataset._target_.rpartition(".")[2]
    lines = [f"dataset: {dataset}, samples of shape {[*run.shape]}", *(found.lines() if found else ())]
    return "\n".join(f"* {line}" for line in lines)


def _provenance(run: LoadedRun) -> Iterator[str]:
    facts: Mapping[str, Any] = environment.at(run.folder, run.step)
    yield f"Run: {run.folder.name}, step {run.step}, seed {run.config.seed}."
    if facts:
        yield f"Trained with {environment.in_words(facts)}."
    yield f"Players (SHA-256 of all weights): {fingerprint(run.game)}."
    yield f"Config: {config_hash(run.config)}."
