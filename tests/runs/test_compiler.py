"""torch's compiler is imported when it is used, and not at the start of every run."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys

import torch

from gan_cli.cli.main import gan_train

assert gan_train() == 0
assert "torch._dynamo.convert_frame" not in sys.modules
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2)).tolist() == [2, 2]
assert "torch._dynamo.convert_frame" in sys.modules
assert torch._dynamo is sys.modules["torch._dynamo"]
parameter = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.Adam([parameter])
parameter.sum().backward()
optimizer.step()
optimizer.zero_grad()
"""


@pytest.mark.slow
def test_a_run_does_not_import_the_compiler_and_it_can_still_be_used(tmp_path):
    words = ["dataset=ring", "dataset.n=100", "model=mlp_small", "metric=none", "sample_every=0", "device=cpu", "train.steps=2"]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
