"""Places beside ``metrics.jsonl`` that a run logs its numbers and pictures to."""

from typing import TYPE_CHECKING

from gan_cli.lazy import lazy_exports

if TYPE_CHECKING:
    from gan_cli.loggers.base import LoggedRun as LoggedRun
    from gan_cli.loggers.base import Logger as Logger
    from gan_cli.loggers.csv import CSV as CSV
    from gan_cli.loggers.mlflow import MLflow as MLflow
    from gan_cli.loggers.none import NoLogger as NoLogger
    from gan_cli.loggers.service import Service as Service
    from gan_cli.loggers.tensorboard import TensorBoard as TensorBoard
    from gan_cli.loggers.wandb import WandB as WandB
else:
    __getattr__, __dir__ = lazy_exports(__name__)
