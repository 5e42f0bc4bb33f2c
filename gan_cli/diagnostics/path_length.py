"""Length of paths between samples: how fast the samples change along a walk between two latents."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.diagnostics.base import DiagnosticReport, Diagnostics
from gan_cli.errors import UserError
from gan_cli.games.base import Game
from gan_cli.games.sampling import CHUNK, conditions, decode
from gan_cli.metrics.base import Value
from gan_cli.metrics.features.efficientnet_lite0 import load_efficientnet, preprocess
from gan_cli.randomness import fork_rng

TRIMMED = 0.01
"""Share of the smallest and of the largest values that the mean leaves out, as published."""


def path_lengths(
    game: Game, embed: Callable[[Tensor], Tensor], n: int, epsilon: float, seed: int | str = 0, y: Tensor | None = None
) -> Tensor:
    """Return ‖f(G(z_t)) − f(G(z_(t+ε)))‖²/ε² for random points of ``n`` random paths, float64 ``[n]``.

    z_t leads from one latent to another by ``Game.interpolate``, spherically for normal latents, and t is uniform on [0, 1].
    Both ends of a step have the same label and the same draws of a game that draws while it samples.

    Args:
        game: The game.
        embed: Maps samples ``[B, *shape]`` to features ``[B, d]``.
        n: Number of paths.
        epsilon: Length ε of a step.
        seed: Decides the paths.
        y: Labels int64 ``[n]``.
    """
    with fork_rng(seed, game.device):
        starts, ends, t = game.latents(n), game.latents(n), torch.rand(n, 1, device=game.device)
    times = torch.cat([t, t + epsilon], 1).reshape(n, 2, *[1] * (starts.ndim - 1))
    steps = torch.stack([game.interpolate(a, b, each) for a, b, each in zip(starts, ends, times, strict=True)])
    features = []
    for latents in steps.unbind(1):
        with fork_rng(seed, game.device):
            samples = decode(game, latents, y)
        features.append(torch.cat([embed(chunk).double().cpu() for chunk in samples.split(CHUNK)]))
    return (features[1] - features[0]).square().sum(1) / epsilon**2


@dataclass(frozen=True)
class PathLength(Diagnostics):
    """The path length in the features of EfficientNet-Lite0 (Karras, Laine, Aila, 2019).

    The perceptual path length (PPL) is the same number in LPIPS, whose weights are not bundled: the two have different scales.
    Images are not rounded to 256 levels, since a step changes a grey value by less than one.

    Args:
        batch_size: Number of paths.
        epsilon: Length of a step.
        resolution: Side in pixels to which images are resized for the features.

    Raises:
        UserError: If a field is out of range.
    """

    family: ClassVar[str] = "path_length"
    generates: ClassVar[bool] = True
    batch_size: int = 1000
    epsilon: float = 1e-4
    resolution: int = 96

    def __post_init__(self) -> None:
        checks.count("batch_size", self.batch_size, least=2)
        checks.number("epsilon", self.epsilon, above=0)
        checks.count("resolution", self.resolution)

    @property
    def size(self) -> int:
        """``batch_size``."""
        return self.batch_size

    def diagnose(self, game: Game, data: Data, seed: int) -> DiagnosticReport:
        """Return ``path_length/efficientnet_lite0``, the mean without the smallest and largest 1 %, with its error.

        Raises:
            UserError: If the samples are no grey or colour images, or are translated from sources.
        """
        if len(data.shape) != 3 or data.shape[0] not in (1, 3) or data.source is not None:
            raise UserError("diagnostics=path_length is for grey or colour images that are generated from latents.")
        network = load_efficientnet(game.device)

        @torch.no_grad()
        def embed(x: Tensor) -> Tensor:
            levels = ((x.to(game.device) + 1) * 127.5).clamp(0, 255)
            features: Tensor = network.extract_features(preprocess(levels, self.resolution)).mean((2, 3))
            return features

        y = conditions(data, self.batch_size, seed)
        lengths = path_lengths(game, embed, self.batch_size, self.epsilon, seed, y).sort().values
        cut = int(TRIMMED * len(lengths))
        kept = lengths[cut : len(lengths) - cut]
        value = Value(float(kept.mean()), float(kept.std()) / len(kept) ** 0.5)
        return DiagnosticReport({"path_length/efficientnet_lite0": value}, {"skipped": {}})
