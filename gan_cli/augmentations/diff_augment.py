"""Differentiable augmentation (DiffAugment)."""

from torch import Tensor

from gan_cli import checks
from gan_cli.augmentations import transforms
from gan_cli.augmentations.base import Augmentation


class DiffAugment(Augmentation):
    """Colour changes, translation and cutout of everything that D sees (Zhao et al., 2020), with the strengths of their code.

    Args:
        color: Add U[-1/2, 1/2] to the brightness, multiply the saturation by U[0, 2] and the contrast by U[1/2, 3/2].
        translation: Largest shift, as a fraction of the side, in [0, 1]; the gap is filled with 0. 0 switches it off.
        cutout: Sides of the square that is set to 0, as a fraction of the image's sides, in [0, 1]. 0 switches it off.
        probability: Probability that a transformation is applied to an image; 1 in the paper, 0 is the identity.

    Raises:
        UserError: If an argument is out of its range.
    """

    def __init__(self, color: bool, translation: float, cutout: float, probability: float = 1.0) -> None:
        super().__init__()
        checks.flag("color", color)
        for name, value in (("translation", translation), ("cutout", cutout), ("probability", probability)):
            checks.share(name, value)
        self.color, self.translation, self.cutout, self.probability = color, translation, cutout, probability

    def transform(self, x: Tensor) -> Tensor:
        transforms.require_images(x, "diff_augment")
        p = self.probability
        if self.color:
            x = transforms.contrast(transforms.saturation(transforms.brightness(x, p), p), p)
        if self.translation:
            x = transforms.translation(x, p, self.translation)
        if self.cutout:
            x = transforms.cutout(x, p, self.cutout)
        return x
