"""The gan-export command: networks of one checkpoint as files for other programs, checked, with a model card."""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from omegaconf import DictConfig
from rich.console import Console

from gan_cli.activity import activity
from gan_cli.errors import UserError
from gan_cli.export import card, stored
from gan_cli.export.formats import FORMATS, difference, first_line, require_packages
from gan_cli.export.networks import Network, networks
from gan_cli.files import require_writable
from gan_cli.inference.load import LoadedRun, load
from gan_cli.runs.console import Terminal, displayed, say

CARD = "README.md"
"""Name of the model card."""


class Written(NamedTuple):
    """A network that has been written: its file's name, and how far its outputs are from the run's."""

    network: Network
    file: str
    apart: float


def export_command(cfg: DictConfig) -> Path:
    """Write the networks of a run to a folder, run each file once more, and describe them in a model card.

    Nothing is left behind if a network cannot be exported, or if a file's outputs differ from the run's.

    Args:
        cfg: Config of gan-export.

    Returns:
        The folder.

    Raises:
        UserError: If there is no checkpoint or player, a package is missing, or a network cannot be exported.
    """
    require_packages(cfg.format)
    run = load(cfg.run, cfg.checkpoint, cfg.ema, "cpu")
    name = f"{cfg.format}_step_{run.step:08d}{'' if cfg.ema else '_without_ema'}"
    out = Path(cfg.out) if cfg.out else run.folder / "export" / name
    if out.exists() and not out.is_dir():
        raise UserError(f"out={out} is a file, and an export is a folder: choose another one.")
    require_writable(out, "Choose another place with out=...")
    chosen = networks(run, cfg.players, separate=cfg.format == "safetensors")
    out.parent.mkdir(parents=True, exist_ok=True)
    with displayed(Console(stderr=True)), TemporaryDirectory(dir=out.parent, prefix=".export-") as unfinished:
        written = [write(run, network, cfg, Path(unfinished)) for network in chosen]
        text = card.text(run, cfg, written)
        (Path(unfinished) / CARD).write_text(text, encoding="utf-8")
        out.mkdir(exist_ok=True)
        for file in Path(unfinished).iterdir():
            os.replace(file, out / file.name)
    for one in written:
        say(Terminal(), f"{out / one.file}: step {run.step}, {card.checked(one.apart)}")
    say(Terminal(), f"described in {out / CARD}")
    return out


def write(run: LoadedRun, network: Network, cfg: Mapping[str, str], folder: Path) -> Written:
    """Write one network and compare its outputs.

    Raises:
        UserError: If it cannot be written in this format, or gives other outputs.
    """
    form = FORMATS[cfg["format"]]
    path = folder / f"{network.name}{form.suffix}"
    with activity(f"exporting {network.name}"):
        if form.write is None:
            stored.save(path, run, network.name, bool(cfg["ema"]))
        else:
            try:
                form.write(network, path)
            except UserError:
                raise
            except Exception as error:
                raise UserError(
                    f"format={cfg['format']}: {network.name} cannot be exported: {first_line(error)}\n"
                    "format=safetensors takes every network."
                ) from error
        return Written(network, path.name, difference(cfg["format"], path, network))
