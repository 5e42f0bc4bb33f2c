"""bilinear, saddle, dirac_gan: min over theta, max over phi of V(theta, phi), with an equilibrium at (0, 0)."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from gan_cli import checks, drawing
from gan_cli.games.base import Game, Turn
from gan_cli.games.protocols import History
from gan_cli.types import Batch, Stats

NARROW_GAUSSIANS = (
    "game=gaussian_gan model/discriminator=log_linear optimizer=sgd game.mean=0 game.std=0.001 "
    "model.generator.mean=1 model.generator.std=0.001"
)
"""Words that play a Dirac-GAN with any loss and regularizer: D(x) = phi x, narrow Gaussians at 0 and at theta."""


class TwoParameterGame(Game):
    """Two players of one number each, in float64; subclasses define V. The game uses no data.

    Samples are copies of theta, the point at which a Dirac-GAN's generator sits.

    Args:
        theta: Initial value of theta.
        phi: Initial value of phi.
    """

    formula: str

    def __init__(self, theta: float, phi: float) -> None:
        super().__init__()
        checks.number("theta", theta)
        checks.number("phi", phi)
        self.theta = nn.Parameter(torch.tensor(float(theta), dtype=torch.float64))
        self.phi = nn.Parameter(torch.tensor(float(phi), dtype=torch.float64))

    @abstractmethod
    def value(self, theta: Tensor, phi: Tensor) -> Tensor:
        """Return V(theta, phi), for tensors of any equal shape."""

    @abstractmethod
    def duality_gap(self) -> float:
        """Return max over phi' of V(theta, phi') - min over theta' of V(theta', phi)."""

    def players(self) -> Mapping[str, nn.Module]:
        return {"theta": nn.ParameterList([self.theta]), "phi": nn.ParameterList([self.phi])}

    def turns(self) -> Mapping[str, Turn]:
        return {
            "theta": self.turn("theta", loss=partial(self.loss, 1)),
            "phi": self.turn("phi", loss=partial(self.loss, -1)),
        }

    def loss(self, sign: int, batch: Batch) -> tuple[Tensor, Stats]:
        """Return V for theta (``sign`` 1), -V for phi (-1)."""
        return sign * self.value(self.theta, self.phi), {}

    def latents(self, n: int) -> Tensor:
        return torch.zeros(n, 1, device=self.device)

    def sample(self, latents: Tensor, y: Tensor | None = None) -> Tensor:
        return (latents + self.theta).to(latents.dtype)

    def measure(self, step: int) -> Mapping[str, float]:
        """Return the players' values and their distance to the equilibrium."""
        theta, phi = float(self.theta), float(self.phi)
        return {"point/theta": theta, "point/phi": phi, "distance/equilibrium": float(np.hypot(theta, phi))}

    def picture(self, history: History) -> np.ndarray:
        """Plot the path so far over V and the field of simultaneous descent, and the distance to the equilibrium."""
        rows = [row for row in history() if row.get("distance/equilibrium") is not None]
        path = np.array([[row["point/theta"], row["point/phi"]] for row in rows]).reshape(-1, 2)
        reach = min(1.15 * float(np.abs(path).max(initial=1.0)), 10.0)  # of a path that leaves, the part in the middle
        field = drawing.Field(reach, self._field(reach, 101)[0], self._field(0.95 * reach, 19)[1])
        return drawing.phase_portrait([row["step"] for row in rows], path, field, self.formula)

    def _field(self, reach: float, n: int) -> tuple[np.ndarray, np.ndarray]:
        """V ``[n, n]`` and the field of simultaneous descent ``[2, n, n]`` on a square of half side ``reach``."""
        ticks = torch.linspace(-reach, reach, n, dtype=torch.float64)
        theta, phi = (grid.requires_grad_() for grid in torch.meshgrid(ticks, ticks, indexing="xy"))
        with torch.enable_grad():
            value = self.value(theta, phi)
            up = torch.autograd.grad(value.sum(), (theta, phi))
        return value.detach().numpy(), torch.stack([-up[0], up[1]]).numpy()


class Bilinear(TwoParameterGame):
    """V = theta phi: the equilibrium is a Nash, but no differential Nash equilibrium; the field only rotates."""

    formula = "θφ"

    def value(self, theta: Tensor, phi: Tensor) -> Tensor:
        return theta * phi

    def duality_gap(self) -> float:
        return math.inf if bool(self.theta) or bool(self.phi) else 0.0


class Saddle(TwoParameterGame):
    """V = theta^2 - phi^2: a differential Nash equilibrium, towards which the field points everywhere."""

    formula = "θ² − φ²"

    def value(self, theta: Tensor, phi: Tensor) -> Tensor:
        return theta.square() - phi.square()

    def duality_gap(self) -> float:
        return float(self.theta.detach() ** 2 + self.phi.detach() ** 2)


class DiracGAN(TwoParameterGame):
    """V = log s(theta phi) - log 2: data at 0, the generator at theta, D(x) = phi x as logit (Mescheder et al., 2018).

    The smallest zero-sum GAN. With another loss or a regularizer it is played between two narrow Gaussians, see
    ``NARROW_GAUSSIANS``. The Jacobian's eigenvalues at the equilibrium are +-i/2, so that the players rotate around it.
    """

    formula = "log s(θφ) − log 2"
    instead: ClassVar[Mapping[str, str]] = dict.fromkeys(("loss", "regularizer"), NARROW_GAUSSIANS)

    def value(self, theta: Tensor, phi: Tensor) -> Tensor:
        return logsigmoid(theta * phi) - float(np.log(2))

    def duality_gap(self) -> float:
        """Return infinity unless phi is 0: V has no minimum in theta'. Then it is log 2, which phi' approaches; 0 at (0, 0)."""
        return math.inf if bool(self.phi) else math.log(2) if bool(self.theta) else 0.0
