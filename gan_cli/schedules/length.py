"""The length of a run in rounds, from its budget in rounds, images or epochs."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig

from gan_cli.config.budget import in_words
from gan_cli.data.base import Dataset
from gan_cli.errors import UserError
from gan_cli.schedules.turns import Schedule

FORESEEN = 1_000_000
"""Number of rounds whose turns are checked before a run begins whose time decides."""
LONGEST = 10_000_000
"""Number of rounds in which a budget of images must be used up."""


def images_of(order: Sequence[str], batch_size: int) -> int:
    """Return the number of real images that a round with these turns counts for.

    It is a batch for each time that the most frequent turn is played: the images that the discriminator sees, unless another
    player has more turns. StyleGAN and R3GAN count in the same way; they show one batch to both players of a round.
    """
    return batch_size * max(Counter(order).values(), default=0)


def images_until(schedule: Schedule, batch_size: int, step: int) -> int:
    """Return the number of images that the rounds 1 to ``step`` count."""
    return sum(images_of(schedule(one), batch_size) for one in range(1, step + 1))


def last_round(train: Mapping[str, Any], schedule: Schedule, data: Dataset) -> int | None:
    """Return the number of the last round of a run; None if its time decides.

    Args:
        train: The ``train`` node of its config.
        schedule: Step -> the order of turns.
        data: The training data.

    Raises:
        UserError: If the data has no epochs, or the images are not seen in ``LONGEST`` rounds.
    """
    if train["steps"] is not None:
        return int(train["steps"])
    if train["epochs"] is None and train["images"] is None:
        return None
    if train["epochs"] is not None and data.unlimited:
        raise UserError(f"{in_words(train)}: this data set has no samples, and so no epochs. Give train.images=N.")
    images = train["images"] if train["epochs"] is None else math.ceil(train["epochs"] * len(data))
    seen = 0
    for step in range(LONGEST):
        if seen >= images:
            return step
        seen += images_of(schedule(step + 1), train["batch_size"])
    raise UserError(f"{in_words(train)}: {LONGEST} rounds of this schedule see {seen} images. Give train.steps=N.")


def with_end(cfg: DictConfig, last: int | None) -> DictConfig:
    """Return the config with the last round in place of a ``learning_rate.end`` that is null.

    Raises:
        UserError: If there is such an end, and the time of the run decides its last round.
    """
    if not follows_length(cfg):
        return cfg
    if last is None:
        raise UserError(
            f"learning_rate.end: the last round of a run with {in_words(cfg.train)} is not known in advance. Give "
            "learning_rate.end=N, or another budget."
        )
    cfg = cfg.copy()
    cfg.learning_rate.end = last
    return cfg


def follows_length(cfg: DictConfig) -> bool:
    """Return True if the learning rate depends on the length of the run."""
    return cfg.learning_rate.get("end", 0) is None
