"""Rendering of self-contained HTML pages from templates."""

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gan_cli.report.figures.dark import dark

TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, content: Mapping[str, Any]) -> str:
    """Render ``template`` with ``content``; all values are escaped as text."""
    return environment().get_template(template).render(content)


def environment() -> Environment:
    """Return what renders the templates."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    found.filters |= {"data_uri": data_uri, "dark": dark, "settings": settings}
    return found


def settings(name: str) -> Markup:
    """Return a name whose settings, between commas, are broken at the ends of lines only if they are longer than a line."""
    spans = [Markup('<span class="setting">{}</span>').format(one) for one in re.split(r"(?<=,) ", name)]
    return Markup(" ").join(spans)


def data_uri(content: bytes, kind: str = "png") -> str:
    """Return an image as a data URI."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
