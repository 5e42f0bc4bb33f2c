"""The gallery: its generator, and the page that it has written."""

import re

import pytest
from support import configs
from support.markdown import DOCS, script

PAGE = (DOCS / "gallery.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def gallery():
    return script("gallery")


def summary(*states, seconds=0.0, identities=()):
    def judged(state):
        return {"claim": "KL(Q||P) of |x|", "rule": "a_b at most 1", "state": state, "reason": "1 | 2", "runs": {}}

    texts = {"title": "T", "source": "A paper", "differences": None, "thumbnail": None}
    lists = {"claims": [judged(state) for state in states], "identities": [judged(state) for state in identities]}
    return {**texts, "seconds": seconds, **lists}


def test_every_experiment_with_a_report_has_one_subject(gallery):
    names = [name for listed in gallery.SUBJECTS.values() for name in listed]
    assert sorted(names) == sorted(configs.experiments_with_report())


def test_experiments_stand_by_subject_below_their_verdicts_and_times(gallery):
    mine = summary("undecided", identities=["satisfied", "violated"])
    text = gallery.page({"mine": mine, "ddpm": summary("held", "not held", seconds=600)}, "abc")
    assert "2 experiments make 3 claims: 1 held, 1 not held, 1 undecided.\n" in text
    assert "They check 2 identities: 1 satisfied, 1 violated, 0 not checked.\n" in text
    assert "| [T](#ddpm) | 1 | 1 |  |  | 10 min |" in text
    assert "| [T](#mine) |  |  | 1 | 1 of 2 |  |" in text
    assert text.count("| | identity | rule | verdict | result |") == 1
    order = ["[T](#ddpm)", "[T](#mine)", "## Published systems in small", "### ddpm", f"## {gallery.OTHERS}", "### mine"]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)


def test_bars_in_a_text_do_not_separate_cells(gallery):
    [row] = [line for line in gallery.section("mine", summary("held")).splitlines() if line.startswith("| 1 |")]
    assert row.count("|") == 6
    assert "KL(Q&#124;&#124;P) of &#124;x&#124; | a\\_b at most 1 | **held** | 1 &#124; 2 |" in row


def test_the_rows_of_each_table_have_its_columns():
    for table in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        assert len({row.count("|") for row in table.splitlines()}) == 1, table


def test_the_page_says_rules_and_whole_sentences():
    rows = [row for row in PAGE.splitlines() if re.match(r"\| \d+ \|", row)]
    assert all(row.split(" | ")[2] for row in rows)
    assert not re.search(r"fallen by|not in 0|must hold\)|0 undecided", PAGE)
