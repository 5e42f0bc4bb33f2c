"""The jobs of a sweep as lists of overrides: all combinations of what the command line and the config sweep."""

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from gan_cli.config.compose import GRID, readable
from gan_cli.config.grammar import key_of
from gan_cli.config.hydra_internals import BasicSweeper
from gan_cli.errors import UserError


def combinations(
    params: Mapping[str, Any], cases: Sequence[Sequence[str]] | None, arguments: Sequence[str], configs: ConfigLoader
) -> list[list[str]]:
    """Return the overrides of every job: all combinations of ``params`` and ``arguments`` for each of ``cases``.

    Args:
        params: Maps a key to its comma-separated values.
        cases: Lists of overrides; None: one empty list.
        arguments: The words of the command line; their keys take precedence over ``params`` and ``cases``.
        configs: Hydra's config loader.
    """
    every_job: list[list[str]] = []
    for case in cases or [[]]:
        words = merged(params, arguments, configs, case)
        _refuse_intervals(words)
        [jobs] = BasicSweeper.split_arguments(words, None)
        every_job += jobs
    return every_job


def merged(
    params: Mapping[str, Any], arguments: Sequence[str], configs: ConfigLoader, case: Sequence[str] = ()
) -> list[Override]:
    """Return the overrides of ``case``, ``params`` and ``arguments``; the keys of the last take precedence."""
    named = {override.get_key_element().lstrip("+~") for override in _parse(arguments, configs)}
    own = [word for word in [*case, *(f"{key}={value}" for key, value in params.items())] if key_of(word) not in named]
    return _parse([*own, *arguments], configs)


def check_grid(params: Mapping[str, Any] | None, overrides: Sequence[str], configs: ConfigLoader) -> None:
    """Check that Hydra's own grid sweeper can try all values.

    Args:
        params: Maps a key to its comma-separated values.
        overrides: The words of the command line.
        configs: Hydra's config loader.

    Raises:
        UserError: If one of them is an interval.
    """
    _refuse_intervals(_parse([*(f"{key}={value}" for key, value in (params or {}).items()), *overrides], configs))


def _refuse_intervals(words: Sequence[Override]) -> None:
    for word in words:
        if word.is_sweep_override() and not word.is_discrete_sweep():
            key = word.get_key_element().lstrip("+~")
            raise UserError(
                f"{word.input_line}: an interval has no values that a grid could try. "
                f"Name them: {key}=1,2,3 or {key}=range(1,4).\n"
                "To search an interval for the best value add hydra/sweeper=optuna."
            )


def first_job(overrides: list[str], configs: ConfigLoader) -> list[str]:
    """Return the overrides of a sweep's first job, as far as they are known before the sweeper runs."""
    first = []
    for override in _parse(overrides, configs):
        if override.is_discrete_sweep():
            first.append(f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()), '')}")
        elif not override.is_sweep_override():
            first.append(str(override.input_line))
    return first


def first_of_sweep(sweeper: DictConfig, overrides: list[str], configs: ConfigLoader) -> list[str]:
    """Return the overrides of the first job of a sweep.

    Args:
        sweeper: The node of the sweeper; of other sweepers than ours, only what the overrides name is known.
        overrides: The words of the command line.
        configs: Hydra's config loader.
    """
    if sweeper._target_ != GRID:
        return first_job(overrides, configs)
    task = [str(word.input_line) for word in _parse(overrides, configs) if not word.is_hydra_override()]
    return combinations(sweeper.params or {}, sweeper.cases, as_job_overrides(task, configs), configs)[0]


def as_job_overrides(overrides: list[str], configs: ConfigLoader) -> list[str]:
    """Return the overrides of the same sweep, with single values written as sweeps over one value.

    Hydra applies swept values to the jobs alone. Without this, ``loss=wgan_gp,dragan`` could not be combined with a key
    that only these losses define.
    """
    words = []
    for override in _parse(overrides, configs):
        line = str(override.input_line)
        if "." in override.key_or_group and not (
            override.is_sweep_override() or override.is_hydra_override() or override.is_delete() or line.endswith("=")
        ):
            line = f"{override.get_key_element()}=choice({override.get_value_element_as_str()})"
        words.append(line)
    return words


def _parse(overrides: Sequence[str], configs: ConfigLoader) -> list[Override]:
    with readable():
        return OverridesParser.create(config_loader=configs).parse_overrides(list(overrides))
