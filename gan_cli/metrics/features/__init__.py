"""Feature spaces in which samples are compared."""

from typing import TYPE_CHECKING

from gan_cli.lazy import lazy_exports

if TYPE_CHECKING:
    from gan_cli.metrics.features.base import Encoded as Encoded
    from gan_cli.metrics.features.base import Features as Features
    from gan_cli.metrics.features.classifier import Classifier as Classifier
    from gan_cli.metrics.features.efficientnet_lite0 import EfficientNetLite0 as EfficientNetLite0
    from gan_cli.metrics.features.identity import Identity as Identity
    from gan_cli.metrics.features.inception import Inception as Inception
    from gan_cli.metrics.features.inception_spatial import InceptionSpatial as InceptionSpatial
    from gan_cli.metrics.features.pixels import Pixels as Pixels
else:
    __getattr__, __dir__ = lazy_exports(__name__)
