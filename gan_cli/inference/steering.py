"""Steering: latents that climb a classifier's logit of one class."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli.activity import activity
from gan_cli.data.classes import labels_of, name_of
from gan_cli.drawing import Panel
from gan_cli.errors import UserError
from gan_cli.games.generator_game import LAWS, NORMAL
from gan_cli.games.protocols import HasClassifier, HasSamplingOptions
from gan_cli.inference.sampler import Sampler
from gan_cli.inference.walks import DRAWS
from gan_cli.metrics.features.classifier import Classifier
from gan_cli.randomness import fork_rng

STAGES = 8
"""Number of images of one sample on its way, unless it is given."""
STEPS = 5
"""Steps from one image to the next."""
STRIDE = 0.05
"""Length of a step as a share of the latent's norm."""

Logits = Callable[[Tensor], Tensor]
"""Maps images ``[B, C, H, W]`` in [-1, 1] to the logits of the classes ``[B, K]``."""


class Steered(NamedTuple):
    """Samples on their way to a class.

    Attributes:
        images: ``[n * stages, C, H, W]``, one sample after the other.
        probabilities: The classifier's probability of the class ``[n, stages]``.
        steps: Number of steps before each stage.
        judge: The classifier in words.
        label: The class.
    """

    images: Tensor
    probabilities: Tensor
    steps: Sequence[int]
    judge: str
    label: int

    def panel(self, names: Sequence[str], class_names: Sequence[str]) -> Panel:
        """Return a picture with a row for each sample and the mean probability of each stage."""
        columns = [f"{step}: {mean:.2f}" for step, mean in zip(self.steps, self.probabilities.mean(0).tolist(), strict=True)]
        return Panel(self.images, f"towards {name_of(self.label, class_names)}", names, columns)

    def in_words(self, class_names: Sequence[str]) -> str:
        """Return how far the mean probability has risen, and by whose judgement."""
        means = self.probabilities.mean(0).tolist()
        return (
            f"mean probability of {name_of(self.label, class_names)}, by {self.judge}: from {means[0]:.2f} to {means[-1]:.2f}"
        )


def steer(
    run: Sampler, target: str | int, n: int = 8, stages: int = STAGES, seed: int = 0, *, seeds: Sequence[int] | None = None
) -> Steered:
    """Move latents along the gradient of a classifier's logit of one class.

    Each step goes ``STRIDE`` of the latent's norm in the direction of the gradient. Normal latents keep their norm, which tells
    typical ones; others stay within the range of their law. The classifier is the game's own, as of game=acgan, or else the one
    of features=classifier, which is trained once on the labels of the run's data.

    Args:
        run: The run.
        target: The class by name or number.
        n: Number of samples.
        stages: Number of images of each sample.
        seed: Decides the latents.
        seeds: A seed for each sample instead.

    Raises:
        UserError: If there is no such class, or no classifier or latent for it.
    """
    if len(run.shape) != 3:
        raise UserError("mode=steer needs images, and this run's samples are not images.")
    run.need_latents("mode=steer")
    if isinstance(run.game, HasSamplingOptions):
        raise UserError("mode=steer follows a gradient through the generator, and diffusion samples in many steps.")
    if not run.classes:
        raise UserError("mode=steer needs classes, and the data of this run has none.")
    [label] = labels_of([target], run.class_names, run.classes, "target")
    logits, judge = classifier(run)
    z = run.latents(n, seed, seeds)
    y = run.conditions(len(z), seed) if seeds is None else run.conditions_of(seeds)
    y = None if y is None else y.to(z.device)
    within = _bounds(run, z)
    images, probabilities, steps = [], [], [STEPS * stage for stage in range(stages)]
    with activity("steering", steps[-1] + 1) as steering:
        for step in range(steps[-1] + 1):
            with torch.enable_grad(), fork_rng(seed, z.device):
                z = z.detach().requires_grad_()
                x = run.game.sample(z, y)
                found = logits(x)
                [gradient] = torch.autograd.grad(found[:, label].sum(), z)
            if step in steps:
                images.append(x.detach().float().cpu())
                probabilities.append(found.detach().softmax(1)[:, label].cpu())
            z = within(_stepped(z.detach(), gradient))
            steering.advance()
    return Steered(torch.stack(images, 1).flatten(0, 1), torch.stack(probabilities, 1), steps, judge, label)


def classifier(run: Sampler) -> tuple[Logits, str]:
    """Return the logits of the classes as a function of images, and the classifier in words."""
    game = run.game
    if isinstance(game, HasClassifier):
        return game.classify, "the game's own classifier"
    fitted = Classifier().fitted(run.data, game.device)
    assert fitted.trained is not None
    network, accuracy = fitted.trained.network, fitted.trained.heldout_accuracy
    network.requires_grad_(False)

    def logits(x: Tensor) -> Tensor:
        found: Tensor = network((x.float() + 1) * 127.5)[1]
        return found

    return logits, f"a classifier with {100 * accuracy:.0f}% on held-out images"


def _stepped(z: Tensor, gradient: Tensor) -> Tensor:
    """Return latents one step further."""
    length = z.flatten(1).norm(dim=1) / gradient.flatten(1).norm(dim=1).clamp(min=1e-12)
    moved: Tensor = z + STRIDE * length.reshape(-1, *[1] * (z.ndim - 1)) * gradient
    return moved


def _bounds(run: Sampler, z: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the function that brings latents back to where their law has its mass."""
    if run.game.law == LAWS[NORMAL]:
        norm = z.flatten(1).norm(dim=1).reshape(-1, *[1] * (z.ndim - 1))
        return lambda moved: moved * norm / moved.flatten(1).norm(dim=1).reshape(norm.shape)
    law = run.latents(DRAWS)
    low, high = law.amin(0), law.amax(0)
    return lambda moved: moved.clamp(low, high)
