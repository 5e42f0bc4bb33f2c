"""Series of the world: shares, appliances, and any CSV file of the user's."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from gan_cli.data.base import Data
from gan_cli.data.sequences.protocols import sequences
from gan_cli.data.sequences.tables import counting, read
from gan_cli.errors import FieldError, UserError

STOCKS = ("nasdaq", "sp500")
STOCKS_COLUMNS = ("Open", "High", "Low", "Close", "Adj Close", "Volume")
ENERGY = "energydata_complete.csv"
ENERGY_COLUMNS = (
    *("Appliances", "lights"),
    *(f"{what}_{k}" if what == "RH" else f"{what}{k}" for k in range(1, 10) for what in ("T", "RH")),
    *("T_out", "Press_mm_hg", "RH_out", "Windspeed", "Visibility", "Tdewpoint", "rv1", "rv2"),
)


def stocks(
    table: str = "nasdaq",
    columns: Sequence[str] | None = None,
    window: int = 24,
    protocol: str = "shuffled",
    heldout_share: float | None = None,
    max_windows: int | None = None,
) -> Data:
    """Daily values of the Nasdaq Composite or of the S&P 500, 1999 to 2018, which the arch package ships.

    5 031 rows of Open, High, Low, Close, Adj Close and Volume. TimeGAN's stock series is another one, Google's from 2004 to
    2019, of the same six columns: its published numbers can stand beside those of this one, and prove nothing about them.
    Two days of the Nasdaq table have a volume of 0, so that by time its volume is a difference, not one of logarithms.

    Raises UserError for another table, and what ``sequences`` raises.
    """
    if table not in STOCKS:
        raise FieldError("table", table, f"it must be one of {', '.join(STOCKS)}.")
    package = find_spec("arch")  # found, not imported: that takes seconds
    if package is None or not package.submodule_search_locations:
        raise UserError("dataset=stocks reads a table of the package arch, which is not installed: pip install arch.")
    path = Path(package.submodule_search_locations[0], "data", table, f"{table}.csv.gz")
    found = read(path, STOCKS_COLUMNS if columns is None else columns, title=table)
    note = f"{table} is not the stock series of the TimeGAN paper: its published numbers are of other data than these."
    return sequences(found, window, protocol, heldout_share, max_windows, (note,))


def energy(
    path: str | None = None,
    columns: Sequence[str] | None = None,
    window: int = 24,
    protocol: str = "shuffled",
    heldout_share: float | None = None,
    max_windows: int | None = None,
) -> Data:
    """Energy that the appliances of a house used, and its climate, every 10 minutes of 4.5 months of 2016: 28 columns.

    ``path``: ``energydata_complete.csv`` as it is published, or the folder that holds it (Candanedo et al. 2017: Data driven
    prediction models of energy use of appliances in a low-energy house; data set 374 of the UCI Machine Learning Repository).
    The rows stay in the order of time; TimeGAN's code turned them round.

    Raises UserError where there is no such file, or not of these columns, and what ``sequences`` raises.
    """
    where = f"{ENERGY} of 'Appliances Energy Prediction', data set 374 of the UCI Machine Learning Repository"
    if path is None:
        raise UserError(f"dataset=energy needs dataset.path=FILE: {where}.")
    file = Path(str(path)).expanduser()
    file = file / ENERGY if file.is_dir() else file
    if not file.is_file():
        raise UserError(f"dataset.path: there is no file {file.absolute()}.\nIt should be {where}.")
    return sequences(read(file, ENERGY_COLUMNS if columns is None else columns), window, protocol, heldout_share, max_windows)


def csv(
    path: str | None = None,
    columns: Sequence[str] | None = None,
    separator: str = ",",
    decimal: str = ".",
    window: int = 24,
    protocol: str = "shuffled",
    heldout_share: float | None = None,
    max_windows: int | None = None,
) -> Data:
    """Any table of numbers: a CSV file whose first line names the columns, a row for each step of time, oldest first.

    ``columns``: which, and in which order (None: all); ``separator``, ``decimal``: marks between columns and in numbers.

    Raises UserError for what ``read`` and ``sequences`` refuse.
    """
    if path is None:
        raise UserError("dataset=csv needs dataset.path=FILE, a table whose first line names its columns.")
    table = read(Path(str(path)).expanduser(), columns, separator, decimal)
    notes = [f"{name} only counts the rows; dataset.columns can leave it out." for name in counting(table)]
    return sequences(table, window, protocol, heldout_share, max_windows, tuple(notes))
