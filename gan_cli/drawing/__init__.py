"""Pictures as uint8 arrays ``[H, W, 3]``: samples of every kind, and plots of the games with a known solution."""

from typing import TYPE_CHECKING

from gan_cli.lazy import lazy_exports

if TYPE_CHECKING:
    from gan_cli.drawing.analytic import Field as Field
    from gan_cli.drawing.analytic import Judge as Judge
    from gan_cli.drawing.analytic import densities as densities
    from gan_cli.drawing.analytic import distances as distances
    from gan_cli.drawing.analytic import earth_mover as earth_mover
    from gan_cli.drawing.analytic import judges as judges
    from gan_cli.drawing.analytic import phase_portrait as phase_portrait
    from gan_cli.drawing.analytic import tables as tables
    from gan_cli.drawing.density_plots import implied_density as implied_density
    from gan_cli.drawing.figures import BLUE as BLUE
    from gan_cli.drawing.figures import GREY as GREY
    from gan_cli.drawing.figures import ORANGE as ORANGE
    from gan_cli.drawing.figures import new_figure as new_figure
    from gan_cli.drawing.figures import render as render
    from gan_cli.drawing.files import PIXELS as PIXELS
    from gan_cli.drawing.files import VECTORS as VECTORS
    from gan_cli.drawing.files import save_picture as save_picture
    from gan_cli.drawing.files import save_png as save_png
    from gan_cli.drawing.image_panels import panels as panels
    from gan_cli.drawing.image_panels import panels_figure as panels_figure
    from gan_cli.drawing.images import Panel as Panel
    from gan_cli.drawing.images import grid as grid
    from gan_cli.drawing.images import picture as picture
    from gan_cli.drawing.images import pixels as pixels
    from gan_cli.drawing.images import strips as strips
    from gan_cli.drawing.images import to_uint8 as to_uint8
    from gan_cli.drawing.point_plots import contours as contours
    from gan_cli.drawing.point_plots import points as points
    from gan_cli.drawing.point_plots import points_figure as points_figure
    from gan_cli.drawing.point_plots import scatter as scatter
    from gan_cli.drawing.time_series import FEATURES as FEATURES
    from gan_cli.drawing.time_series import LINES as LINES
    from gan_cli.drawing.time_series import sequences as sequences
    from gan_cli.drawing.time_series import sequences_figure as sequences_figure
else:
    __getattr__, __dir__ = lazy_exports(__name__)
