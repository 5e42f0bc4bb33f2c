"""Safetensors files of single players: written by gan-export, read by ``init_from`` and :func:`load_exported`."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from gan_cli import __version__, checks
from gan_cli.build import build_game
from gan_cli.config.form import FormError
from gan_cli.config.stored import plain_config
from gan_cli.config.trust import importable
from gan_cli.errors import UserError, why_unloadable
from gan_cli.games.base import Game
from gan_cli.inference.needed import needed
from gan_cli.runs.checkpoint import fitting

if TYPE_CHECKING:
    from gan_cli.inference.load import LoadedRun

SUFFIX = ".safetensors"
FORMAT = "1"
"""Version of the metadata."""


def save(path: Path, run: "LoadedRun", player: str, ema: bool) -> None:
    """Write the state of a player, with all that building it again needs in the file's metadata."""
    _require("format=safetensors")
    from safetensors.torch import save_file

    data = {key: run.trained_on[key] for key in ("shape", "classes", "source")}
    metadata = {
        "gan_cli_format": FORMAT,
        "gan_cli": __version__,
        "player": player,
        "place": place(run.game, player),
        "step": str(run.step),
        "averaged": str(ema).lower(),
        "config": json.dumps(plain(run)),
        "data": json.dumps(data),
    }
    state = {
        name: tensor.detach().cpu().contiguous().clone() for name, tensor in run.game.players()[player].state_dict().items()
    }
    save_file(state, path, metadata)


def plain(run: "LoadedRun") -> dict[str, Any]:
    """Return the config of a run as plain data."""
    from omegaconf import OmegaConf

    found = OmegaConf.to_container(run.config)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def place(game: Game, player: str) -> str:
    """Return the prefix of a player's entries in the state of its game.

    Raises:
        UserError: If it has none because its parameters belong to the game itself.
    """
    module = game.players()[player]
    for name, other in game.named_modules():
        if other is module:
            return f"{name}."
    raise UserError(f"players: the parameters of {player} belong to the game itself, and are no network to export.")


def is_exported(path: Path) -> bool:
    """Return True if ``path`` is a file of gan-export, or a folder that it has written."""
    return path.suffix == SUFFIX if path.is_file() else any(path.glob(f"*{SUFFIX}"))


def load_state(path: Path, players: Sequence[str] | None = None, averaged: bool = False) -> dict[str, Any]:
    """Return the exported players as a checkpoint holds them: ``game`` and ``ema`` alike, ``config`` and ``data``.

    Args:
        path: A file of gan-export, or a folder of such files.
        players: The players that are wanted. None: all that are there.
        averaged: True if they must be averaged players.

    Raises:
        UserError: If a file cannot be read, gan-export did not write it, or it holds a trained player where an averaged one is
            wanted.
    """
    state: dict[str, Any] = {}
    weights: dict[str, Tensor] = {}
    for file in [path] if path.is_file() else sorted(path.glob(f"*{SUFFIX}")):
        metadata, tensors = read(file)
        wanted = players is None or metadata["player"] in players
        if averaged and wanted and metadata["averaged"] != "true":
            raise UserError(
                f"init_average: {file} holds the trained {metadata['player']}, not its average.\n"
                "Leave init_average out, or name the run itself in init_from."
            )
        state = {"config": metadata["config"], "data": metadata["data"]}
        weights |= {f"{metadata['place']}{name}": tensor for name, tensor in tensors.items()}
    return {**state, "game": weights, "ema": weights}


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the metadata and the tensors of a file.

    Raises:
        UserError: If it cannot be read, or gan-export did not write it.
    """
    _require(f"{path}")
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata, tensors = dict(file.metadata() or {}), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:
        raise UserError(f"{path} cannot be read: {why_unloadable(error)}.") from error
    try:
        data = json.loads(metadata["data"])
        texts = [metadata[key] for key in ("player", "place", "averaged")]
        if metadata["gan_cli_format"] != FORMAT or not all(isinstance(text, str) for text in texts):
            raise FormError("another version wrote it")
        if not isinstance(data["shape"], list) or not isinstance(data["classes"], int):
            raise FormError("its data are none")
        config = plain_config(json.loads(metadata["config"]), path)
        return {**metadata, "config": config, "data": {**data, "source": data["source"]}}, tensors
    except (KeyError, ValueError, TypeError, FormError) as error:
        raise UserError(f"{path} was not written by gan-export: its metadata lacks what a network is built from.") from error


def load_exported(path: str | Path) -> nn.Module:
    """Return the network in a ``.safetensors`` file of gan-export, in eval mode, built as its run built it.

    Raises:
        UserError: If the file cannot be read, or names modules that are not here or not trusted.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"there is no file {path}.")
    metadata, tensors = read(path)
    with importable(os.getcwd()):
        return rebuilt(metadata, tensors, path)


def rebuilt(metadata: Mapping[str, Any], tensors: Mapping[str, Tensor], path: Path) -> nn.Module:
    """Return the network that the metadata describe, with these tensors."""
    from omegaconf import OmegaConf

    data = metadata["data"]
    source = None if data["source"] is None else tuple(data["source"])
    parts, _ = needed(metadata["config"], path)
    game = build_game(OmegaConf.create(parts), tuple(data["shape"]), data["classes"], source)
    network = game.players().get(metadata["player"])
    if network is None:
        raise UserError(f"{path}: its game has no player {metadata['player']}.")
    with fitting(path):
        network.load_state_dict(dict(tensors))
    return network.eval().requires_grad_(False)


def _require(purpose: str) -> None:
    checks.package("safetensors", "export", purpose)
