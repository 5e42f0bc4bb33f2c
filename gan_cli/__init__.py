"""GAN experiments: train, load and evaluate runs from Python or from the command line.

``run = gan_cli.train(["train.steps=500"], dataset="ring", loss="wgan_gp")`` trains, ``gan_cli.load(run.folder).sample(16)``
draws samples, ``gan_cli.evaluate(run).frame()`` measures them. ``gan_cli.losses``, ``gan_cli.games`` and so on hold the parts.
"""

from typing import TYPE_CHECKING

from gan_cli.lazy import lazy_exports

__version__ = "0.2.0"

if TYPE_CHECKING:
    from gan_cli import augmentations as augmentations
    from gan_cli import data as data
    from gan_cli import diagnostics as diagnostics
    from gan_cli import games as games
    from gan_cli import loggers as loggers
    from gan_cli import losses as losses
    from gan_cli import metrics as metrics
    from gan_cli import models as models
    from gan_cli import optim as optim
    from gan_cli import regularizers as regularizers
    from gan_cli import schedules as schedules
    from gan_cli import solvers as solvers
    from gan_cli.api import Run as Run
    from gan_cli.api import evaluate as evaluate
    from gan_cli.api import train as train
    from gan_cli.errors import UserError as UserError
    from gan_cli.evaluation.results import Evaluation as Evaluation
    from gan_cli.export.stored import load_exported as load_exported
    from gan_cli.inference.load import LoadedRun as LoadedRun
    from gan_cli.inference.load import load as load
    from gan_cli.runs.table import runs as runs
else:
    __getattr__, __dir__ = lazy_exports(__name__)
