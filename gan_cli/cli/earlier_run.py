"""Words of the command line that name an earlier run: ``resume=RUN``, ``resume=auto`` and ``from=RUN@STEP``."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from gan_cli.config.budget import KEYS
from gan_cli.config.commands import composing_words
from gan_cli.config.compose import compose, readable
from gan_cli.config.grammar import key_of, quote
from gan_cli.config.identity import edits, to_plain
from gan_cli.config.locations import LOCATION
from gan_cli.config.names import AUTO, AUTOMATIC, CONTINUING, RUN_ONLY
from gan_cli.config.stored import read_config, read_plain
from gan_cli.errors import UserError, first_line, shortened_list
from gan_cli.runs.folder import holds_config, read_result, run_folder, steps_in
from gan_cli.runs.origin import Origin, origin_of

MAY_CHANGE = (*KEYS, *CONTINUING, *(key for key in RUN_ONLY if key not in ("resume", "report")))
"""Keys that may be given beside ``resume``, as may the place of a data set that has moved; the run fixes all others."""
OF_ONE_CALL = ("from", "resume", "debug", "trust", "code")
"""Keys that a run which goes on from another does not take over."""
SPENT = {
    "train.images": ("cost/images", 1),
    "train.epochs": ("cost/epochs", 1),
    "train.minutes": ("time/training_seconds", 60),
    "train.processor_minutes": ("time/processor_seconds", 60),
}
"""The budgets whose spent part is logged, with its tag and the number of its units in one of the budget's."""


def words_of_job(words: list[str], configs: ConfigLoader, multirun: bool = False) -> list[str]:
    """Return the words from which Hydra composes the config, with what ``resume`` and ``from`` stand for.

    Args:
        words: The words of the command line.
        configs: Hydra's config loader.
        multirun: True for a sweep.

    Raises:
        UserError: If there is no such run, or the words do not fit it.
    """
    resumed = _value(words, "resume")
    if multirun and resumed is not None:
        raise UserError("resume continues one run: leave out -m. A sweep continues when it is started again.")
    if resumed == AUTO:
        return _resumed_if_begun(words, configs)
    if resumed is not None:
        return in_resumed_folder(words)
    return begun_from(words, configs, multirun)


def check_named_here(cfg: DictConfig, words: Sequence[str]) -> None:
    """Check that the run to be resumed is there, and that the command line names it, not a file of the config.

    Raises:
        UserError: If it does not.
    """
    if _value(words, "resume") is not None:
        run_folder(cfg.resume)
    for key, example in (("resume", "RUN_DIR"), ("from", "RUN_DIR@STEP")):
        if cfg[key] is not None and _value(words, key) is None:
            raise UserError(f"{key} belongs on the command line: gan-train {key}={example}.")


def in_resumed_folder(words: list[str]) -> list[str]:
    """Return the words with the folder of the run that they resume.

    Raises:
        UserError: If they change what a resumed run keeps.
    """
    folder = Path(str(_value(words, "resume")))
    location = _location(folder)
    may_change = (*MAY_CHANGE, *location)
    for word in words:
        key = key_of(word)
        if key not in (*may_change, "resume") and not key.startswith("logger."):
            raise UserError(
                f"resume continues a run with its own config; {key} cannot change (only {', '.join(may_change)} may)."
            )
    words = with_budget_added(words, folder, reached_by(folder))
    # the composed config, of which a resumed run takes these keys only, need not have a data set that lies somewhere
    words = [f"++{word}" if word.partition("=")[0] in location else word for word in words]
    return [*words, f"hydra.run.dir={quote(str(folder))}", "hydra.output_subdir=null"]


def with_budget_added(words: list[str], folder: Path, step: int) -> list[str]:
    """Return the words with a budget like ``train.steps=+N``, N more than the run in ``folder`` had spent at ``step``, in all.

    Raises:
        UserError: If it is not recorded what the run had spent.
    """
    added = {word: re.fullmatch(rf"({'|'.join(KEYS)})=\+([\d.]+)", word) for word in words}
    sums = {word: spent(folder, step, found[1]) + float(found[2]) for word, found in added.items() if found}
    return [f"{key_of(word)}={_number(sums[word])}" if word in sums else word for word in words]


def spent(folder: Path, step: int, key: str) -> float:
    """Return what the run in ``folder`` had spent at ``step`` of the budget at ``key``.

    Raises:
        UserError: If it is not recorded.
    """
    if key not in SPENT:
        return step
    tag, unit = SPENT[key]
    rows = []
    with suppress(OSError):
        for line in (folder / "metrics.jsonl").read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError, RecursionError):
                rows.append(json.loads(line))
    logged = [row[tag] for row in rows if isinstance(row, dict) and row.get("step", step + 1) <= step and tag in row]
    if not logged:
        raise UserError(f"{folder} has not recorded {tag}: give the whole budget, without a plus.")
    return float(logged[-1]) / unit


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def reached_by(folder: Path) -> int:
    """Return the last step that the run in ``folder`` has saved."""
    return max([int((read_result(folder) or {}).get("step", 0)), *steps_in(folder)])


def _location(folder: Path) -> tuple[str, ...]:
    """Return the key that says where the data set of the run in ``folder`` lies, if it has one."""
    if not holds_config(folder):
        return ()
    with readable():
        name = OmegaConf.select(read_config(folder / "config.yaml"), f"dataset.{LOCATION}")
    return () if name is None else (f"dataset.{name}",)


def _resumed_if_begun(words: list[str], configs: ConfigLoader) -> list[str]:
    """Return the words that start the run in ``hydra.run.dir``, or that continue it if it has begun.

    Raises:
        UserError: If no folder is named, or it holds a run with another config.
    """
    place = _value(words, "hydra.run.dir")
    if place is None:
        raise UserError("resume=auto continues the run in its folder: name it, as in hydra.run.dir=outputs/mine.")
    if added := [key_of(word) for word in words if re.match(rf"({'|'.join(KEYS)})=\+", word)]:
        raise UserError(f"{added[0]}=+N is another number each time: with resume=auto name the whole budget, {added[0]}=N.")
    folder, words = Path(place), [word for word in words if key_of(word) != "resume"]
    if not holds_config(folder):
        return begun_from(words, configs, False)
    trained = read_plain(run_folder(folder) / "config.yaml")
    origin, named = origin_of(trained), _value(words, "from")
    if origin is not None and named == origin.run:  # the newest checkpoint when the run began
        words = [f"from={quote(str(origin))}" if key_of(word) == "from" else word for word in words]
    composed = to_plain(_without_hydra(compose(configs, "train", begun_from(words, configs, False))))
    composed |= {key: trained.get(key) for key in AUTOMATIC if composed[key] == AUTO}
    if changed := edits(composed, trained):
        raise UserError(f"{folder} holds a run with another config: {shortened_list(changed)}. Name another hydra.run.dir.")
    kept = [
        word
        for word in words
        if key_of(word).partition(".")[0] == "logger" or key_of(word) in (*MAY_CHANGE, *_location(folder))
    ]
    return in_resumed_folder([f"resume={quote(str(folder))}", *kept])


def begun_from(words: list[str], configs: ConfigLoader, multirun: bool) -> list[str]:
    """Return the words that compose the config of the run that ``from`` names, followed by the others, which win.

    Args:
        words: The words of the command line.
        configs: Hydra's config loader.
        multirun: True if ``from`` may name several checkpoints, separated by commas.

    Raises:
        UserError: If there is no such checkpoint, the words name several configs, or also ``init_from``.
    """
    named = next((word for word in words if key_of(word) == "from"), None)
    if named is None or _value(words, "from") is None:
        return words
    if also := [key for key in map(key_of, words) if key in ("init_from", "init_players", "init_average")]:
        raise UserError(f"from takes over all players: leave {also[0]} out, or begin a fresh run with init_from=RUN.")
    origins = [_found(Origin.parse(text)) for text in _values(named, multirun)]
    configs_of = [read_plain(origin.folder / "config.yaml") for origin in origins]
    first = configs_of[0]
    if different := [str(one) for one, config in zip(origins, configs_of, strict=True) if edits(config, first)]:
        raise UserError(f"from: {different[0]} has another config than {origins[0]}: begin from one run at a time.")
    if len(origins) == 1:
        words = with_budget_added(words, origins[0].folder, origins[0].step or 0)
    joined = ",".join(quote(str(origin)) for origin in origins)
    own = [f"from={joined}" if word is named else word for word in words]
    composing = _unless_replaced(_composing(origins[0], first, configs), own, configs)
    return [*composing, *([] if multirun else ["hydra.mode=RUN"]), *own]


def _found(origin: Origin) -> Origin:
    """Return the origin with its step, after a check that its checkpoint is there.

    Raises:
        UserError: If it is not.
    """
    from gan_cli.runs import checkpoint  # imports torch, which the run needs
    from gan_cli.runs.version import check_version

    folder = run_folder(origin.folder)
    config = read_config(folder / "config.yaml")
    if "train" not in config:
        raise UserError(f"{folder / 'config.yaml'} is not the config of a run.")
    check_version(folder, config)
    if origin.step is None:
        state = checkpoint.newest(folder)
        if state is None:
            raise UserError(f"from={origin}: this run holds no checkpoint yet.")
        return origin._replace(step=state["step"])
    if origin.step not in (steps := checkpoint.steps_in(folder)):
        raise UserError(f"from={origin}: there is no such checkpoint. There are: {', '.join(map(str, steps)) or 'none'}.")
    return origin


def _composing(origin: Origin, config: Mapping[str, Any], configs: ConfigLoader) -> list[str]:
    """Return words that compose the ``config`` of the run ``origin``, from those that started it as far as they help.

    Raises:
        UserError: If options of the user's own are missing that are still where they were when the run was started.
    """
    from gan_cli.runs.started import recorded_words, trusted_options

    usable = [word for word in recorded_words(origin.folder) or () if _is_usable(word)]
    config = {**config, **dict.fromkeys(("from", "resume")), "debug": False}
    try:
        return composing_words(config, usable, configs)
    except UserError as error:
        own = trusted_options(origin.folder)
        searched = [str(entry.path).removeprefix("file://") for entry in configs.get_search_path().get_path()]
        if own is not None and str(own.resolve()) not in searched:
            hint = f"The run was started with --config-dir {own}: add it."
            raise UserError(f"from={origin}: {first_line(error)}\n{hint}") from error
        return composing_words(config, [], configs)  # all values are in the config


def _is_usable(word: str) -> bool:
    """Return True if a word that started a run may be used again: it is from a folder that may be somebody else's."""
    key = key_of(word)
    return "${" not in word and not key.startswith("hydra") and key not in OF_ONE_CALL


def _unless_replaced(composing: Sequence[str], own: Sequence[str], configs: ConfigLoader) -> list[str]:
    """Return the ``composing`` words that are left beside the user's ``own``, which may replace a key or a whole group."""
    keys = {key_of(word) for word in own}
    replaced = {key.replace("/", ".") for key in keys if "." not in key and configs.get_group_options(key)}
    return [
        word
        for word in composing
        if key_of(word) not in keys and not any(key_of(word).replace("/", ".").startswith(f"{group}.") for group in replaced)
    ]


def _value(words: Sequence[str], key: str) -> str | None:
    """Return the value that the words give to ``key``, without quotes; None if they do not, or it is null."""
    word = next((word for word in words if key_of(word) == key), None)
    return None if word is None or word.partition("=")[2] == "null" else _values(word, True)[0]


def _values(word: str, several: bool) -> list[str]:
    """Return the values of a word, without quotes.

    Raises:
        UserError: If there are several where there may be one.
    """
    parser = OverridesParser.create()
    with readable():
        override = parser.parse_override(word)
        if not override.is_sweep_override():
            return [str(override.value())]
        if not several:
            raise UserError(f"{word} names several values. To try each of them use gan-train -m.")
        return [str(parser.parse_override(f"{key_of(word)}={text}").value()) for text in override.sweep_string_iterator()]


def _without_hydra(cfg: DictConfig) -> DictConfig:
    return OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
