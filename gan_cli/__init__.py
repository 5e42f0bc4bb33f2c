"""GAN experiments: train, load and evaluate runs from Python or from the command line.

``gan_cli.load(RUN_DIR).sample(16)`` gives samples of a trained run.
"""

from typing import TYPE_CHECKING

from gan_cli.lazy import lazy_exports

__version__ = "0.2.0"

if TYPE_CHECKING:
    from gan_cli.errors import UserError as UserError
    from gan_cli.inference.load import LoadedRun as LoadedRun
    from gan_cli.inference.load import load as load
else:
    __getattr__, __dir__ = lazy_exports(__name__)
