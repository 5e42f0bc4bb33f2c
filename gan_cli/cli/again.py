"""The command that trains a diverged run again, from its last good checkpoint and with smaller learning rates."""

from collections.abc import Sequence
from pathlib import Path

from hydra.conf import HydraConf
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_cli.config.commands import composing_words
from gan_cli.config.compose import loader, own_options
from gan_cli.config.grammar import key_of
from gan_cli.config.identity import to_plain
from gan_cli.errors import UserError
from gan_cli.runs.folder import options_folder
from gan_cli.runs.started import in_one_line, options_arguments

FACTOR = 0.1
"""Factor of all learning rates in the advised command."""


def command(cfg: DictConfig, folder: Path, context: HydraConf) -> str | None:
    """Return the command line of a new run like the one in ``folder``, from its newest checkpoint, at a tenth of its rates.

    Args:
        cfg: The config of the run.
        folder: Folder of the run.
        context: Hydra's own node, which knows the words that the run was started with, or resumed.

    Returns:
        The line, quoted for a shell. None: no command line composes the config of the run.
    """
    from gan_cli.runs import checkpoint  # imports torch, which a run that diverges has imported

    words: Sequence[str] = context.overrides.task
    own = own_options(context)
    if cfg.resume is not None and context.mode != RunMode.MULTIRUN:
        from gan_cli.evaluation.sweeps import sweep_run

        words, own = sweep_run(folder).overrides or (), options_folder(folder)
    searched = [word for word in context.overrides.hydra if word.startswith("hydra.searchpath=")]
    try:
        words = composing_words(to_plain(cfg), [*words, *searched], loader(None if own is None else str(own)))
    except UserError:
        return None
    rates = smaller_rates(cfg)
    saved = checkpoint.steps_in(folder)
    replaced = {*rates, *(("init_from", "init_players") if saved else ())}
    kept = [word for word in words if key_of(word) not in replaced]
    kept += ["hydra.mode=RUN"] if context.mode == RunMode.MULTIRUN and "hydra.mode=RUN" not in kept else []
    kept += [f"init_from={checkpoint.path_of(folder, saved[-1])}"] if saved else []
    return in_one_line([*options_arguments(own), *kept, *(f"{key}={rate:.3g}" for key, rate in rates.items())])


def smaller_rates(cfg: DictConfig) -> dict[str, float]:
    """Return the smaller learning rates by key: the common one, and those of players that have another one."""
    node = cfg.optimizer
    rates = {"lr": node.get("lr")}
    for player in map(str, node):
        own = node[player].get("lr") if OmegaConf.is_dict(node[player]) else None
        if own is not None and own != rates["lr"]:
            rates[f"{player}.lr"] = own
    return {f"optimizer.{key}": FACTOR * rate for key, rate in rates.items() if isinstance(rate, int | float) and rate}
