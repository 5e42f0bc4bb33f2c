"""Every game with every kind of model: it plays what its name promises, or the pair is refused in a line."""

from functools import cache

import pytest
import torch
from omegaconf import OmegaConf, open_dict
from support import configs

from gan_cli.build import build_data, build_game, game_class, refuse_unused
from gan_cli.errors import UserError
from gan_cli.games.acgan import ACGAN
from gan_cli.games.infogan import InfoGAN
from gan_cli.types import Batch

pytestmark = pytest.mark.slow

LABELS, SOURCES, CODES = "labels", "sources", "codes"
PROMISES = {
    **dict.fromkeys(("cgan", "cgan_embedding", "cgan_projection", "acgan", "ddpm_guided"), LABELS),
    **dict.fromkeys(("pix2pix", "cyclegan"), SOURCES),
    **dict.fromkeys(("infogan", "infogan_joint"), CODES),
}
"""Conditions beside noise on which the samples of a game depend, by the promise of its name."""
QUICK = ("gan", "cgan", "acgan", "ddpm_guided", "pix2pix", "cyclegan", "infogan")
"""A game of each class and promise."""
OWN_DATA = ("dataset: nothing", "dataset: sines", "dataset: edges2clothes", "dataset: shirts2inverted")


@cache
def kinds_of_models() -> list[str]:
    """Return one option of ``model`` for each combination of networks, wrapped ones included."""
    first: dict[tuple[str, ...], str] = {}
    for option in configs.options("model"):
        plain = OmegaConf.to_yaml(configs.config(f"model={option}").model, resolve=True)
        targets = tuple(line.partition("_target_: ")[2] for line in plain.splitlines() if "_target_" in line)
        embedded = "embedding_dim: 50" in plain
        first.setdefault((*targets, str(embedded)), option)
    return list(first.values())


def data_sets(game: str) -> list[str]:
    """Return data sets with labels, or the game's own."""
    text = configs.option_text("game", game)
    if any(own in text for own in OWN_DATA[:1]):
        return [""]
    return ["dataset=waves"] if OWN_DATA[1] in text else [""] if PROMISES.get(game) == SOURCES else ["", "dataset=ring"]


def with_model(game: str, data: str, option: str):
    """Return the config of a game with another model, as the command line composes it."""
    cfg = configs.config(f"game={game} {data}")
    model = configs.config(f"model={option}").model
    own = OmegaConf.create(configs.option_text("game", game)).get("model") or {}
    with open_dict(cfg):
        brought = {player: node for player, node in cfg.model.items() if player == "denoiser"}
        cfg.model = {**model, **brought}
        for player, node in own.items():
            if player in cfg.model:
                cfg.model[player] = OmegaConf.merge(cfg.model[player], node)
        if PROMISES.get(game) == CODES and "generator" in model:
            cfg.model.generator.latent_dim = 14
    return cfg


def changes(function, *alternatives) -> bool:
    """Return True if a function of a condition has other values for another condition, with the same random numbers."""
    values = []
    for alternative in alternatives:
        torch.manual_seed(0)
        values.append(function(alternative))
    return not torch.equal(*values)


def check(game, batch: Batch, promise: str | None, data) -> None:
    """Check that samples and judgements depend on what the name of the game promises, and that ``conditional`` is true."""
    game.eval()
    with torch.no_grad():
        for parameter in game.parameters():  # last layers that begin at 0 depend on nothing
            parameter += 0.1 * torch.randn_like(parameter)
    for turn in game.turns().values():
        turn.loss(batch)
    z = game.latents(len(batch.x))
    conditions = [torch.zeros(len(z), dtype=torch.long), torch.ones(len(z), dtype=torch.long)]
    if data.source is not None:
        conditions = [batch.y, batch.y.flip(0)]
    sample = changes(lambda y: game.sample(z, y), *conditions)
    assert sample == (game.conditional or promise == SOURCES)
    if promise == LABELS:
        assert game.conditional
    if promise == CODES:
        with_codes = torch.cat([z[:, : game.z_dim], z[:, game.z_dim :].flip(0)], 1)
        assert changes(game.sample, z, with_codes)
        assert isinstance(game, InfoGAN)
    if isinstance(game, ACGAN):
        assert game.class_logits(batch.x)[1].shape[1] == data.classes
    elif game.conditional and game.critic(conditions[0]) is not None:
        assert changes(lambda y: game.critic(y)(batch.x), *conditions)


@pytest.mark.parametrize(
    "game",
    [pytest.param(name, marks=[] if name in QUICK else pytest.mark.long) for name in configs.options("game")],
)
def test_a_game_plays_what_its_name_promises_or_refuses_the_model(game, monkeypatch):
    monkeypatch.setattr("gan_cli.build.SIMPLE_MODELS", ())  # composed and built for messages alone
    promise, built = PROMISES.get(game), 0
    for data_set in data_sets(game):
        data = build_data(configs.config(f"game={game} {data_set}"))
        for option in (None, *kinds_of_models()):
            cfg = configs.config(f"game={game} {data_set}") if option is None else with_model(game, data_set, option)
            try:
                refuse_unused(cfg, {"model"} if option else ())
                game_class(cfg).check(data)
                played = build_game(cfg, data.shape, data.classes, data.source)
            except UserError:
                continue
            built += 1
            if len(data.train):
                check(played, data.train.batch(torch.arange(4)), promise, data)
    assert built, "no model fits"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "game=cgan model=mlp dataset=ring",
            r"not so MLPGenerator and MLPDiscriminator\.\n.*Models that fit: model=cgan_mlp\.$",
        ),
        ("game=cgan model=cgan_auxiliary", r"not so DCGANDiscriminator\."),
        ("game=cgan model=mlp dataset=gaussians_1d", r"looks? at labels|no classes"),
        ("game=cgan_projection model=cgan", r"LabelledDiscriminator is not\.\nTake model=cgan_projection"),
        ("game=cgan_embedding model=cgan", r"no embedding of the label\.\nTake model=cgan_embedding"),
        ("game=gan model=cgan_auxiliary", r"the generator looks at labels and the discriminator does not"),
        ("game=gan model=cgan model/generator=dcgan_small", r"the discriminator looks at labels and the generator does not"),
        ("game=gmmn model=cgan", r"without their labels, and LabelledGenerator looks at them"),
        ("game=sliced model=cgan", r"without their labels, and LabelledGenerator looks at them"),
        ("game=infogan model=cgan", r"finds its codes without labels"),
        ("game=infogan dataset=waves model=recurrent model.generator.latent_dim=16", r"new noise at every step"),
        ("game=rcgan model=recurrent", r"a logit at every step"),
        ("game=pix2pix model=unet_translator_small model/discriminator=dcgan_small", r"DCGANDiscriminator looks at no sources"),
        ("game=cyclegan model/generator=dcgan_small", r"DCGANGenerator looks at no sources"),
    ],
)
def test_a_pair_that_would_play_another_game_is_refused(words, said, monkeypatch):
    if "Models that fit" not in said:
        monkeypatch.setattr("gan_cli.build.SIMPLE_MODELS", ())
    cfg = configs.config(words)
    data = build_data(cfg)
    with pytest.raises(UserError, match=said):
        build_game(cfg, data.shape, data.classes, data.source)


@pytest.mark.parametrize("words", ["game=ddpm model=dcgan", "game=bilinear model=mlp", "game=bilinear loss=hinge"])
def test_what_a_game_does_not_use_is_refused(words):
    key = words.split()[1].partition("=")[0]
    with pytest.raises(UserError, match=rf"^{key} is named, .* does not use it\.\n.* takes: (none of these|model/denoiser)\.$"):
        refuse_unused(configs.config(words), {key})


def test_networks_can_be_wrapped_as_the_message_says():
    inner = "model/generator@model.generator.inner=mlp model/discriminator@model.discriminator.inner=mlp"
    cfg = configs.config(f"game=cgan dataset=ring model=cgan {inner}")
    data = build_data(cfg)
    check(build_game(cfg, data.shape, data.classes), data.train.batch(torch.arange(4)), LABELS, data)
