"""Logging to MLflow."""

import os
import re
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gan_cli import checks
from gan_cli.config.identity import flat
from gan_cli.errors import UserError
from gan_cli.loggers.base import LoggedRun
from gan_cli.loggers.service import Service

LONGEST = 500
"""Number of characters of a parameter that every store of MLflow takes."""
MOST = 100
"""Number of parameters that MLflow takes at once."""
ADDRESS = "MLFLOW_TRACKING_URI"
"""The environment variable that names the server or the store."""
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
"""Beginnings of the addresses of databases."""


class MLflow(Service):
    """MLflow: the server or the store that ``$MLFLOW_TRACKING_URI`` names, else the folder ``mlruns`` beside the run's folder.

    Args:
        experiment: Experiment of the run.
        name: Name of the run. None: that of its folder.
    """

    name = "mlflow"

    def __init__(self, experiment: str = "gan-cli", name: str | None = None) -> None:
        checks.package("mlflow-skinny", "loggers", "logger=mlflow")
        if _is_database(os.environ.get(ADDRESS, "")) and not checks.installed("SQLAlchemy"):
            raise UserError(
                f"logger=mlflow: {ADDRESS} names a database, and mlflow-skinny writes to servers and folders alone.\n"
                "Install the whole package with: pip install mlflow"
            )
        self.experiment, self.run_name = experiment, name

    def open(self, run: LoggedRun, id: str | None) -> str:
        from mlflow import MlflowClient
        from mlflow.entities import Param
        from mlflow.exceptions import MlflowException

        # the address stands in the environment alone: a run from somebody else must not say where one's numbers are sent
        self.uri = os.environ.get(ADDRESS) or str(run.folder.resolve().parent / "mlruns")
        with _folders_allowed():
            self.client = MlflowClient(tracking_uri=self.uri)
            if id is not None:
                try:
                    self.client.update_run(id, status="RUNNING")
                    return id
                except MlflowException:  # another server, or the store is gone
                    pass
            experiment = self.client.get_experiment_by_name(self.experiment)
            number = self.client.create_experiment(self.experiment) if experiment is None else experiment.experiment_id
            made = self.client.create_run(number, run_name=self.run_name or run.folder.resolve().name).info.run_id
            settings = [Param(_key(key), str(value)[:LONGEST]) for key, value in flat(run.config).items()]
            for start in range(0, len(settings), MOST):
                self.client.log_batch(made, params=settings[start : start + MOST])
        return str(made)

    def send(self, step: int, values: Mapping[str, float], pictures: Mapping[str, Path]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self.client.log_batch(self.id, metrics=[Metric(_key(tag), float(value), now, step) for tag, value in values.items()])
        for file in pictures.values():
            self.client.log_artifact(self.id, str(file), "samples")

    def end(self, finished: bool) -> None:
        self.client.set_terminated(self.id, "FINISHED" if finished else "KILLED")

    def shown_by(self) -> str:
        if _is_database(self.uri):  # which may hold a password
            return f'mlflow ui --backend-store-uri "${ADDRESS}"'
        if "://" in self.uri:
            return re.sub(r"(?<=://)[^/@]*@", "", self.uri)
        return f"mlflow ui --backend-store-uri {shlex.quote(self.uri)}"


def _is_database(address: str) -> bool:
    return re.split(r"[:+]", address)[0] in DATABASES


def _key(tag: Any) -> str:
    """Return a tag with the characters alone that MLflow takes."""
    return re.sub(r"[^\w\-. :/]", "_", str(tag))


@contextmanager
def _folders_allowed() -> Iterator[None]:
    """Let MLflow use a folder as a store, which it would refuse in favour of a database that mlflow-skinny does not bring."""
    key = "MLFLOW_ALLOW_FILE_STORE"
    before = os.environ.get(key)
    os.environ[key] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ[key]
        else:
            os.environ[key] = before
