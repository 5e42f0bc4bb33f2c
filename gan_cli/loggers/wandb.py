"""Logging to Weights & Biases."""

import shlex
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.loggers.base import LoggedRun
from gan_cli.loggers.service import Service

MODES = (None, "online", "offline")
PATIENCE = 30
"""Seconds after which a server that has not answered is taken for out of reach."""


class WandB(Service):
    """Weights & Biases. A run without a connection or a login is kept in its folder, for ``wandb sync``.

    Args:
        project: Project of the run.
        entity: User or team that the project belongs to. None: the default of the account.
        name: Name of the run. None: that of its folder.
        group: Runs of one group are shown together. None: the folder that the run's folder lies in.
        tags: Words to find the run by.
        mode: ``online``, ``offline``, or None for online if that works and offline if not.
    """

    name = "wandb"

    def __init__(
        self,
        project: str = "gan-cli",
        entity: str | None = None,
        name: str | None = None,
        group: str | None = None,
        tags: Sequence[str] = (),
        mode: str | None = None,
    ) -> None:
        checks.package("wandb", "loggers", "logger=wandb")
        if mode not in MODES:
            raise FieldError("mode", mode, "it must be online, offline or null.")
        self.shown = {"project": project, "entity": entity, "tags": list(tags), "name": name, "group": group}
        self.mode = mode

    def open(self, run: LoggedRun, id: str | None) -> str:
        import wandb

        id = id or uuid.uuid4().hex[:12]
        named: dict[str, Any] = {
            **self.shown,
            "name": self.shown["name"] or run.folder.resolve().name,
            "group": self.shown["group"] or run.folder.resolve().parent.name,
        }
        # nothing of the process but what is logged: neither its output nor its sources
        settings = wandb.Settings(
            silent=True,
            console="off",
            symlink=False,
            disable_git=True,
            save_code=False,
            init_timeout=PATIENCE,
            finish_timeout=120,
        )

        def begin(mode: str | None) -> Any:
            return wandb.init(
                **named,
                id=id,
                dir=str(self.folder),
                config=dict(run.config),
                mode=mode,  # type: ignore[arg-type]
                resume="allow",
                reinit="create_new",
                settings=settings,
            )

        try:
            self.run = begin(self.mode)
        except wandb.Error:  # no login, no network
            if self.mode is not None:
                raise
            wandb.teardown()  # else the id would still be taken by the run that could not begin
            self.run = begin("offline")
        _remove_links(self.folder)
        return id

    def send(self, step: int, values: Mapping[str, float], pictures: Mapping[str, Path]) -> None:
        import wandb

        self.run.log({**values, **{tag: wandb.Image(str(file)) for tag, file in pictures.items()}}, step=step)

    def end(self, finished: bool) -> None:
        self.run.finish(exit_code=0 if finished else 1)

    def shown_by(self) -> str:
        if not self.run.offline:
            return str(self.run.url)
        return f"wandb sync {shlex.quote(str(self.folder / 'wandb'))}/offline-run-*-{self.id}"


def _remove_links(folder: Path) -> None:
    """Remove the links that wandb makes into the user's cache; a run's folder with links that lead out of it is refused."""
    for path in list(folder.rglob("*")):
        if path.is_symlink():
            path.unlink(missing_ok=True)
