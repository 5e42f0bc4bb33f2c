"""GAN experiments from the command line.

``gan_cli.load(RUN_DIR).sample(16)`` gives samples of a trained run from Python.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_cli.inference.load import load

__all__ = ["__version__", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # importing the package stays free of torch, so that the command line can answer at once
    if name == "load":
        from gan_cli.inference.load import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
