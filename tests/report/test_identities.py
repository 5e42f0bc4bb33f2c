"""Identities beside the claims: what every run satisfies, so that a violation is an error of the program."""

import json
import re

import pytest
from omegaconf import OmegaConf

from gan_cli.report import command
from gan_cli.report.index import write_index

pytestmark = pytest.mark.slow

BELOW = {"_target_": "gan_cli.report.claims.runs.StaysWithin", "tag": "bound"}
REPORT = {
    "title": "Bounds",
    "claims": [{**BELOW, "says": "It comes to one.", "high": 1.0}],
    "identities": [
        {**BELOW, "says": "It never passes two.", "high": 2.0},
        {**BELOW, "says": "It never passes a half.", "high": 0.5},
        {**BELOW, "says": "Nobody has looked.", "tag": "other", "high": 1.0},
    ],
}


def text_of(path):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", path.read_text()))


def test_identities_stand_below_a_heading_of_their_own_and_count_for_themselves(run):
    folder = run("many/r", {"bound": [0.1, 1.0]}, report=REPORT)
    settings = {"run": str(folder), "median": None, "stages": 3, "methods": 12, "quiz": 0, "seed": 0, "root": None}
    text = text_of(command.report_command(OmegaConf.create({**settings, "x": None, "y": [], "debug": False})))
    claims, identities = text.split(" Identities ")
    assert "✓ 1 held ✗ 0 not held ? 0 undecided" in claims
    assert "identity violated, an error of the program: It never passes a half. (bound from 0.1 to 1 in 2 values)" in claims
    assert "✓ 1 satisfied ✗ 1 violated ? 1 not checked" in identities
    assert "✗ violated It never passes a half." in identities
    assert "It comes to one." not in identities
    summary = json.loads((folder / "report" / "summary.json").read_text())
    assert [one["state"] for one in summary["claims"]] == ["held"]
    assert [one["state"] for one in summary["identities"]] == ["satisfied", "violated", "not checked"]
    index = text_of(write_index([folder], folder.parent / "index.html"))
    assert "✓ 1 held ✗ 0 not held ? 0 undecided" in index
    assert "✓ 1 satisfied ✗ 1 violated ? 1 not checked" in index
    assert "✗ identity violated: It never passes a half." in index
    assert "Nobody has looked." not in index
