"""Runs in every precision and memory format: what they store, how they resume, and that their samples stay the same."""

import pytest
import torch
from omegaconf import OmegaConf
from support import configs
from support.runs import outcome, state, train

import gan_cli
from gan_cli import automatic
from gan_cli.config.identity import config_hash
from gan_cli.errors import UserError
from gan_cli.runs import environment
from gan_cli.training.callbacks import tensors_in
from gan_cli.training.run import Run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def images():
    return configs.config(
        "features=identity", "train.steps=2 checkpoint_every=1 sample_every=0 eval_every=0 ema=0.9 memory_format=channels_last"
    )


@pytest.fixture(scope="module")
def trained(images, tmp_path_factory):
    """The folder of a run with images in channels last."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(images, folder)
    return folder


def strides(run):
    """The strides of all players, averages and moments."""
    states = [state for optimizer in run.solver.optimizers.values() for state in optimizer.state.values()]
    moments = [value for one in states for value in one.values()]
    tensors = [*run.game.state_dict().values(), *run.ema.game.state_dict().values(), *moments]
    return [tensor.stride() for tensor in tensors if tensor.ndim == 4]


def test_players_batches_and_moments_have_channels_last(images, tmp_path):
    run = Run(images, tmp_path / "run")
    batch = next(run.batches)
    assert batch.x.is_contiguous(memory_format=torch.channels_last)
    assert run.heldout_batch(1).x.is_contiguous(memory_format=torch.channels_last)
    run.solver.round(["discriminator", "generator"], run.batches)
    found = [tensor for _, tensor in tensors_in(run.state()) if tensor.ndim == 4]
    assert len(found) > 10
    assert all(tensor.is_contiguous(memory_format=torch.channels_last) for tensor in found)
    run.batches.close()


def test_a_restored_run_has_the_same_strides(images, trained):
    fresh, restored = Run(images, trained), Run(images, trained)
    restored.restore(state(trained))
    for run in (fresh, restored):
        run.solver.round(["discriminator", "generator"], run.batches)
        run.batches.close()
    assert strides(fresh) == strides(restored)


def test_the_memory_format_is_no_part_of_a_checkpoint(images, trained, tmp_path):
    """A checkpoint of a run with channels last, restored in contiguous memory, goes on with the same numbers up to rounding."""
    other = images.copy()
    other.memory_format = "contiguous"
    rounds = []
    for cfg in (images, other):
        run = Run(cfg, trained)
        run.restore(state(trained, 1))
        assert {*strides(run)} != {*strides(Run(images, tmp_path / "none"))} or cfg is images
        rounds.append(run.solver.round(["discriminator", "generator"], run.batches))
        run.batches.close()
    assert all(tensor.is_contiguous() for _, tensor in tensors_in(run.state()) if tensor.ndim == 4)
    for name, value in rounds[0].items():
        assert rounds[1][name].item() == pytest.approx(value.item(), rel=1e-3, abs=1e-4), name


@pytest.mark.parametrize("precision", ["bf16", *(pytest.param(name, marks=pytest.mark.long) for name in ("fp32", "fp16"))])
def test_samples_of_a_loaded_run_are_those_of_training(images, tmp_path, precision):
    cfg = images.copy()
    cfg.precision = precision
    run = Run(cfg, tmp_path / "run")
    train(cfg, tmp_path / "run")
    run.restore(state(tmp_path / "run"))
    loaded = gan_cli.load(tmp_path / "run")
    z = loaded.game.latents(5)
    with torch.no_grad():
        assert torch.equal(loaded.game.sample(z), run.ema.game.sample(z))
    run.batches.close()


def test_auto_is_stored_as_what_it_stands_for(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(automatic, "computes_in", lambda device, dtype: True)
    cfg = configs.config("features=identity", "train.steps=1 sample_every=0 precision=auto memory_format=auto")
    train(cfg, tmp_path / "run")
    assert "precision=bf16, memory_format=channels_last: chosen for cpu and these networks" in " ".join(
        capsys.readouterr().out.split()
    )
    stored = OmegaConf.load(tmp_path / "run" / "config.yaml")
    assert (stored.precision, stored.memory_format) == ("bf16", "channels_last")
    assert outcome(tmp_path / "run")["result"]["config"] == config_hash(stored)
    [entry] = environment.read(tmp_path / "run")
    assert "bf16, channels-last" in environment.hardware(entry.facts)

    monkeypatch.setattr(automatic, "computes_in", lambda device, dtype: False)  # another machine
    cfg.precision, cfg.memory_format = stored.precision, stored.memory_format
    train(cfg, tmp_path / "run", "train.steps=2", resume=True)
    said = " ".join(capsys.readouterr().out.split())
    assert "warning: precision=bf16: cpu has no instructions for it here and emulates it" in said
    assert state(tmp_path / "run")["config"]["precision"] == "bf16"


def test_a_run_in_tf32_is_refused_on_a_cpu(tmp_path):
    with pytest.raises(UserError, match=r"^precision=tf32 is a mode of NVIDIA GPUs") as error:
        train(configs.config("dataset=ring", "precision=tf32"), tmp_path / "run")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run" / "config.yaml").exists()
