"""Assessments of claims and identities as counts, in ``summary.json`` and as remarks.

An identity is a statement that every run satisfies. It is written as a claim, but its violation is an error of the program.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gan_cli.report.claims.base import HELD, NOT_HELD, UNDECIDED, Assessment, Verdict

CLAIM_STATES = (HELD, NOT_HELD, UNDECIDED)
SATISFIED, VIOLATED, NOT_CHECKED = "satisfied", "violated", "not checked"
IDENTITY_STATES = (SATISFIED, VIOLATED, NOT_CHECKED)
STATE_OF = dict(zip(CLAIM_STATES, IDENTITY_STATES, strict=True))
"""The state of an identity by that of the claim that it is written as."""


def as_identity(assessment: Assessment) -> Assessment:
    """Return the assessment of a claim as that of an identity."""
    runs = {name: _renamed(verdict) for name, verdict in assessment.runs.items()}
    return replace(assessment, verdict=_renamed(assessment.verdict), runs=runs)


def _renamed(verdict: Verdict) -> Verdict:
    return Verdict(STATE_OF[verdict.state], verdict.reason)


def count_states(found: Sequence[str], states: Sequence[str]) -> dict[str, int]:
    """Return how often each of ``states`` is found."""
    counts = Counter(found)
    return {state: counts[state] for state in states}


def stored(assessment: Assessment) -> dict[str, Any]:
    """Return an assessment as ``summary.json`` holds it."""
    verdict = assessment.verdict
    runs = {name: of_run.reason for name, of_run in assessment.runs.items()}
    return {"claim": assessment.claim, "rule": assessment.rule, "state": verdict.state, "reason": verdict.reason, "runs": runs}


def violations(identities: Sequence[Assessment]) -> list[str]:
    """Return a remark on each violated identity."""
    violated = [one for one in identities if one.verdict.state == VIOLATED]
    return [f"identity violated, an error of the program: {one.claim} ({one.verdict.reason})" for one in violated]
