"""DiffAugment."""

from torch import Tensor

from gan_cli import checks
from gan_cli.augmentations import transforms
from gan_cli.augmentations.base import Augmentation


class DiffAugment(Augmentation):
    """Colour, translation and cutout for everything that D sees (Zhao et al., 2020, with their code's strengths).

    ``color``: brightness by U[-1/2, 1/2], saturation times U[0, 2], contrast times U[1/2, 3/2]. ``translation``: up to this
    part of the side, filled with 0. ``cutout``: a hole of this part of both sides. 0 or false: without. ``probability``: that
    one of them is applied to an image; 1 in the paper, and 0 is the identity.
    """

    def __init__(self, color: bool, translation: float, cutout: float, probability: float = 1.0) -> None:
        super().__init__()
        checks.flag("color", color)
        for name, value in (("translation", translation), ("cutout", cutout), ("probability", probability)):
            checks.share(name, value)
        self.color, self.translation, self.cutout, self.probability = color, translation, cutout, probability

    def transform(self, x: Tensor) -> Tensor:
        transforms.need_images(x, "diff_augment")
        p = self.probability
        if self.color:
            x = transforms.contrast(transforms.saturation(transforms.brightness(x, p), p), p)
        if self.translation:
            x = transforms.translation(x, p, self.translation)
        if self.cutout:
            x = transforms.cutout(x, p, self.cutout)
        return x
