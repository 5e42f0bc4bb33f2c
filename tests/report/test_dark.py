"""Figures follow the dark mode of the page: pages hold both versions, and pictures of samples keep their colours."""

import io
import re
from base64 import b64decode

import numpy as np
from PIL import Image

from gan_cli.report import page
from gan_cli.report.figures import dark, style
from gan_cli.report.figures.style import RenderedFigure


def pixels(content):
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_lightness_is_inverted_and_hues_stay():
    colours = np.array([[[255, 255, 255], [0, 0, 0], [31, 95, 168]]], np.uint8)
    white, black, blue = dark.inverted(colours)[0].tolist()
    assert (tuple(white), black) == (dark.PAPER, [255, 255, 255])
    assert blue[0] < blue[1] < blue[2]
    assert sum(blue) > 31 + 95 + 168, "brighter on a dark page"


def test_pictures_inside_a_figure_keep_their_colours(painted):
    def paint(figure):
        chart, picture = figure.subplots(1, 2)
        chart.plot([0, 1])
        picture.imshow(np.full((8, 8, 3), (200, 10, 10), np.uint8))
        picture.set_axis_off()

    light = style.render((4, 2), paint).png
    day, night = pixels(light), pixels(dark.dark(light))
    assert tuple(night[0, 0]) == dark.PAPER
    red = (day == (200, 10, 10)).all(axis=2)
    assert red.mean() > 0.1
    assert (night[red] == (200, 10, 10)).all()
    assert day.mean() > 180 > 100 > night[~red].mean()


def test_a_picture_that_no_figure_has_drawn_has_no_dark_version():
    file = io.BytesIO()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(file, format="PNG")
    assert dark.dark(file.getvalue()) is None


def test_a_page_holds_both_versions_of_each_figure(painted):
    drawing = style.render((2, 1), lambda figure: figure.subplots().plot([1, 2]))
    template = "{% from 'parts.html' import show %}{{ show(figure) }}"
    figure = RenderedFigure("f", "Title", "caption", drawing, "alt")
    html = page.environment().from_string(template).render(figure=figure)
    assert '<source media="(prefers-color-scheme: dark)"' in html
    night = re.search(r'srcset="data:image/webp;base64,([^"]+)"', html)
    assert tuple(pixels(b64decode(night[1]))[0, 0]) == dark.PAPER
    card = re.search(r"prefers-color-scheme: dark.*?--card: #(\w{6})", (page.TEMPLATES / "style.css").read_text(), re.DOTALL)
    assert tuple(bytes.fromhex(card[1])) == dark.PAPER
