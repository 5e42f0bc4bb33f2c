"""The display of imports that take seconds."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading(quiet: bool = False) -> Iterator[None]:
    """Show on standard error that modules are imported inside the context, unless ``quiet``."""
    from rich.console import Console

    from gan_cli.activity import activity
    from gan_cli.runs.console import displayed

    with displayed(Console(stderr=True, quiet=quiet)), activity("loading torch"):
        yield
