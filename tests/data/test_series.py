"""Series from tables: reading, cutting into windows, and error messages."""

import pytest
import torch

from gan_cli.data.sequences.protocols import Windows, by_time, covered, sequences, shuffled
from gan_cli.data.sequences.series import ENERGY_COLUMNS, csv, energy, stocks
from gan_cli.data.sequences.tables import Table
from gan_cli.data.stream import Stream
from gan_cli.errors import UserError

TABLE = Table(torch.arange(1.0, 41.0).double().view(20, 2).square(), ("a", "b"), "t.csv")
"""Rows k = 0 … 19 of ((2k + 1)², (2k + 2)²)."""


def everything(part):
    return part.batch(torch.arange(len(part))).x


@pytest.fixture
def table(tmp_path):
    """Return a function that writes lines to a file and returns its path: ``table("a,b", "1,2", ...)``."""

    def write(*lines):
        path = tmp_path / "mine.csv"
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    return write


def rows(n, text="{k},{square}"):
    return [text.format(k=k + 1, square=(k + 1) ** 2) for k in range(n)]


def test_windows():
    values = torch.arange(12.0).view(6, 2)
    windows = Windows(values, torch.tensor([3, 0]), 3, {})
    assert windows.shape == (3, 2)
    assert torch.equal(windows.batch(torch.tensor([1, 0, 1])).x, torch.stack([values[:3], values[3:], values[:3]]))


def test_shuffled_has_every_window_once():
    cut = shuffled(TABLE, 5, 0.25)
    assert cut.values is TABLE.values
    assert cut.names == ("a", "b")
    assert sorted([*cut.train.tolist(), *cut.heldout.tolist()]) == list(range(16))
    assert len(cut.heldout) == 4
    assert torch.equal(shuffled(TABLE, 5, 0.25).heldout, cut.heldout), "every run holds out the same"


@pytest.mark.parametrize("starts", [[0, 1, 2, 9], [3], [0, 4, 8], [1, 13]])
def test_rows_in_windows_are_found_without_listing_the_rows_of_every_window(starts):
    starts, window, n = torch.tensor(starts), 4, 17
    listed = (starts[:, None] + torch.arange(window)).unique()
    assert covered(n, starts, window).nonzero()[:, 0].tolist() == listed.tolist()


def test_memory_does_not_grow_with_the_window():
    """With all rows of all windows in memory at once, their numbers alone would take 41 GB."""
    values = torch.arange(200_000.0, dtype=torch.float64)[:, None]
    data = sequences(Table(values, ("u",), "u"), 40_000, "shuffled", None, None)
    assert data.train.batch(torch.tensor([5])).x.shape == (1, 40_000, 1)


def test_by_time_holds_out_only_later_rows():
    cut = by_time(TABLE, 4, 0.5)
    assert torch.allclose(cut.values, TABLE.values[1:].log() - TABLE.values[:-1].log())
    assert cut.names == ("a log return", "b log return")
    assert (cut.train.tolist(), cut.heldout.tolist()) == ([0, 4], [8, 12])


def test_by_time_of_values_that_are_not_positive():
    values = torch.tensor([[1.0, 1.0, -1.0], [2.0, 0.0, 3.0], [4.0, 5.0, 2.0]]).double()
    cut = by_time(Table(values, ("a", "b", "c"), "t.csv"), 1, 0.5)
    two = torch.tensor(2.0).double().log()
    assert torch.allclose(cut.values, torch.tensor([[two, -1, 4], [two, 5, -1]]).double())
    assert cut.names == ("a log return", "b change", "c change")


@pytest.mark.parametrize("name", ["nasdaq", "sp500"])
def test_stocks(name):
    data = stocks(table=name)
    assert data.shape == (24, 6)
    assert len(data.train) + len(data.heldout) == 5031 - 23
    assert data.series.names == ("Open", "High", "Low", "Close", "Adj Close", "Volume")
    x = everything(data.train)
    assert x.dtype == torch.float32
    assert (x.amin((0, 1)).tolist(), x.amax((0, 1)).tolist()) == ([0.0] * 6, [1.0] * 6)
    first = {"nasdaq": 2207.540039, "sp500": 1229.229980}[name]
    opening = data.series.scaling.to_units(data.train.rows)[0, 0]
    assert float(opening) == pytest.approx(first, rel=1e-5)
    assert "not the stock series of the TimeGAN paper" in data.series.notes[1]


def test_stocks_by_time():
    data = stocks(protocol="by_time", columns=["Close", "Volume"])
    assert (len(data.train), len(data.heldout)) == (104, 105)
    assert data.series.names == ("Close log return", "Volume change")  # two days of the Nasdaq have no volume
    assert stocks("sp500", protocol="by_time", columns=["Volume"]).series.names == ("Volume log return",)
    x = everything(data.train)
    assert (x.amin((0, 1)).tolist(), x.amax((0, 1)).tolist()) == ([0.0] * 2, [1.0] * 2)
    assert not torch.equal(everything(data.heldout).amax((0, 1)), torch.ones(2)), "scaled by the training part alone"
    assert data.train.starts.max() + 24 == data.heldout.starts.min()
    assert data.series.protocol == "changes in windows without overlap, split by time"


def test_max_samples_and_heldout_share():
    few = stocks(max_samples=10)
    whole = stocks()
    assert (len(few.train), len(few.heldout)) == (10, 10)
    assert few.series.scaling == whole.series.scaling
    assert set(few.train.starts.tolist()) <= set(whole.train.starts.tolist())
    assert len(stocks(heldout_share=0.1).heldout) == 501


def test_a_csv_file(table):
    path = table("day,x,y", *rows(10, "2020-01-{k:02d},{k},{square}"))
    data = csv(path, columns=["y", "x"], window=3, heldout_share=0.5)
    assert data.series.names == ("y", "x")
    assert len(data.train) == len(data.heldout) == 4
    back = data.series.scaling.to_units(data.train.rows)
    assert torch.allclose(back, torch.tensor([[(k + 1) ** 2, k + 1] for k in range(10)]).double(), atol=1e-5)
    Stream(data.train, 5, 0).indices(3)


def test_separators_spaces_and_booleans(table):
    data = csv(table("x; on", *rows(9, "{square}; True"), "4; False"), separator=";", window=2)
    assert data.series.names == ("x", "on")


def test_decimal_commas_and_tabs(table):
    data = csv(table("x\ty", *rows(9, "{k},5\t{square}")), separator=r"\t", decimal=",", window=2)
    u = data.series.scaling.to_units(data.train.rows)
    torch.testing.assert_close(u[[0, -1]], torch.tensor([[1.5, 1.0], [9.5, 81.0]]).double(), rtol=1e-6, atol=0)


def test_an_unnamed_index_can_be_left_out(table):
    assert csv(table(",a,b", *rows(9, "{k},{k},{square}")), columns=["b"], window=2).series.names == ("b",)


def test_a_column_of_row_numbers_is_noted(table):
    notes = csv(table("a,b", *rows(9)), window=2).series.notes
    assert [note for note in notes if "counts" in note] == ["a only counts the rows; dataset.columns can leave it out."]


def test_text_in_another_encoding(tmp_path):
    (tmp_path / "latin.csv").write_bytes("Größe,b\n1,2\n".encode("latin-1"))
    with pytest.raises(UserError, match="cannot be read as a table: it is not UTF-8 text"):
        csv(str(tmp_path / "latin.csv"))


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (["a,b", *rows(9), "3,"], {}, "mine.csv: a value is missing in row 10, column b"),
        (["a,b", *rows(3), ",", "NA,2", *rows(3)], {}, r"missing in row 4, column a \(and 2 more\)"),
        (["a,b", *rows(3), "", *rows(3)], {}, r"missing in row 4, column a \(and 1 more\)"),
        (["a", "1", "2", "", "4"], {}, r"missing in row 3, column a\."),
        (["a,b", *rows(3, '"1,23{k}",{k}')], {}, r"'1,231' in column a may .* thousands or.*\nRemove .* from the file\.$"),
        (["a;b", *rows(3, "1,23{k};{k}")], {"separator": ";"}, r"'1,231' in column a may [^;]*; .* add 'dataset\.decimal=,'"),
        (["a,b", *rows(3), "inf,2"], {}, "a value is infinite in row 4, column a"),
        (["day,a", *rows(9, "2020-01-0{k},{square}")], {}, r"holds text, not numbers, in day\.\n.*dataset\.columns=\[a\]"),
        (["day,city", *rows(9, "mon,x{k}")], {}, r"in day, city\.\nThere is no column of numbers"),
        (["a,b", *rows(9), "3,abc"], {}, "'abc' in row 10, column b, is no number"),
        (["a,b", *rows(9)], {"columns": ["a", "bb"]}, r"no column 'bb'\. Did you mean b\?\nIt has: a, b"),
        (["a,b", *rows(9)], {"columns": ["a", "a"]}, "names 'a' twice"),
        (["a,b", *rows(9)], {"columns": "a"}, "it must be a list of names"),
        (["a,b", *rows(9)], {"columns": []}, "it must be a list of names"),
        (["a,b", *rows(24)], {}, "mine.csv has 24 rows, too few for windows of 24"),
        (["a,b", *rows(9)], {"window": 5, "protocol": "by_time"}, "mine.csv has 9 rows, too few for windows of 5"),
        (["a,b", *rows(40, "{k},7")], {}, r"the training part of b is constant"),
        (["a,b", *rows(40, "{k},7")], {"protocol": "by_time", "window": 4}, "training part of b log return"),
        (["1,2", *rows(9)], {}, "its first line holds numbers"),
        (["a;b", *rows(9, "{k};{square}")], {}, "separated by ';', not by ','.\nAdd 'dataset.separator=;'"),
        (["a\tb", *rows(9, "{k}\t{square}")], {}, r"by '\\t', not by ','\.\nAdd 'dataset\.separator=\\t'"),
        (["a;b", *rows(9, "{k},5;{square},0")], {}, "and 'dataset.decimal=,' if"),
        (
            ["a;b", *rows(9, "{k},5;{square},0")],
            {"separator": ";"},
            "'1,5' in column a .* another decimal mark.\nAdd 'dataset.de",
        ),
        (["a,b", *rows(9)], {"decimal": ","}, "dataset.separator and dataset.decimal are both ','"),
        (["a,b", *rows(9)], {"decimal": "comma"}, "decimal='comma'"),
        ([",a,b", *rows(9, "{k},{k},{square}")], {}, r"column 1 has no name.*\n.*: dataset\.columns=\[a,b\]"),
        (["a,b,a", *rows(9, "{k},{k},{square}")], {}, "the first line of mine.csv names 'a' twice"),
        (["a,b,a", *rows(9, "{k},{k},{square}")], {"columns": ["a"]}, "mine.csv has 2 columns 'a'"),
        (["a,b"], {}, "mine.csv has no rows below the line"),
        (["a,b", *rows(9)], {"columns": 3}, "it must be a list of names"),
        (["a,b", *rows(9), "1,2,3"], {}, "as a table: Expected 2 fields in line 11, saw 3"),
        (["a,b", *rows(9, "{k},2,3")], {}, "its rows have more fields than its first line has names"),
        ([""], {}, "cannot be read as a table"),
        (["a,b", *rows(9)], {"separator": ""}, "separator=''"),
        (["a,b", *rows(9)], {"window": 1}, "window=1: it must be a whole number, at least 2"),
        (["a,b", *rows(9)], {"protocol": "random"}, "protocol='random': it must be one of shuffled, by_time"),
        (["a,b", *rows(9)], {"window": 2, "heldout_share": 1.0}, "none is left to train on"),
        (["a,b", *rows(9)], {"window": 2, "heldout_share": 4}, "heldout_share=4"),
        (["a,b", *rows(9)], {"window": 2, "max_samples": 0}, "max_samples=0"),
    ],
)
def test_invalid_csv_files(table, lines, options, message):
    with pytest.raises(UserError, match=message) as error:
        csv(table(*lines), **options)
    assert len(str(error.value).splitlines()) <= 2


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (csv, {}, "dataset=csv needs dataset.path=FILE"),
        (csv, {"path": "."}, "is a folder, no CSV file"),
        (csv, {"path": "nowhere.csv"}, "there is no file .*nowhere.csv"),
        (
            energy,
            {},
            "dataset=energy needs dataset.path=FILE: energydata_complete.csv of 'Appliances Energy",
        ),
        (energy, {"path": "nowhere"}, "there is no file .*nowhere.\nIt should be energydata_complete.csv of"),
        (stocks, {"table": "google"}, "table='google': it must be one of nasdaq, sp500"),
        (stocks, {"columns": ["Opn"]}, r"nasdaq has no column 'Opn'\. Did you mean Open\?"),
    ],
)
def test_missing_files_and_unknown_tables(kind, options, message):
    with pytest.raises(UserError, match=message):
        kind(**options)


def test_energy_in_its_published_form(tmp_path):
    from support import layouts

    layouts.write_energy(tmp_path / "energy", n=200)
    data = energy(str(tmp_path / "energy"))
    assert data.shape == (24, 28)
    assert data.series.names == ENERGY_COLUMNS
    assert ENERGY_COLUMNS[:4] == ("Appliances", "lights", "T1", "RH_1")
    assert len(data.train) + len(data.heldout) == 177
    assert energy(str(tmp_path / "energy" / "energydata_complete.csv"), columns=["T_out"], window=3).shape == (3, 1)


def test_energy_with_other_columns(table):
    with pytest.raises(UserError, match="has no column 'Appliances'"):
        energy(table("a,b", *rows(9)))


@pytest.mark.parametrize(
    ("dates", "noted"),
    [
        (["2024-01-03", "2024-01-02", "2024-01-01", "2023-12-31"], True),
        (["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"], False),
        (["01/02/2024", "02/02/2024", "13/02/2024", "01/03/2024"], False),  # the day is first
        (["17:00", "18:00", "17:00", "18:00"], False),
        (["Mon", "Tue", "Wed", "Mon"], False),
    ],
)
def test_rows_that_are_not_in_the_order_of_a_date_that_is_left_out(table, dates, noted):
    path = table("day,x", *(f"{day},{k}" for k, day in enumerate(dates)))
    notes = csv(path, columns=["x"], window=2, protocol="shuffled").series.notes
    said = [note for note in notes if "not in the order of day, which goes from 2024-01-03 to 2023-12-31" in note]
    assert len(said) == noted


def test_blank_lines_around_the_rows(table):
    data = csv(table("", "a,b", *rows(4), "", ",", ""), window=2)
    assert len(data.train) + len(data.heldout) == 3
    assert any(note.endswith("the last 3 rows are empty and left out.") for note in data.series.notes)
