"""Small configs, composed as the command line composes them and then shrunk until a round takes milliseconds.

No option is named here: options are listed from the folders of ``conf/``, and each is given the values of ``SMALL`` whose keys
it has.
"""

import pickle
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

import gan_cli.cli.sweeper  # noqa: F401  (train.yaml names its sweeper)
from gan_cli.build import Parts, build, build_data, build_game, game_class, needs
from gan_cli.config.compose import loader
from gan_cli.config.locations import location_key
from gan_cli.data.stream import Stream
from gan_cli.errors import UserError
from gan_cli.randomness import seed_all
from gan_cli.types import Stats
from support import layouts, random_inception

CONF = Path(__file__).parents[2] / "conf"
SMALL = {
    "train.batch_size": 4,
    "model.*.width": 16,  # fewer ReLUs may all be dead from the start
    "model.generator.attention": 8,
    "model.discriminator.attention": 4,
    "model.discriminator.last_side": 4,
    "model.*.blocks": 1,
    "model.*.hidden": 6,
    "model.*.layers": 1,
    "model.supervisor.layers": 2,  # it has one layer less
    "model.*.inner.hidden": 6,
    "model.*.kernel": 5,
    "dataset.window": 8,
    "dataset.features": 2,
    "model.*.n_layers": 1,
    "model.*.multiples": [1, 2],
    "game.sampling_steps": 3,
    "model.*.inner.width": 16,
    "dataset.size": 8,
    "dataset.n": 64,
    "dataset.n_heldout": 32,
    "dataset.max_samples": 16,
    "dataset.heldout": 4,  # a tenth of so few is too little to measure anything
    "metric.n_samples": 8,
    "metric.splits": 2,
    "metric.seeds": 2,
    "metric.iterations": 10,
    "metric.discriminative_iterations": 10,
    "metric.predictive_iterations": 10,
    "metric.directions": 100,
    "features.epochs": 1,
    "features.resolution": 32,
    "schedule.phases.*.rounds": 1,
}
"""Values for the keys of a config, set wherever the key exists; ``*`` matches any name."""
KINDS = (
    ("", "features=classifier", "features=classifier game=cgan", "game=pix2pix"),
    ("dataset=ring",),
    ("dataset=gaussians_1d",),
    ("dataset=sines",),
)
"""Kinds of data, and for each the features and games that metrics of it ask for; every metric is made for at least one kind."""


@cache
def groups() -> list[str]:
    """Return every config group; subgroups are spelled ``model/generator``."""
    return sorted({file.parent.relative_to(CONF).as_posix() for file in CONF.glob("*/**/*.yaml")})


@cache
def options(group: str) -> list[str]:
    """Return the options of a group."""
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


def distinct_options(group: str) -> list[str]:
    """Return one option of a group for each ``_target_``; options that only set fields are left out."""
    named = {option: re.findall(r"_target_: (\S+)", option_text(group, option)) for option in options(group)}
    first: dict[tuple[str, ...], str] = {}
    for option, targets in named.items():
        if targets:
            first.setdefault(tuple(targets), option)
    return list(first.values())


def pairs(
    firsts: Sequence[str], seconds: Sequence[str], with_all_firsts: Sequence[str], with_all_seconds: Sequence[str]
) -> list[Any]:
    """Return every pair as a parameter of a test; `make test` plays those of the last two, `make test-long` the others."""
    return [
        pytest.param(first, second, marks=[] if second in with_all_firsts or first in with_all_seconds else pytest.mark.long)
        for first in firsts
        for second in seconds
    ]


def all_options(*among: str) -> list[tuple[str, str]]:
    """Return (group, option) for all options of the groups ``among``, or of every group."""
    return [(group, option) for group in among or groups() for option in options(group)]


@cache
def experiments_with_report() -> list[str]:
    """Return the experiments with a report. The others are published settings that need data and hours not available here."""
    return [name for name in options("experiment") if "\nreport:" in (CONF / f"experiment/{name}.yaml").read_text()]


@cache
def experiments_with_a_new_kind() -> list[str]:
    """Return few experiments that together have every kind of claim: each has the most of the kinds that those before lack."""
    kinds = {
        name: set(
            re.findall(r"_target_: (gan_cli\.report\.claims\S+)", option_text("experiment", name).partition("\nreport:")[2])
        )
        for name in experiments_with_report()
    }
    missing, found = set().union(*kinds.values()), []
    while missing:
        found.append(max(kinds, key=lambda name: len(kinds[name] & missing)))
        missing -= kinds[found[-1]]
    return found


@cache
def overrides_for(group: str, option: str) -> str:
    """Return overrides under which ``option`` is used: the option and, for a model, a game or data set that it fits."""
    named = f"{group}={option}"
    if bringing := games_that_bring(group):
        return f"game={bringing[0]} {named}"
    if not group.startswith("model"):
        return named
    player = group.removeprefix("model/")
    games = [f"game={game}" for game in options("game") if f"override /model: {option}\n" in option_text("game", game)]
    if player != group and player not in needs(config()):
        games.append(f"game={next(g for g in options('game') if player in needs(config(f'game={g}')))}")
    partners = [
        overrides_for("model", pair)
        for pair in (options("model") if player != group else [])
        if f"{player}: {option}\n" in option_text("model", pair)
    ]
    sequences = [
        f"dataset={name}" for name in options("dataset") if "override /model: recurrent\n" in option_text("dataset", name)
    ]
    kinds = (*games, *partners, *sequences)
    return next(words for words in (named, *(f"{kind} {named}" for kind in kinds)) if can_build(words))


def can_build(overrides: str) -> bool:
    """Return True if the parts that ``overrides`` select fit together."""
    try:
        cfg = config(overrides)
        data = build_data(cfg)
        game_class(cfg).check(data)
        with patch("gan_cli.build.SIMPLE_MODELS", ()):  # composed and built for a message that nobody reads here
            build_game(cfg, data.shape, data.classes, data.source)
    except UserError:
        return False
    return True


def games_that_bring(group: str) -> list[str]:
    """Return the games without which there is no such group, as ``model/denoiser``."""
    return [game for game in options("game") if f"- /{group}: " in option_text("game", game)]


@cache
def option_text(group: str, option: str) -> str:
    """Return the text of an option's file."""
    return (CONF / group / f"{option}.yaml").read_text()


# Composing takes a third of a second, a deep copy of the result 50 ms and unpickling it 3 ms, hence the two caches of bytes.


@cache
def _loader():
    return loader()


def compose_command(name: str, overrides: Sequence[str]) -> DictConfig:
    """Return the config of a command; a loader of its own would take five times as long."""
    return _loader().load_configuration(name, list(overrides), RunMode.RUN, from_shell=False)


@cache
def _composed(overrides: tuple[str, ...]) -> bytes:
    return pickle.dumps(compose_command("train", overrides))


@cache
def _small(overrides: tuple[str, ...]) -> bytes:
    cfg = pickle.loads(_composed(overrides))
    with open_dict(cfg):
        del cfg.hydra
        for pattern, value in SMALL.items():
            for node, key in _matching(cfg, pattern.split(".")):
                node[key] = value
        cfg.device = "cpu"
    return pickle.dumps(cfg)


def compose(overrides: str = "") -> DictConfig:
    """Return a fresh copy of the config that ``gan-train OVERRIDES`` composes, with Hydra's own node."""
    return pickle.loads(_composed(tuple(overrides.split())))


def config(overrides: str = "", values: str = "", root: Path | None = None) -> DictConfig:
    """Compose a config, shrink it by ``SMALL`` and put it on the CPU.

    Args:
        overrides: Overrides as on the command line, separated by spaces.
        values: Values that are set after shrinking, as in ``"train.steps=60 seed=1"``.
        root: Folder for the files of a data set, written there in its published layout, and for the weights of a network.
    """
    cfg = pickle.loads(_small(tuple(overrides.split())))
    with open_dict(cfg):
        if root is not None and "sha256" in cfg.features:
            path, cfg.features.sha256 = random_inception.write(root)
            cfg.features.path = str(path)
        if root is not None and (key := location_key(cfg.dataset)) is not None:
            cfg.dataset[key] = str(write_dataset(cfg.dataset._target_.rpartition(".")[2], root))
        for assignment in values.split():
            key, _, value = assignment.partition("=")
            OmegaConf.update(cfg, key, OmegaConf.create(f"value: {value}")["value"])
    return cfg


def measured(kind: str, metric: str) -> DictConfig:
    """Return the config of one of ``KINDS`` with a metric that it did not bring, and with samples enough to measure it."""
    cfg = config(kind)
    cfg.metric = config(f"metric={metric}").metric
    if "max_samples" in cfg.dataset:
        cfg.dataset.max_samples = 40
    if "n_samples" in cfg.metric:
        cfg.metric.n_samples = 20  # of some composed metrics not every part can be shrunk
    return cfg


@cache
def parts_of(kind: str) -> Parts:
    """Return the parts of one of ``KINDS`` with no metric; the tests of all metrics share its data and its game."""
    return build(measured(kind, "none"), torch.device("cpu"))


def _matching(node: Any, path: list[str]) -> list[tuple[DictConfig, str]]:
    first, *rest = path
    names = [name for name in (node if OmegaConf.is_dict(node) else ()) if first in ("*", name)]
    if not rest:
        return [(node, name) for name in names]
    return [found for name in names for found in _matching(node[name], rest)]


def write_dataset(name: str, root: Path) -> Path:
    """Write the small data set ``name`` below ``root``, once, and return its folder, or its only file."""
    folder = root / name
    if not folder.exists():
        getattr(layouts, f"write_{name}")(folder)
    first, *others = folder.iterdir()
    return folder if others or first.is_dir() else first


def play(cfg: DictConfig, rounds: int = 1) -> tuple[Parts, Stats]:
    """Train the parts of ``cfg`` for some rounds on the CPU; return them and the statistics of the last round."""
    seed_all(cfg.seed)
    parts = build(cfg, torch.device("cpu"))
    batches = Stream(parts.data.train, cfg.train.batch_size, cfg.seed)
    stats: Stats = {}
    for step in range(1, rounds + 1):
        parts.game.begin_round(step)
        stats = parts.solver.round(parts.schedule(step), batches)
    batches.close()
    return parts, stats
