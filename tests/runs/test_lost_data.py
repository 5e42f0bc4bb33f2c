"""Data that vanish or are cut off during training: one message with the file, and a run that resumes once they are back."""

import os

import pytest
from support import configs, layouts
from support.runs import differences, outcome, train

from gan_cli.errors import UserError
from gan_cli.runs import checkpoint

pytestmark = pytest.mark.slow

LOSSES = {"deleted": os.unlink, "cut off": lambda path: os.truncate(path, path.stat().st_size // 2)}


@pytest.mark.parametrize("loss", [pytest.param("deleted", marks=pytest.mark.long), "cut off"])
def test_an_image_is_lost_while_it_is_read_on_the_fly(tmp_path, monkeypatch, loss):
    layouts.write_image_folder(tmp_path / "images", 16)
    settings = f"dataset=image_folder dataset.root={tmp_path / 'images'} dataset.cache=false model=dcgan_small metric=none"
    cfg = configs.config(f"{settings} train.steps=8 checkpoint_every=2 sample_every=0 log_every=2")
    train(cfg, tmp_path / "whole")

    lost = sorted((tmp_path / "images").rglob("*.*"))[5]
    content, save = lost.read_bytes(), checkpoint.save

    def save_and_lose(folder, step, *args):
        if step == 2:
            LOSSES[loss](lost)
        return save(folder, step, *args)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save", save_and_lose)
        with pytest.raises(UserError) as error:
            train(cfg, tmp_path / "parts")
    problem, advice = str(error.value).splitlines()
    assert problem.startswith(f"Cannot decode {lost}: ")
    saved = checkpoint.steps_in(tmp_path / "parts")[-1]
    assert advice.startswith(f"Restore it, and continue from step {saved} with: gan-train resume=")

    lost.write_bytes(content)
    train(cfg, tmp_path / "parts", resume=True)
    assert not differences(outcome(tmp_path / "parts"), outcome(tmp_path / "whole"))
