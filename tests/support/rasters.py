"""Stand-ins for the pictures of points and of sequences, which take matplotlib a quarter of a second and more each."""

from collections.abc import Sequence

import matplotlib.layout_engine
import numpy as np
import pytest
import torch
from torch import Tensor

from gan_cli import drawing
from gan_cli.drawing import point_plots, time_series
from gan_cli.types import Critic

HEIGHT = 64
"""Height of the pictures."""
ENGINE = matplotlib.layout_engine.ConstrainedLayoutEngine
LAY_OUT = ENGINE.execute


def simplify(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the pictures of points and sequences, and skip the layout of other figures."""
    monkeypatch.setattr(ENGINE, "execute", lambda engine, figure: None)
    monkeypatch.setattr(drawing, "points", points)
    monkeypatch.setattr(drawing, "sequences", sequences)


def draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw and lay out pictures as the program does."""
    monkeypatch.setattr(ENGINE, "execute", LAY_OUT)
    monkeypatch.setattr(drawing, "points", point_plots.points)
    monkeypatch.setattr(drawing, "sequences", time_series.sequences)


def points(fake: Tensor, real: Tensor | None = None, critic: Critic | None = None) -> np.ndarray:
    """Return a picture of the bytes of the points and of the critic's values: equal only if all of them are equal."""
    parts = [part.float().cpu() for part in (fake, real) if part is not None]
    shown = critic is not None and fake.shape[1] <= 2
    return _picture([*parts, *([critic(parts[-1][:100]).float().cpu()] if shown and critic is not None else [])])


def sequences(fake: Tensor, names: Sequence[str], real: Tensor | None = None, walk: int | None = None) -> np.ndarray:
    """Return a picture of the bytes of the sequences."""
    return _picture([part.float().cpu() for part in (fake, real) if part is not None])


def _picture(numbers: list[Tensor]) -> np.ndarray:
    content = torch.cat([part.flatten() for part in numbers]).numpy().tobytes()
    row = HEIGHT * 3
    return np.frombuffer(content.ljust(-(-len(content) // row) * row, b"\0"), np.uint8).reshape(HEIGHT, -1, 3).copy()
