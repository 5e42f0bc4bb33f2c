"""The table of baselines in docs/experiments.md beside the baselines that the claims name."""

from typing import Any

import pytest
import yaml
from support import configs
from support.markdown import DOCS

ROWS = [
    tuple(cell.strip() for cell in line.strip("|\n").split("|"))
    for line in (DOCS / "experiments.md").read_text(encoding="utf-8").partition("written by make baselines")[2].splitlines()
    if line.startswith("| ")
]


def named() -> list[tuple[str, dict[str, Any]]]:
    """Return every claim that bounds a logged number itself and has a baseline, with the name of its experiment."""
    found = []
    for name in configs.experiments_with_report():
        text = (configs.CONF / f"experiment/{name}.yaml").read_text(encoding="utf-8")
        claims = yaml.load(text, yaml.CSafeLoader)["report"].get("claims", [])
        found += [(name, claim) for claim in claims if "baseline" in claim and "tag" in claim and "factor" not in claim]
    return found


def test_claims_name_the_numbers_that_were_measured():
    compared = 0
    for name, claim in named():
        tag, says = claim["tag"].replace("primary", "fd_efficientnet_lite0"), claim["baseline"]["says"]
        measured = [
            float(row[3]) for row in ROWS[2:] if name in row[0].split(", ") and (row[1].split(", ")[0], row[2]) == (tag, says)
        ]
        if measured:  # the others are known without a measurement, or stand in the gallery
            assert any(claim["baseline"]["value"] == pytest.approx(value, rel=0.01) for value in measured), (name, says)
            compared += 1
    assert compared > 20
