"""The data set, metric and features with which an evaluation measures a run."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_cli.inference.needed import place_of


def requested_nodes(cfg: DictConfig, config: DictConfig) -> dict[str, Any]:
    """Return the nodes of data set, metric and features as plain data: the run's, or those that the evaluation requests.

    Args:
        cfg: Config of the evaluation.
        config: Config of the run.
    """
    nodes = {
        "dataset": config.dataset,
        "metric": config.metric if cfg.metric is None else cfg.metric,
        "features": config.features if cfg.features is None else cfg.features,
    }
    plain: dict[str, Any] = {key: OmegaConf.to_container(node, resolve=True) for key, node in nodes.items()}
    if cfg.root is not None:
        plain["dataset"][place_of(config.dataset, cfg.root)] = cfg.root
    if cfg.n_fake is not None and "n_samples" in plain["metric"]:
        plain["metric"]["n_fake"] = cfg.n_fake
    if cfg.best_of is not None and "split" in plain["metric"]:
        plain["metric"]["split"] = "heldout"  # the settings were chosen on the other one
    return plain
