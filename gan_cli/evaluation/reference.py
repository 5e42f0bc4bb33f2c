"""The method that ``reference=METHOD`` names, which all others of a sweep are compared with."""

from collections.abc import Mapping, Sequence

from gan_cli.config.names import settings_text
from gan_cli.errors import UserError, shortened_list
from gan_cli.evaluation.sweeps import SweepRun, groups


def reference_method(sweep_runs: Sequence[SweepRun], name: str) -> Mapping[str, str]:
    """Return the settings of the method that ``name`` means.

    Args:
        sweep_runs: All runs of the sweep.
        name: The settings of the method as in tables, one of them (``loss=wgan``), its value, or a part of the settings. The
            first of these readings counts that any method fits.

    Raises:
        UserError: If no method fits, or several.
    """
    methods = [group.settings for group in groups(sweep_runs)]
    names = {settings_text(settings) or "all runs": settings for settings in methods}
    readings = (
        [text for text in names if text == name],
        [text for text, settings in names.items() if name in {f"{key}={value}" for key, value in settings.items()}],
        [text for text in names if name in text.split(", ")],
        [text for text, settings in names.items() if name in settings.values()],
        [text for text in names if name in text],
    )
    found = next((reading for reading in readings if reading), [])
    if len(found) == 1:
        return names[found[0]]
    what = "several methods" if found else "no method"
    raise UserError(f"reference={name} fits {what}.\nName one of: {shortened_list(found or list(names), 20)}")
