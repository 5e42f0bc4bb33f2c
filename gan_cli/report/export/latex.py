"""Tables of a report as LaTeX."""

import re

from gan_cli.report.figures.tables import Table

SYMBOLS = {
    "\\": r"\textbackslash{}",
    **{character: rf"\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\to$",
    "×": r"$\times$",
    "−": r"$-$",
    "‖": r"$\Vert$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "<": r"$<$",
    ">": r"$>$",
    "\u202f": r"\,",
    **{digit: rf"$_{number}$" for number, digit in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    **{digit: rf"$^{number}$" for number, digit in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    "⁻": r"$^-$",
}
"""Characters that LaTeX reads otherwise, or does not know."""


def latex(table: Table) -> str:
    """Return a table for LaTeX's package ``booktabs``, with its notes as comments above it."""
    lines = [
        *(f"% {' '.join(text.split())}" for text in (table.title, *table.notes)),
        rf"\begin{{tabular}}{{l{'r' * (len(table.head) - 1)}}}",
        r"\toprule",
        _row(table.head),
        r"\midrule",
        *map(_row, table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Return ``text`` such that LaTeX prints it as it is, in one line; a minus sign in front of a number is one."""
    one_line = " ".join(text.split())
    return re.sub(r"(?<![\w.)-])-(?=[\d.])", r"$-$", "".join(SYMBOLS.get(character, character) for character in one_line))


def _row(cells: object) -> str:
    assert isinstance(cells, list | tuple)
    return " & ".join(map(escaped, cells)) + r" \\"
