"""Measures of players: gradients, curvature, rotation, and how much each player could still gain."""

from typing import TYPE_CHECKING

from gan_cli.lazy import lazy_exports

if TYPE_CHECKING:
    from gan_cli.diagnostics.base import DiagnosticReport as DiagnosticReport
    from gan_cli.diagnostics.base import Diagnostics as Diagnostics
    from gan_cli.diagnostics.base import NoDiagnostics as NoDiagnostics
    from gan_cli.diagnostics.codes import CodeAccuracy as CodeAccuracy
    from gan_cli.diagnostics.density import ImpliedDensity as ImpliedDensity
    from gan_cli.diagnostics.game import GameDiagnostics as GameDiagnostics
    from gan_cli.diagnostics.path_angle import PathAngle as PathAngle
    from gan_cli.diagnostics.path_length import PathLength as PathLength
else:
    __getattr__, __dir__ = lazy_exports(__name__)
