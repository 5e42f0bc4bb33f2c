"""The record of the data in a report."""

import pytest
from omegaconf import OmegaConf

from gan_cli.config.schema import ReportConfig
from gan_cli.data.points.toy import ring
from gan_cli.data.record import DataRecord
from gan_cli.report import command
from gan_cli.report.records.data import data_records
from gan_cli.report.records.runs import run_records
from gan_cli.runs import record

pytestmark = pytest.mark.slow


def test_equal_records_stand_once_and_different_ones_with_their_runs(run):
    small, large = (DataRecord.of(ring(n=n, n_heldout=8)) for n in (16, 32))
    for seed, one in enumerate((small, small, large)):
        record.write(run(f"sweep/{seed}", {"loss/d": [1.0, 2.0]}, seed=seed), one)
    folder = run("sweep/none", {"loss/d": [1.0, 2.0]}, seed=9).parent
    found = data_records(run_records(folder))
    assert found == [("seed 0, seed 1", small.lines()), ("seed 2", large.lines())]


def test_a_report_shows_the_record(run):
    folder = run("r", {"loss/d": [1.0, 2.0]})
    data = DataRecord.of(ring(n=16, n_heldout=8))
    record.write(folder, data)
    settings = OmegaConf.merge(OmegaConf.structured(ReportConfig), {"run": str(folder), "quiz": 0})
    html = command.report_command(settings).read_text()
    assert "<h2>Data</h2>" in html
    assert all(f"<li>{line}</li>" in html for line in data.lines())
