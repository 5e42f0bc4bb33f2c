"""Every experiment, found by itself: its cases play a few small rounds, and what its report asks for is logged."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from support import configs

from gan_cli.build import build
from gan_cli.config.combinations import combinations
from gan_cli.config.compose import loader
from gan_cli.config.identity import to_plain
from gan_cli.evaluation.sweeps import SweepRun
from gan_cli.report.claims.base import BoundedClaim, Claim
from gan_cli.report.claims.comparisons import Ordering
from gan_cli.report.command import REPORT_KEYS, make_each
from gan_cli.report.figures.curves import Figure
from gan_cli.report.figures.progression import Progression
from gan_cli.report.figures.published import PublishedRanking
from gan_cli.report.records.primary import primary_metric, resolve_primary
from gan_cli.report.records.runs import RunRecord
from gan_cli.runs import logger
from gan_cli.training.command import train_command

pytestmark = pytest.mark.slow

SHORT = "train.steps=3 train.processor_minutes=null log_every=1 sample_every=0"
SMALLER = {"wgan_fig1": "game.n=50"}
"""Overrides that shrink an experiment where the shared settings of small configs do not."""
TAGS = ("tag", "tags", "x", "y", "exact", "reference", "references", "number", "numbers")
"""Fields of figures and claims that name what was logged."""


@cache
def grid(experiment: str) -> tuple[tuple[str, ...], ...]:
    """The overrides of the experiment's jobs, those of one seed."""
    sweeper = configs.compose(f"experiment={experiment}").hydra.sweeper
    params = {key: value for key, value in (sweeper.params or {}).items() if key != "seed"}
    cases = OmegaConf.to_container(sweeper.cases) if sweeper.cases else None
    return tuple(tuple(job) for job in combinations(params, cases, [f"experiment={experiment}"], loader()))


def report(experiment: str, primary: str = "primary") -> DictConfig:
    """The declared report of the experiment, about the metric ``primary``."""
    declared = OmegaConf.to_container(configs.compose(f"experiment={experiment}").report)
    return OmegaConf.create({"report": resolve_primary(declared, primary)})


def asked(experiment: str, primary: str = "primary") -> list[Claim | Figure]:
    """The claims, identities and figures of the experiment's report, about the metric ``primary``."""
    node = report(experiment, primary)
    judged = [part for key in ("claims", "identities") for part in make_each(node, f"report.{key}", Claim)]
    return [*judged, *make_each(node, "report.figures", Figure)]


def matches(jobs: Sequence[tuple[str, ...]], where: Mapping[str, Any]) -> bool:
    """Return whether ``where`` selects one of the jobs, by their overrides, which are quick to read, or by their configs."""
    return any(
        RunRecord(configs.CONF, SweepRun("", config(job), job), {}, (), ()).matches(where)
        for config in (lambda job: {}, lambda job: to_plain(configs.compose(" ".join(job))))
        for job in jobs
    )


@pytest.mark.parametrize("experiment", configs.experiments_with_report())
def test_its_report_is_about_its_jobs(experiment):
    """It says all that a report can, and every ``where`` fits a job: no claim is about nothing."""
    assert set(REPORT_KEYS) - set(configs.compose(f"experiment={experiment}").report) <= {"evaluation", "identities"}
    parts = asked(experiment)
    assert {isinstance(part, Claim) for part in parts} == {True, False}
    for part in parts:
        for where in [part.where, *([part.better, part.worse] if isinstance(part, Ordering) else [])]:
            assert matches(grid(experiment), where), (part, where)


@pytest.mark.parametrize("experiment", configs.experiments_with_report())
def test_each_of_its_claims_can_fail(experiment):
    """A cheap baseline fails it, or it compares methods over seeds; what every run satisfies is an identity, without one."""
    declared = report(experiment)
    for claim in make_each(declared, "report.claims", Claim):
        assert isinstance(claim, Ordering | PublishedRanking) or claim.baseline is not None, claim.says
    for identity in make_each(declared, "report.identities", Claim):
        assert isinstance(identity, BoundedClaim), identity.says
        assert identity.baseline is None, identity.says


@pytest.mark.parametrize("experiment", configs.experiments_with_report())
def test_its_jobs_name_options_that_exist(experiment):
    for key, _, option in (word.partition("=") for job in grid(experiment) for word in job):
        if key in configs.groups():
            assert set(option.strip("[]").split(",")) <= set(configs.options(key)), f"{key}={option}"


@pytest.mark.parametrize(
    "experiment",
    [
        pytest.param(name, marks=[] if name in configs.experiments_with_a_new_kind() else pytest.mark.long)
        for name in configs.experiments_with_report()
    ],
)
def test_its_jobs_log_what_the_report_asks_for(experiment, tmp_path):
    """A few jobs play, so that every claim and figure is about one of them; the others are built."""
    evaluated = configs.compose(f"experiment={experiment}").eval_every > 0
    values = f"{SHORT} {'eval_every=3' if evaluated else ''} {SMALLER.get(experiment, '')}"
    logged: dict[tuple[str, ...], set[str]] = {}
    metric = "primary"
    for job in one_of_each_case(experiment):
        unplayed = [part for part in asked(experiment, metric) if not any(matches([played], part.where) for played in logged)]
        cfg = configs.config(" ".join(job), values, root=tmp_path)
        if logged and not any(matches([job], part.where) for part in unplayed):
            build(cfg, torch.device("cpu"))
            continue
        folder = tmp_path / str(len(logged))
        train_command(cfg, folder)
        tags = dict.fromkeys(tag for row in logger.read(folder) for tag in row)
        logged[job], metric = set(tags), primary_metric(tags) or metric
        assert len(list((folder / "samples").glob("*.png"))) >= 1
    evaluation = configs.compose(f"experiment={experiment}").report.get("evaluation")
    for part in asked(experiment, metric):
        tags = set().union(*(tags for job, tags in logged.items() if matches([job], part.where)))
        if isinstance(part, Progression):
            assert not tags or ({part.tag} if isinstance(part.tag, str) else set(part.tag)) & tags
        else:
            later = {number for number in named(part) if evaluation and "/" not in number}  # gan-eval's, once it was asked
            assert not tags or named(part) - later <= tags, part


def one_of_each_case(experiment: str) -> list[tuple[str, ...]]:
    """The first job of every case, and the last of all."""
    jobs = grid(experiment)
    cases = len(configs.compose(f"experiment={experiment}").hydra.sweeper.cases or [[]])
    return list(dict.fromkeys([*jobs[:: len(jobs) // cases], jobs[-1]]))


def named(part: Claim | Figure) -> set[str]:
    """The tags that a claim or a figure names."""
    required = getattr(part, "requires", None) or {}
    return {tag for field in TAGS for tag in words(getattr(part, field, None))} | {*words(required.get("tag"))}


def words(value: Any) -> list[str]:
    """The words of a field: of lists and of tables, whose keys are what things are called, all that are in them."""
    if value is None or isinstance(value, str):
        return [] if value is None else [value]
    return [word for entry in (value.values() if isinstance(value, Mapping) else value) for word in words(entry)]
