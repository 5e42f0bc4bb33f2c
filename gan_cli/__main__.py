"""``python -m gan_cli``: the same as ``gan-train``, for torchrun."""

from gan_cli.cli.main import gan_train

raise SystemExit(gan_train())
