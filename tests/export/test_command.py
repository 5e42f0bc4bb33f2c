"""gan-export on runs: files that other programs load, a model card whose code runs, and players that a new run begins with."""

import os
import re
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from support import configs
from support.runs import state, train

import gan_cli
from gan_cli import checks
from gan_cli.cli.quoting import quote
from gan_cli.errors import UserError
from gan_cli.export import card, formats, stored
from gan_cli.export.command import export_command
from gan_cli.games.sampling import eval_mode

pytestmark = pytest.mark.slow

STEPS = "train.steps=1 eval_every=0 checkpoint_every=0 sample_every=0 ema=0.5"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "labelled"
    train(configs.config("game=cgan features=identity regularizer=spectral_norm metric=frechet"), folder, f"{STEPS} seed=3")
    return folder


def export(folder, **values):
    """Run gan-export and return the folder that it has written."""
    overrides = [f"run={quote(str(folder))}", *(f"{key}={value}" for key, value in values.items())]
    return export_command(configs.compose_command("export", overrides))


@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated:FutureWarning")
@pytest.mark.parametrize(
    "form", ["safetensors", *(pytest.param(form, marks=pytest.mark.long) for form in ("torchscript", "onnx"))]
)
def test_files_and_the_code_of_the_card(run, form, monkeypatch, capsys):
    out = export(run, format=form, players="[generator,discriminator]")
    suffix = formats.FORMATS[form].suffix
    assert out == run / "export" / f"{form}_step_00000001"
    assert sorted(os.listdir(out)) == ["README.md", f"discriminator{suffix}", f"generator{suffix}"]
    assert os.listdir(run / "export").count(".export") == 0
    assert f"generator{suffix}: step 1, outputs " in " ".join(capsys.readouterr().out.split())
    card = (out / "README.md").read_text()
    for words in (
        "Latents z: N(0, I).",
        "8 Bag",
        "seed 3",
        "| generator.",
        "fd 34.",
        "8 samples against 8",
        "checksum",
        "spectral_norm",
    ):
        assert words in card, words
    monkeypatch.chdir(out)
    shapes = []
    for code in re.findall(r"```python\n(.*?)```", card, re.DOTALL):
        names: dict = {}
        exec(code, names)
        shapes.append((*names["output"].shape,))
    assert shapes == [(16, 1, 8, 8), (16,)]


@pytest.mark.parametrize(
    ("law", "code"),
    [
        ("N(0, I)", "torch.randn(16, 5)"),
        ("U(-1, 1) in every coordinate", "2 * torch.rand(16, 5) - 1"),
        ("U[0, 1]", "torch.rand(16, 5)"),
        ("a code", "torch.randn(16, 5)  # in place of: a code"),
    ],
)
def test_the_code_draws_latents_of_their_law(law, code):
    assert card._drawn(SimpleNamespace(game=SimpleNamespace(law=law)), "z", torch.zeros(3, 5)) == code


def test_weights_without_gan_cli(run):
    out = export(run)
    tensors = load_file(out / "generator.safetensors")
    saved = {name: tensor for name, tensor in state(run)["ema"].items() if name.startswith("generator.")}
    assert {f"generator.{name}" for name in tensors} == saved.keys()
    assert all(torch.equal(tensor, saved[f"generator.{name}"]) for name, tensor in tensors.items())
    trained = load_file(export(run, ema=False) / "generator.safetensors")
    assert all(torch.equal(tensor, state(run)["game"][f"generator.{name}"]) for name, tensor in trained.items())
    network = gan_cli.load_exported(out / "generator.safetensors")
    loaded = gan_cli.load(run)
    z, y = loaded.latents(4, 1), torch.tensor([1, 2, 3, 4])
    with eval_mode(loaded.game):
        assert torch.equal(network(z, y), loaded.game.sample(z, y))


@pytest.mark.parametrize("place", ["generator.safetensors", ""])
def test_a_run_begins_with_what_was_exported(run, tmp_path, place):
    out = export(run, out=tmp_path / "x", players="[generator]" if place else "[generator,discriminator]")
    cfg = configs.config("game=cgan features=identity regularizer=spectral_norm metric=none")
    train(cfg, tmp_path / "new", f"train.steps=0 init_from={out / place} seed=9 ema=null")
    begun, source = state(tmp_path / "new")["game"], state(run)["ema"]
    for name in begun:
        if name.startswith("generator.") or (not place and name.startswith("discriminator.")):
            assert torch.equal(begun[name], source[name]), name
    assert any(not torch.equal(begun[name], source[name]) for name in begun) == bool(place)
    with pytest.raises(UserError, match="both games must have a player 'discriminator'"):
        train(
            cfg,
            tmp_path / "other",
            f"train.steps=0 init_from={export(run) / 'generator.safetensors'} init_players=[discriminator]",
        )


def test_an_average_is_wanted_and_exported_or_refused(run, tmp_path):
    cfg = configs.config("game=cgan features=identity regularizer=spectral_norm metric=none")
    values = "train.steps=0 seed=9 ema=null init_average=true"
    out = export(run, out=tmp_path / "x")
    train(cfg, tmp_path / "new", f"{values} init_from={out}")
    begun, source = state(tmp_path / "new")["game"], state(run)["ema"]
    assert all(torch.equal(begun[name], source[name]) for name in source if name.startswith("generator."))
    export(run, out=out, players="[discriminator]", ema=False)
    refused = r"^init_average: .*/x/discriminator\.safetensors holds the trained discriminator, not its average\.\nLeave "
    for place in (out, out / "discriminator.safetensors"):
        with pytest.raises(UserError, match=refused):
            train(cfg, tmp_path / "other", f"{values} init_from={place}")
    train(cfg, tmp_path / "named", f"{values} init_from={out} init_players=[generator]")


@pytest.mark.parametrize(("form", "package"), [("onnx", "onnx"), ("onnx", "onnxruntime"), ("safetensors", "safetensors")])
def test_a_missing_package_is_named_with_its_extra(run, monkeypatch, tmp_path, form, package):
    installed = checks.distribution

    def distribution(name):
        if name == package:
            raise checks.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(checks, "distribution", distribution)
    with pytest.raises(UserError, match=rf"format={form} needs the package {package}.*\n?.*gan-cli\[export\]"):
        export(run, format=form, out=tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_nothing_is_left_where_outputs_differ(run, monkeypatch, tmp_path):
    wrong = formats.FORMATS["torchscript"]._replace(run=lambda path, network: network(*network.inputs.values()) + 1)
    monkeypatch.setitem(formats.FORMATS, "torchscript", wrong)
    with pytest.raises(UserError, match=r"the outputs of the exported generator differ by 1\. Nothing is written"):
        export(run, format="torchscript", out=tmp_path / "x")
    broken = wrong._replace(write=lambda network, path: 1 / 0)
    monkeypatch.setitem(formats.FORMATS, "torchscript", broken)
    with pytest.raises(UserError, match=r"generator cannot be exported: division by zero\nformat=safetensors takes every"):
        export(run, format="torchscript", out=tmp_path / "x")
    assert os.listdir(tmp_path) == []


class TestForeignFiles:
    def changed(self, run, tmp_path, **metadata):
        found, tensors = stored.read(export(run) / "generator.safetensors")
        import json

        plain = {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}
        save_file(tensors, tmp_path / "x.safetensors", {**plain, **metadata})
        return tmp_path / "x.safetensors"

    def test_code_that_is_not_ours_is_refused(self, run, tmp_path):
        path = self.changed(run, tmp_path, config='{"game": {"_target_": "os.system"}, "model": {}, "regularizer": {}}')
        with pytest.raises(UserError, match=r"os\.system"):
            gan_cli.load_exported(path)

    def test_what_gan_export_has_not_written(self, run, tmp_path):
        for metadata in ({"gan_cli_format": "0"}, {"data": "[]"}, {"config": "{"}):
            with pytest.raises(UserError, match="was not written by gan-export"):
                gan_cli.load_exported(self.changed(run, tmp_path, **metadata))
        (tmp_path / "y.safetensors").write_bytes(b"12345678 nonsense")
        with pytest.raises(UserError, match="cannot be read"):
            gan_cli.load_exported(tmp_path / "y.safetensors")
        with pytest.raises(UserError, match="there is no file"):
            gan_cli.load_exported(tmp_path / "z.safetensors")
