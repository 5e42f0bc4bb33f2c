"""Every option of every group agrees with what it configures, builds, and plays a round.

The table finds the options by itself: a new yaml is in it.
"""

import inspect
import json
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from support import configs, layouts

from gan_cli import drawing, testing
from gan_cli.build import GIVEN as GIVEN_TO_GAMES
from gan_cli.build import build, build_data, build_metric
from gan_cli.config.instantiate import RESERVED
from gan_cli.data.base import Data
from gan_cli.data.record import DataRecord
from gan_cli.data.stream import Stream
from gan_cli.errors import UserError
from gan_cli.evaluation.measurement import Measurement
from gan_cli.games.base import Game
from gan_cli.games.sampling import conditions, generate
from gan_cli.metrics.base import Metric
from gan_cli.metrics.features.base import concatenate
from gan_cli.regularizers.none import NoRegularizer
from gan_cli.schedules.learning_rates import Constant
from gan_cli.types import Stats

CPU = torch.device("cpu")
MEASURED = ("dataset", "experiment", "features", "game", "metric")
"""Groups that have a say in what the metric is taken of, or how."""
GIVEN = {
    "model": {"shape", "classes", "source"},
    "metric": {"features"},
    "solver": {"problem"},
    "optimizer": {"params"},
}
"""Arguments that build.py passes in; they stand in no yaml."""
CODES = ("mmd_gan",)
"""Games whose discriminator returns codes, of which no single one says what it takes a sample for."""
NEUTRAL = (NoRegularizer, Constant)
"""Options that do nothing, so that there is nothing to configure."""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("published")


def test_the_table_is_not_empty():
    assert {"loss", "regularizer", "model", "model/generator", "dataset", "optimizer", "game"} <= set(configs.groups())
    assert len(configs.all_options()) > 50


def is_long(group: str, option: str) -> bool:
    """Return True for networks and games that differ from another option in values alone, and for one with tests of its own."""
    is_like_another = group.startswith(("model/", "game")) and option not in configs.distinct_options(group)
    return is_like_another or (group == "features" and option.startswith("inception"))


@pytest.mark.parametrize(
    ("group", "option"),
    [
        pytest.param(
            group,
            option,
            marks=[]
            if option == configs.options(group)[0]
            else pytest.mark.long
            if is_long(group, option)
            else pytest.mark.slow,
        )
        for group, option in sorted(
            {*configs.all_options()} - {("experiment", name) for name in configs.experiments_with_report()}
        )
    ],
)
def test_an_option(group, option, root, monkeypatch):
    layouts.trust_checksums(monkeypatch)
    cfg = configs.config(configs.overrides_for(group, option), root=root)
    keys_are_arguments_and_arguments_are_keys(cfg)
    torch.manual_seed(0)
    parts = build(cfg, CPU)
    data, game, solver, schedule, metric = parts.data, parts.game, parts.solver, parts.schedule, parts.metric
    assert 0 <= parts.learning_rate(1) <= 1
    before = {player: [p.clone() for p in turn.parameters] for player, turn in solver.turns.items()}
    batches = Stream(data.train, cfg.train.batch_size, cfg.seed)
    stats = solver.round(schedule(1), batches)
    played = set(schedule(1))
    for step in (2, 3):
        if played != set(solver.turns):  # it goes in phases: the next one, then
            stats |= solver.round(schedule(step), batches)
            played |= set(schedule(step))
    batch = next(batches)
    batches.close()
    for name, value in stats.items():
        assert value.ndim == 0
        assert value.isfinite(), name
        assert not value.requires_grad, name
    assert played == set(solver.turns)
    for player, turn in solver.turns.items():
        assert {f"loss/{player}", f"grad_norm/{player}"} <= set(stats)
        moved = [not torch.equal(a, b) for a, b in zip(before[player], turn.parameters, strict=True)]
        assert any(moved), f"{player} stood still"
        assert all(p.isfinite().all() for p in turn.parameters)
    fake = generate(game, 3, seed=0, y=conditions(data, 3, seed=0))
    assert fake.shape == (3, *data.shape)
    assert fake.isfinite().all()
    if group in ("game", "loss") and option not in CODES:
        assert_judged(stats, game)
    if group == "loss":
        assert_added_up(stats)
    if group == "game":
        testing.check_game(game, batch)
    if group == "dataset":
        assert_recorded(cfg, data)
    if group in MEASURED and group != "metric":
        assert_measures(cfg, metric, data, game)


def assert_judged(stats: Stats, game: Game) -> None:
    """Assert that D(x) and D(G(z)) of every discriminator are reported, as probabilities or as mean logits."""
    critics = [player for player in game.players() if "discriminator" in player]
    for name in ("real", "fake"):
        probabilities = [value for tag, value in stats.items() if tag.startswith(f"D/{name}")]
        logits = [value for tag, value in stats.items() if tag.startswith(f"logit/{name}")]
        assert len(probabilities) + len(logits) >= len(critics), sorted(stats)
        shares = [value for tag, value in stats.items() if tag.startswith(f"accuracy/{name}")]
        assert all(0 <= value <= 1 for value in (*probabilities, *shares))


def assert_added_up(stats: Stats) -> None:
    """Assert that the parts of both players' losses are reported: the loss is their sum."""
    for turn in ("discriminator", "generator"):
        parts = [stats[tag] for tag in stats if tag.endswith(f"/{turn}") and tag.startswith(("adversarial/", "penalty_"))]
        torch.testing.assert_close(torch.stack(parts).sum(), stats[f"loss/{turn}"])


@pytest.mark.slow
@pytest.mark.parametrize("option", configs.options("metric"))
def test_a_metric_fits_some_kind_of_data(option):
    refusals = [measures_or_refuses(option, kinds) for kinds in configs.KINDS]
    assert "" in refusals, refusals


def measures_or_refuses(option: str, kinds: Sequence[str]) -> str:
    """Assert that a metric keeps its contract with the first of ``kinds`` that it fits; return why it fits none, or ""."""
    refusal = ""
    for kind in kinds:
        cfg, parts = configs.measured(kind, option), configs.parts_of(kind)
        try:
            assert_measures(cfg, build_metric(cfg), parts.data, parts.game)
            return ""
        except UserError as error:
            refusal = str(error)
    return refusal


def assert_measures(cfg: DictConfig, metric: Metric, data: Data, game: Game) -> None:
    """Assert that a metric keeps its contract, that its numbers have floors, and that its pictures can be drawn."""
    measurement = Measurement(metric, data, CPU)
    if not measurement.enabled:
        return
    real, fake = measurement.real, measurement.fake(game, cfg.seed)
    testing.check_numbers(measurement.metric, real, fake)
    names = measurement.metric.measure(real, fake).keys()
    if not measurement.metric.equal_sizes:
        assert measurement.metric.measure(real, concatenate([fake, fake])).keys() == names
    assert names <= measurement.floor.values.keys()
    assert json.dumps(measurement.provenance(ema=True, seed=0))
    for picture in measurement.metric.pictures(real, fake).values():
        assert drawing.grid(picture.images.float(), picture.columns).ndim == 3


def assert_recorded(cfg: DictConfig, data: Data) -> None:
    """Assert that the record of a data set adds up, repeats itself, and tells it from another data set."""
    testing.check_dataset(data)
    record = DataRecord.of(data)
    assert DataRecord.of(build_data(cfg)) == record
    assert len(record.lines()) in range(5)
    assert bool(record.lines()) == (not data.train.unlimited)
    for name, origins in record.origins.items():
        if "modes" in origins:
            assert sum(origins["modes"].values()) == origins["images"] == recorded(record, name)
        if "windows" in origins:
            assert recorded(record, name) <= origins["windows"] < origins["rows"]
    other = cfg.copy()
    for key, value in (("seed", 1), ("max_samples", len(data.train) + len(data.heldout) - 1)):
        if key in cfg.dataset:
            other.dataset[key] = value
    if other != cfg:
        assert DataRecord.of(build_data(other)).checksum != record.checksum


def recorded(record: DataRecord, name: str) -> int:
    """Return the number of samples of a part, or of both parts together if ``name`` is all."""
    return sum(count for part, count in (("train", record.train), ("heldout", record.heldout)) if name in (part, "all"))


def keys_are_arguments_and_arguments_are_keys(cfg: DictConfig) -> None:
    """Asserts it of all nodes; only the neutral options and components of other libraries may hide arguments."""
    for key, node in nodes(OmegaConf.to_container(cfg)):
        path = node["_target_"]
        target = get_object(path)
        parameters = inspect.signature(target).parameters
        group = key.partition(".")[0]
        given = {*GIVEN_TO_GAMES, *map(str, cfg.model)} if group == "game" else GIVEN.get(group, set())
        keys = {name for name, value in node.items() if not (key == "optimizer" and isinstance(value, dict))} - set(RESERVED)
        open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        assert open_ended or keys <= set(parameters), f"{key} names what {path} does not take"
        assert not keys & given, f"{key} sets what the program passes in"
        if target.__module__.startswith("gan_cli.") and target not in NEUTRAL:
            named = {name for name, parameter in parameters.items() if parameter.kind is not parameter.VAR_KEYWORD}
            assert named - given <= keys, f"{key} hides arguments of {path}"


def nodes(content: dict[str, Any], prefix: str = "") -> list[tuple[str, dict[str, Any]]]:
    """(key, node) for every node with a target, nested ones too."""
    found = [(prefix, content)] if "_target_" in content else []
    for name, value in content.items():
        if isinstance(value, dict):
            found += nodes(value, f"{prefix}.{name}".strip("."))
    return found


def test_all_nodes_are_looked_at():
    kinds = {"dataset", "model", "loss", "regularizer", "game", "schedule", "solver", "optimizer", "metric", "features"}
    assert kinds <= {key.partition(".")[0] for key, _ in nodes(OmegaConf.to_container(configs.config()))}
