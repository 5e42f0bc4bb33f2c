"""stocks, energy, csv: recorded series, and any CSV file of the user."""

from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.data.sequences.protocols import sequences
from gan_cli.data.sequences.tables import read_table, row_number_columns
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
    max_samples: int | None = None,
) -> Data:
    """Return daily values of the Nasdaq Composite or the S&P 500, 1999 to 2018, from the package arch.

    The table has 5 031 rows of Open, High, Low, Close, Adj Close and Volume. TimeGAN's stock series is another one with the
    same six columns (Google, 2004 to 2019), so that its published numbers are no reference for this one. Two days of the
    Nasdaq table have a volume of 0, so that ``protocol="by_time"`` uses differences of the volume instead of log returns.

    Args:
        table: ``nasdaq`` or ``sp500``.
        columns: Names of the columns; None for all.
        window: Number of days of a sequence.
        protocol: ``shuffled`` or ``by_time``, see ``protocols``.
        heldout_share: Share of the windows that is held out; None for the protocol's default.
        max_samples: Largest number of windows of each part; None for all.

    Raises:
        UserError: If an argument is out of its range or arch is not installed.
    """
    if table not in STOCKS:
        raise FieldError("table", table, f"it must be one of {', '.join(STOCKS)}.")
    checks.package("arch", "sequences", "dataset=stocks")
    path = Path(str(distribution("arch").locate_file(f"arch/data/{table}/{table}.csv.gz")))  # importing arch takes seconds
    values = read_table(path, STOCKS_COLUMNS if columns is None else columns, title=table)
    note = f"{table} is not the stock series of the TimeGAN paper, whose published numbers are of other data."
    return sequences(values, window, protocol, heldout_share, max_samples, (note,))


def energy(
    path: str | None = None,
    columns: Sequence[str] | None = None,
    window: int = 24,
    protocol: str = "shuffled",
    heldout_share: float | None = None,
    max_samples: int | None = None,
) -> Data:
    """Return the energy use of a house's appliances and its climate, every 10 minutes of 4.5 months of 2016: 28 columns.

    The data are those of Candanedo et al. (2017), Data driven prediction models of energy use of appliances in a low-energy
    house; data set 374 of the UCI Machine Learning Repository. The rows stay in the order of time; TimeGAN's code reverses it.

    Args:
        path: ``energydata_complete.csv`` as published, or the folder that holds it.
        columns: Names of the columns; None for all.
        window: Number of rows of a sequence.
        protocol: ``shuffled`` or ``by_time``, see ``protocols``.
        heldout_share: Share of the windows that is held out; None for the protocol's default.
        max_samples: Largest number of windows of each part; None for all.

    Raises:
        UserError: If the file is missing or has other columns, or an argument is out of its range.
    """
    where = f"{ENERGY} of 'Appliances Energy Prediction', data set 374 of the UCI Machine Learning Repository"
    if path is None:
        raise UserError(f"dataset=energy needs dataset.path=FILE: {where}.")
    file = Path(str(path)).expanduser()
    file = file / ENERGY if file.is_dir() else file
    if not file.is_file():
        raise UserError(f"dataset.path: there is no file {file.absolute()}.\nIt should be {where}.")
    return sequences(
        read_table(file, ENERGY_COLUMNS if columns is None else columns), window, protocol, heldout_share, max_samples
    )


def csv(
    path: str | None = None,
    columns: Sequence[str] | None = None,
    separator: str = ",",
    decimal: str = ".",
    window: int = 24,
    protocol: str = "shuffled",
    heldout_share: float | None = None,
    max_samples: int | None = None,
) -> Data:
    """Return windows of any CSV table of numbers whose first line names the columns, with one row per time step, oldest first.

    Args:
        path: The file.
        columns: Names of the columns, in the order of the features; None for all.
        separator: Character between columns.
        decimal: Decimal mark of the numbers.
        window: Number of rows of a sequence.
        protocol: ``shuffled`` or ``by_time``, see ``protocols``.
        heldout_share: Share of the windows that is held out; None for the protocol's default.
        max_samples: Largest number of windows of each part; None for all.

    Raises:
        UserError: If the file is no such table, or an argument is out of its range.
    """
    if path is None:
        raise UserError("dataset=csv needs dataset.path=FILE, a table whose first line names its columns.")
    table = read_table(Path(str(path)).expanduser(), columns, separator, decimal)
    notes = [f"{name} only counts the rows; dataset.columns can leave it out." for name in row_number_columns(table)]
    return sequences(table, window, protocol, heldout_share, max_samples, tuple(notes))
