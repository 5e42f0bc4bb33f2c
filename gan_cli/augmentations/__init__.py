"""Random transformations of everything that the discriminator sees."""

from typing import TYPE_CHECKING

from gan_cli.lazy import lazy_exports

if TYPE_CHECKING:
    from gan_cli.augmentations.adaptive import Adaptive as Adaptive
    from gan_cli.augmentations.base import Augmentation as Augmentation
    from gan_cli.augmentations.diff_augment import DiffAugment as DiffAugment
    from gan_cli.augmentations.instance_noise import InstanceNoise as InstanceNoise
    from gan_cli.augmentations.none import NoAugmentation as NoAugmentation
else:
    __getattr__, __dir__ = lazy_exports(__name__)
