"""The words of a command line that compose a given config, and the sweep that a given line starts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_cli.config.combinations import as_job_overrides, combinations, first_job
from gan_cli.config.compose import GRID, readable
from gan_cli.config.grammar import key_of, written
from gan_cli.config.identity import flat, plain_hash, to_plain
from gan_cli.errors import UserError

UNTOLD = ("resume", "debug", "code", "report", "trust")
"""Keys that a line leaves out. An experiment brings its report along."""
ATTEMPTS = 4
"""Number of compositions in which the words are completed."""


def composing_words(config: Mapping[str, Any], recorded: Sequence[str], configs: ConfigLoader) -> list[str]:
    """Return words under which gan-train composes ``config`` as a single run.

    The words choose the recorded options. Whatever differs from the config under these is set by its key.

    Args:
        config: The config of a run as plain data.
        recorded: Words that the run was started with, as far as they are known.
        configs: Hydra's loader.

    Raises:
        UserError: If no words do so, for example because an option is not there any more.
    """
    words = {key_of(word): word for word in recorded if key_of(word) not in (*UNTOLD, "hydra.mode")}
    for _ in range(ATTEMPTS):
        cfg = _composed(configs, words.values())
        if not (changes := _changes(config, cfg)):
            break
        words |= changes
    if plain_hash(to_plain(cfg)) != plain_hash(config):
        raise UserError("no command line composes this config.")
    return [*words.values(), *(["hydra.mode=RUN"] if cfg.hydra.mode == RunMode.MULTIRUN else [])]


def sweep_words(jobs: Sequence[Sequence[str]], identities: Sequence[str], configs: ConfigLoader) -> list[str] | None:
    """Return the words of one sweep that has exactly these jobs, None if there are none.

    The words are those that all jobs have in common, where an experiment sweeps the others, or else a full grid.

    Args:
        jobs: The words that each job was started with.
        identities: The hash of the config of each job.
        configs: Hydra's loader.
    """
    common = [word for word in jobs[0] if all(word in job for job in jobs)]
    values: dict[str, dict[str, None]] = {}
    for word in (word for job in jobs for word in job):
        values.setdefault(word.partition("=")[0], {})[word.partition("=")[2]] = None
    grid = [f"{key}={','.join(found)}" for key, found in values.items()]
    for words in (common, grid):
        try:
            multirun, found = _identities(words, configs)
        except UserError:
            continue
        if sorted(found) == sorted(identities):
            return [*([] if multirun else ["-m"]), *words]
    return None


def _composed(configs: ConfigLoader, words: Iterable[str]) -> DictConfig:
    with readable():
        return configs.load_configuration("train", list(words), RunMode.RUN, from_shell=False)


def _changes(config: Mapping[str, Any], cfg: DictConfig) -> dict[str, str]:
    """Return the words by key that bring ``cfg`` nearer to ``config``; empty if they are equal.

    Values that follow others, as ``optimizer.generator.lr`` follows ``optimizer.lr``, are set once no other one differs.
    """
    with readable():
        old, new = flat(_told(to_plain(cfg))), flat(_told(config))
        raw = flat(OmegaConf.to_container(cfg, resolve=False))  # type: ignore[arg-type]
    differing = [key for key in new if key not in old or _differ(new[key], old[key])]
    leading = [key for key in differing if "${" not in str(raw.get(key))]
    gone = [_highest_without(key, new) for key in old if key not in new and not any(one.startswith(f"{key}.") for one in new)]
    words = {key: f"{'' if key in old else '+'}{key}={written(new[key])}" for key in leading}
    words |= {key: f"~{key}" for key in gone if not any(key.startswith(f"{one}.") for one in new)}
    return words or {key: f"{key}={written(new[key])}" for key in differing}


def _highest_without(key: str, keys: Iterable[str]) -> str:
    """Return the highest node on the way to ``key`` that holds none of the ``keys``."""
    kept = {*keys, *(one[:end] for one in keys for end in range(len(one)) if one[end] == ".")}
    parts = key.split(".")
    return next(node for end in range(1, len(parts) + 1) if (node := ".".join(parts[:end])) not in kept)


def _told(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in UNTOLD}


def _differ(one: Any, other: Any) -> bool:
    """Return True if two values differ; 1 and 1.0 differ, as they do in the hash of a config."""
    return one != other or written(one) != written(other)


def _identities(words: Sequence[str], configs: ConfigLoader) -> tuple[bool, list[str]]:
    """Return whether these words start a sweep without ``-m``, and the hashes of the configs of the sweep's jobs."""
    cfg = _composed(configs, first_job(list(words), configs))
    if cfg.hydra.sweeper._target_ != GRID:
        raise UserError("another sweeper decides the jobs.")
    sweeper = cfg.hydra.sweeper
    jobs = combinations(sweeper.params or {}, sweeper.cases, as_job_overrides(list(words), configs), configs)
    return cfg.hydra.mode == RunMode.MULTIRUN, [plain_hash(to_plain(_composed(configs, job))) for job in jobs]
