"""The Python code of the pages about the library runs as it stands there, block after block."""

import pytest
from support.markdown import DOCS, blocks


@pytest.mark.slow
@pytest.mark.parametrize("name", ["library.md", "evaluation.md"])
def test_the_code_of_a_page_runs(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks(DOCS / name):
        if block.language == "python" and not block.title:
            exec(compile(block.text, name, "exec"), names)
    if name == "library.md":
        assert names["run"].result["status"] == "finished"
        assert names["samples"].shape == (16, 2)
        assert len(names["frame"])
