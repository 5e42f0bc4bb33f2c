"""Run folders: their content, checkpoints, logged numbers, and console output.

The package can be called: ``gan_cli.runs("outputs")`` is ``gan_cli.runs.table.runs("outputs")``.
"""

from gan_cli.lazy import make_callable

make_callable(__name__, "gan_cli.runs.table", "runs")
