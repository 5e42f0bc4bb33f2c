"""The costs of methods beside their numbers."""

import pytest

from gan_cli.evaluation.costs import cost_rows, cost_tables, prefixed
from gan_cli.evaluation.results import Number, Provenance, Result
from gan_cli.evaluation.sweeps import SweepRun
from gan_cli.runs import costs

ORIGIN = Provenance("fd", {}, {}, 8, 8, "train", True, "0", 0)


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (12, "12"), (999.6, "1 k"), (12_800, "12.8 k"), (3.456e12, "3.46 T"), (2e22, "2e+04 E")]
)
def test_numbers_have_decimal_prefixes(number, text):
    assert prefixed(number) == text


def test_methods_of_equal_cost_have_no_table():
    alike = {"a": [{"images": 100, "processor_seconds": 60.0}], "b": [{"images": 100, "processor_seconds": 62.0}]}
    assert cost_rows(alike) == ([], [])
    assert cost_rows({"a": [{"images": 100}]}) == ([], [])
    assert cost_rows({"a": [], "b": []}) == ([], [])


def test_costs_are_means_over_seeds_and_missing_ones_are_left_empty():
    methods = {
        "a": [{"images": 1000, "processor_seconds": 60.0}, {"images": 3000, "processor_seconds": 120.0}],
        "b": [{"images": 9000}],
    }
    assert cost_rows(methods) == (["images", "processor min"], [["a", "2 k", "1.5"], ["b", "9 k", ""]])


def run(loss: str, seed: int) -> SweepRun:
    return SweepRun(f"{loss}-{seed}", {"seed": seed, "loss": {"_target_": loss}}, {"loss": loss, "seed": str(seed)}, None)


def test_a_sweep_shows_the_costs_of_the_evaluated_checkpoints(capsys):
    from rich.console import Console

    runs = [run(loss, seed) for loss in ("hinge", "wgan_gp") for seed in (1, 2)]
    found = {
        one.name: [
            Result(one.name, step, chosen, ORIGIN, {"fd": Number(1.0)}, costs={"flops": 1e9 * step * (1 + (i > 1))})
            for step, chosen in ((5, ("last",)), (3, ("best",)))
        ]
        for i, one in enumerate(runs)
    }
    (table,) = cost_tables(runs, found, "last")
    Console(width=60).print(table)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["hinge", "5", "G"] in lines or ["loss=hinge", "5", "G"] in lines
    assert any(line[1:] == ["10", "G"] for line in lines)
    assert cost_tables(runs[:2], found, "last") == []


def test_the_costs_of_a_step_are_those_logged_with_it():
    rows = [{"step": 1, "cost/images": 8}, {"step": 2, "cost/images": 16}, {"step": 2, "time/processor_seconds": 0.5}]
    assert costs.of_rows(rows) == {"images": 16, "processor_seconds": 0.5}
    assert costs.of_rows(rows[:1]) == {"images": 8}
