"""Every network that makes samples can be exported, in every format, and gives the same outputs."""

from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf
from support import configs

from gan_cli.build import build_data, build_game
from gan_cli.config.identity import to_plain
from gan_cli.errors import UserError
from gan_cli.export import stored
from gan_cli.export.formats import FORMATS, difference
from gan_cli.export.networks import networks
from gan_cli.randomness import seed_all

pytestmark = pytest.mark.slow

OPTIONS = [*configs.all_options("model/generator", "model/denoiser"), ("game", "timegan")]
"""Options under which each network that makes samples is used."""
SHORT = [("model/generator", "dcgan")]
"""Networks that `make test` exports to TorchScript and ONNX; `make test-long` exports the others."""
ALL = [pytest.param(*one, marks=[] if one in SHORT else pytest.mark.long) for one in OPTIONS]


def sampled(overrides):
    """Return what gan-export asks of a loaded run, with untrained players."""
    cfg = configs.config(overrides)
    seed_all(0)
    data = build_data(cfg)
    game = build_game(cfg, data.shape, data.classes, data.source).eval().requires_grad_(False)
    described = {"shape": [*data.shape], "classes": data.classes, "source": None if data.source is None else [*data.source]}
    config = OmegaConf.create(to_plain(cfg))
    return SimpleNamespace(
        game=game, config=config, classes=data.classes, source=data.source, shape=data.shape, step=0, trained_on=described
    )


def exported(overrides, form, folder):
    """Export what makes the samples and return how far its outputs are from the game's."""
    run = sampled(overrides)
    found = networks(run, None, separate=form == "safetensors")
    for network in found:
        path = folder / f"{network.name}{FORMATS[form].suffix}"
        if form == "safetensors":
            stored.save(path, run, network.name, True)
        else:
            FORMATS[form].write(network, path)
        yield network, difference(form, path, network)


@pytest.mark.parametrize(
    ("group", "option"),
    [pytest.param(*one, marks=[] if one[1] in configs.distinct_options(one[0]) else pytest.mark.long) for one in OPTIONS],
)
def test_weights(group, option, tmp_path):
    found = [*exported(configs.overrides_for(group, option), "safetensors", tmp_path)]
    assert found
    assert [apart for _, apart in found] == [0.0] * len(found)


@pytest.mark.parametrize(("group", "option"), ALL)
def test_programs(group, option, tmp_path):
    assert [*exported(configs.overrides_for(group, option), "torchscript", tmp_path)]


@pytest.mark.parametrize(("group", "option"), ALL)
def test_graphs(group, option, tmp_path):
    overrides = configs.overrides_for(group, option)
    run = sampled(overrides)
    if any(network.draws for network in networks(run, None, separate=False)):
        with pytest.raises(UserError, match=r"draws random numbers of its own .*\nChoose format="):
            [*exported(overrides, "onnx", tmp_path)]
    else:
        assert [*exported(overrides, "onnx", tmp_path)]


def test_the_network_of_the_samples_is_the_one_that_is_chosen():
    [network] = networks(sampled("model/generator=dcgan"), None, separate=False)
    assert (network.name, [*network.inputs], network.makes_samples, network.draws) == ("generator", ["z"], True, False)
    assert network(torch.zeros(5, *network.inputs["z"].shape[1:])).shape[0] == 5
    [sampler] = networks(sampled("game=timegan"), None, separate=False)
    assert (sampler.name, [*sampler.inputs]) == ("sampler", ["z"])
    assert [one.name for one in networks(sampled("game=timegan"), None, separate=True)] == [
        "latent_generator",
        "supervisor",
        "recovery",
    ]
    [denoiser] = networks(sampled("game=ddpm"), None, separate=False)
    assert (denoiser.name, [*denoiser.inputs][:2], denoiser.makes_samples) == ("denoiser", ["x", "t"], False)
    pix2pix = networks(sampled("game=pix2pix"), ["generator", "discriminator"], separate=False)
    assert [len(one.inputs) for one in pix2pix] == [1, 2], "the source, and the image with its source"


def test_games_without_a_network_are_refused():
    with pytest.raises(UserError, match="made by no network"):
        networks(sampled("game=dirac_gan"), None, separate=False)
    with pytest.raises(UserError, match=r"this game has no player .critic.\. It has generator, discriminator"):
        networks(sampled("model/generator=dcgan"), ["critic"], separate=False)
