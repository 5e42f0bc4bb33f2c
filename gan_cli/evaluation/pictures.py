"""Pictures that an evaluation draws, written as ``eval/TITLE_step_STEP.png``."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from gan_cli import drawing
from gan_cli.metrics.base import Picture


def save_pictures(folder: Path, step: int, pictures: Mapping[str, np.ndarray]) -> None:
    """Write pictures ``[H, W, 3]`` of a checkpoint to ``folder/eval``, by their titles."""
    for title, pixels in pictures.items():
        drawing.save_png(pixels, folder / "eval" / f"{title}_step_{step:08d}.png")


def to_pixels(picture: Picture) -> np.ndarray:
    """Return the picture as ``[H, W, 3]``."""
    images = picture.images
    return drawing.grid(images.float() / 127.5 - 1 if images.dtype == torch.uint8 else images, picture.columns)
