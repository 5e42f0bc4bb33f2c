"""The display of imports that take seconds."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Show on standard error that modules are imported inside the context."""
    from rich.console import Console

    from gan_cli.activity import activity
    from gan_cli.runs.console import displayed

    with displayed(Console(stderr=True)), activity("loading torch"):
        yield
