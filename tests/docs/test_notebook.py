"""The notebook: rendered for readers, small, and executed as a hosted notebook would."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PATH = Path(__file__).parents[2] / "notebooks" / "ring.ipynb"


def test_the_notebook_is_rendered_and_small():
    notebook = nbformat.read(PATH, as_version=4)
    assert PATH.stat().st_size < 200_000
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert "%pip install" in code[0].source
    outputs = [output for cell in code for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    assert not any(output.output_type == "error" for output in outputs)
    assert not re.search(r"outputs/\d|/tmp/|/home/|/root/", str(outputs)), "paths of the machine that rendered it"


@pytest.mark.long
@pytest.mark.filterwarnings("default")  # of the client and its kernel
def test_the_notebook_runs(tmp_path, monkeypatch):
    notebook = nbformat.read(PATH, as_version=4)
    [training] = [cell for cell in notebook.cells if "train.steps=" in cell.source and cell.cell_type == "code"]
    training.source = re.sub(r"train\.steps=\d+", "train.steps=20", training.source)
    monkeypatch.setenv("PYTHONPATH", str(PATH.parents[1]))
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    [run] = (tmp_path / "outputs").iterdir()
    assert (run / "eval.csv").is_file()
    printed = "".join(output.text for cell in notebook.cells for output in cell.get("outputs", []) if "text" in output)
    assert re.search(r"w1: \d\.\d{3} before training, \d\.\d{3} after", printed)
