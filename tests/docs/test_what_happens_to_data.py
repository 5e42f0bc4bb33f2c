"""The page about what happens to data says what the program does: its code runs and prints what stands beside it."""

import re

import pytest
from support.markdown import DOCS, blocks

from gan_cli.data import csv, image_folder
from gan_cli.data.record import DataRecord
from gan_cli.errors import DamageWarning

PAGE = DOCS / "what-happens-to-data.md"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::gan_cli.errors.DamageWarning")
def test_the_code_of_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    code = [block.text for block in blocks(PAGE) if block.language == "python" and not block.title]
    exec(compile(code[0], PAGE.name, "exec"), names)
    shown = [block.text for block in blocks(PAGE) if block.language == "text"]
    with pytest.warns(DamageWarning, match="images in colour 12, grey 1"):
        photographs = image_folder(root="photos", size=32)
    table = csv(path="table.csv", columns=["price", "tide"], window=8)
    for text, data in zip(shown, (photographs, table), strict=True):
        assert without_checksum(text) == without_checksum("\n".join([*DataRecord.of(data).lines(), ""]))
    capsys.readouterr()
    for text in code[1:]:
        exec(compile(text, PAGE.name, "exec"), names)
    said = re.findall(r"^print\(.*\)  # (.*)$", "".join(code), re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == said
    assert [one.heldout for one in DataRecord.of(image_folder(root="photos", size=32, heldout=4)).classes] == [2, 2]


def without_checksum(text: str) -> str:
    """Return the text without checksums, which another version of Pillow may change."""
    return re.sub(r"checksum \w+", "checksum", text)
