"""Pictures: uint8 arrays [H, W, 3] from samples."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from gan_cli.types import Critic

BLUE, ORANGE, GREY = "#1f5fa8", "#d9661f", "#8a8a8a"


def grid(images: Tensor, columns: int | None = None) -> np.ndarray:
    """Images ``[N, C, H, W]`` in [-1, 1] side by side; small ones enlarged by a whole factor so that pixels stay pixels."""
    columns = columns or round(len(images) ** 0.5)
    factor = max(1, 64 // images.shape[-2])
    images = images.float().cpu().repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    if images.shape[1] not in (1, 3):
        images = images[:, :1]
    picture = make_grid(to_uint8(images), nrow=columns, padding=2 * factor, pad_value=255)
    return picture.permute(1, 2, 0).numpy()


def strips(parts: Sequence[Tensor]) -> np.ndarray:
    """Images ``[N, C, H, W]`` that belong together side by side, a strip for each of N; strips in a square, wide apart.

    Grey and colour may meet. A single part is a grid.
    """
    if len(parts) == 1:
        return grid(parts[0])
    colour = any(part.shape[1] == 3 for part in parts)
    columns = [part.float().cpu().expand(-1, 3, -1, -1) if colour else part.float().cpu() for part in parts]
    n, channels, height, _ = columns[0].shape
    edge = torch.ones(n, channels, height, max(1, height // 32))  # white between the parts of a strip
    apart = [piece for column in columns for piece in (column, edge)][:-1]
    return grid(torch.cat(apart, dim=3), columns=max(1, round((n / len(parts)) ** 0.5)))


def to_uint8(images: Tensor) -> Tensor:
    """[-1, 1] to 0 ... 255, rounded and clamped."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def picture(image: Tensor) -> np.ndarray:
    """One image ``[C, H, W]`` in [-1, 1]; other than one or three channels: the first."""
    pixels = to_uint8(image if len(image) in (1, 3) else image[:1])
    return pixels.expand(3, -1, -1).permute(1, 2, 0).cpu().numpy()


def points(fake: Tensor, real: Tensor | None = None, critic: Critic | None = None) -> np.ndarray:
    """Generated points, over real ones and the critic's contours in the plane, as histograms under its curve on the line.

    ``real``, ``fake``: ``[N, d]``; of more than two dimensions the first two are drawn, without the critic. The window is
    that of the real points, so that one run's pictures can be laid side by side.
    """
    fake = fake.float().cpu()
    real = fake[:0] if real is None else real.float().cpu()
    figure = canvas(6, 6)
    axes = figure.subplots()
    if fake.shape[1] == 1:
        _line(axes, real, fake, critic)
    else:
        _plane(axes, real, fake, critic if fake.shape[1] == 2 else None)
    axes.legend(loc="upper right", framealpha=0.9)
    return rendered(figure)


def canvas(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, a hundred pixels each."""
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def rendered(figure: Figure) -> np.ndarray:
    """The pixels of a figure that ``canvas`` made."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]


def _line(axes, real: Tensor, fake: Tensor, critic: Critic | None) -> None:
    low, high = _window(real if len(real) else fake, 0)
    bins = np.linspace(low, high, 101).tolist()
    if len(real):
        axes.hist(real[:, 0].clamp(low, high).numpy(), bins, density=True, color=GREY, alpha=0.6, label="data")
    axes.hist(fake[:, 0].clamp(low, high).numpy(), bins, density=True, color=ORANGE, alpha=0.6, label="generator")
    axes.set(xlim=(low, high), xlabel="x", ylabel="density")
    if critic is not None:
        x = torch.linspace(low, high, 200)[:, None]
        other = axes.twinx()
        other.plot(x[:, 0].numpy(), critic(x).float().cpu().numpy(), color=BLUE)
        other.set_ylabel("D(x), logit", color=BLUE)


def _plane(axes, real: Tensor, fake: Tensor, critic: Critic | None) -> None:
    (left, right), (bottom, top) = (_window(real if len(real) else fake, axis) for axis in (0, 1))
    if critic is not None:
        x, y = torch.meshgrid(torch.linspace(left, right, 100), torch.linspace(bottom, top, 100), indexing="xy")
        value = critic(torch.stack([x, y], -1).flatten(0, 1)).float().cpu().reshape(x.shape).numpy()
        filled = axes.contourf(x.numpy(), y.numpy(), value, 24, cmap=matplotlib.colormaps["PuOr"], alpha=0.7)
        axes.figure.colorbar(filled, ax=axes, label="D(x), logit", shrink=0.8)
    if len(real):
        axes.scatter(real[:, 0], real[:, 1], s=3, color=GREY, alpha=0.5, label="data")
    axes.scatter(fake[:, 0], fake[:, 1], s=3, color=ORANGE, alpha=0.7, label="generator")
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")


def _window(points: Tensor, axis: int) -> tuple[float, float]:
    """The points' range on an axis and a fifth of it on both sides (one unit where it has no width)."""
    low, high = float(points[:, axis].min()), float(points[:, axis].max())
    margin = 0.2 * (high - low) or 1.0
    return low - margin, high + margin


def save_png(picture: np.ndarray, path: Path) -> None:
    """Writes the picture; a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    Image.fromarray(picture).save(temporary, format="PNG")
    temporary.replace(path)
