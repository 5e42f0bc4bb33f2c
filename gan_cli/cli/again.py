"""The command that trains a diverged run again, from its last good checkpoint and with smaller learning rates."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from hydra.conf import HydraConf
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_cli.runs.folder import options_folder

FACTOR = 0.1
"""Factor of all learning rates in the advised command."""


def command(cfg: DictConfig, folder: Path, context: HydraConf) -> str | None:
    """Return the command line of a new run like the one in ``folder``, from its newest checkpoint, at a tenth of its rates.

    Args:
        cfg: The config of the run.
        folder: Folder of the run.
        context: Hydra's own node, which knows the words that the run was started with, or resumed.

    Returns:
        The line, quoted for a shell. None: the words that a resumed run was started with were not recorded.
    """
    from gan_cli.runs import checkpoint  # imports torch, which a run that diverges has imported

    words: Sequence[str] | None = context.overrides.task
    own = [Path(source.path) for source in context.runtime.config_sources if source.provider == "command-line"]
    if cfg.resume is not None and context.mode != RunMode.MULTIRUN:
        from gan_cli.evaluation.sweeps import sweep_run

        words = sweep_run(folder).overrides
        own = [*filter(None, [options_folder(folder)])]
    if words is None:
        return None
    rates = smaller_rates(cfg)
    saved = checkpoint.steps_in(folder)
    replaced = {*rates, "resume", *(("init_from", "init_players") if saved else ())}
    kept = [word for word in words if word.partition("=")[0].lstrip("+~") not in replaced]
    kept += [word for word in context.overrides.hydra if word.startswith("hydra.searchpath=")]
    kept += ["hydra.mode=RUN"] if context.mode == RunMode.MULTIRUN else []
    kept += [f"init_from={checkpoint.path_of(folder, saved[-1])}"] if saved else []
    configs = ["--config-dir", str(own[0])] if own else []
    return shlex.join(["gan-train", *configs, *kept, *(f"{key}={rate:.3g}" for key, rate in rates.items())])


def smaller_rates(cfg: DictConfig) -> dict[str, float]:
    """Return the smaller learning rates by key: the common one, and those of players that have another one."""
    node = cfg.optimizer
    rates = {"lr": node.get("lr")}
    for player in map(str, node):
        own = node[player].get("lr") if OmegaConf.is_dict(node[player]) else None
        if own is not None and own != rates["lr"]:
            rates[f"{player}.lr"] = own
    return {f"optimizer.{key}": FACTOR * rate for key, rate in rates.items() if isinstance(rate, int | float) and rate}
