"""No augmentation: the discriminator sees the samples as they are."""

from torch import Tensor

from gan_cli.augmentations.base import Augmentation


class NoAugmentation(Augmentation):
    """T(x) = x."""

    def transform(self, x: Tensor) -> Tensor:
        return x
