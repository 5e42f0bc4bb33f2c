"""The records of the data that runs were trained on."""

import json
from collections.abc import Sequence

from gan_cli.data.record import DataRecord
from gan_cli.errors import shortened_list
from gan_cli.report.records.runs import RunRecord
from gan_cli.runs import record


def data_records(runs: Sequence[RunRecord]) -> list[tuple[str, list[str]]]:
    """Return each record of data that some run has, in lines, with the names of its runs where they differ in it."""
    records: dict[str, DataRecord] = {}
    names: dict[str, list[str]] = {}
    for run in runs:
        if (found := record.read(run.folder)) is not None:
            key = json.dumps(found.to_dict(), sort_keys=True)
            records[key] = found
            names.setdefault(key, []).append(run.name)
    several = len(records) > 1
    return [(shortened_list(names[key]) if several else "", one.lines()) for key, one in records.items() if one.lines()]
