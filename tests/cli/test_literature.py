"""Names by which the literature knows options and keys lead to those of the command line."""

import re

import pytest

from gan_cli.config import literature, suggestions
from gan_cli.config.compose import compose, flatten, loader
from gan_cli.config.scalars import components, scalars
from gan_cli.config.schema import TrainConfig

GROUPS = suggestions.groups()
NAMES = [(group, name, target) for group, names in literature.OPTIONS.items() for name, target in names.items()]
KEYS = [*scalars(TrainConfig), *components(TrainConfig), "hydra.run.dir"]


@pytest.fixture(scope="module")
def composed():
    """Return ``composed(*words)`` -> all keys of a training config, composed once for equal words."""
    made = {}

    def keys(*words):
        if words not in made:
            made[words] = flatten(compose(loader(), "train", list(words)))
        return made[words]

    return keys


def test_every_name_is_plain_and_no_option_has_it():
    for group, name, target in NAMES:
        assert name == literature.plain(name), name
        assert name not in {literature.plain(option) for option in GROUPS[group]}, f"{group}={name} is an option"
        assert target != name
    for name in literature.KEYS:
        assert name == literature.plain(name)
        assert name not in {literature.plain(key) for key in scalars(TrainConfig)}


@pytest.mark.parametrize("target", sorted({(group, target) for group, _, target in NAMES}), ids="=".join)
def test_every_option_that_is_proposed_exists(target, composed):
    group, words = target
    if "=" not in words:
        assert words in GROUPS[group]
        return
    for word in re.split(r" or | ", words):
        key, _, option = word.partition("=")
        assert option in GROUPS.get(key, [option])
        if key not in GROUPS:
            assert key in composed(words.split()[0])


def test_every_key_that_is_proposed_exists(composed):
    known = {*composed(), *composed("dataset=image_folder"), *composed("loss=wgan"), *composed("loss=wgan_gp")}
    assert not set(literature.KEYS.values()) - known


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("metric=fid", "no metric named 'fid'. Did you mean metric=frechet features=inception?"),
        ("metric=FID", "no metric named 'FID'. Did you mean metric=frechet features=inception?"),
        ("loss=lsgan", "no loss named 'lsgan'. Did you mean least_squares?"),
        ("loss=vanilla", "no loss named 'vanilla'. Did you mean non_saturating?"),
        ("loss=bce", "no loss named 'bce'. Did you mean non_saturating?"),
        ("loss=ns", "no loss named 'ns'. Did you mean non_saturating?"),
        ("loss=WGAN_GP", "no loss named 'WGAN_GP'. Did you mean wgan_gp?"),
        ("loss=wgan-gp", "no loss named 'wgan-gp'. Did you mean wgan_gp?"),
        ("loss=wgangp", "no loss named 'wgangp'. Did you mean wgan_gp?"),
        ("loss=ddpm", "no loss named 'ddpm'. Did you mean game=ddpm or experiment=ddpm?"),
        ("regularizer=gp", "no regularizer named 'gp'. Did you mean gradient_penalty?"),
        ("game=dcgan", "no game named 'dcgan'. Did you mean model=dcgan?"),
        ("model=resnet", "no model named 'resnet'. Did you mean resnet_wgan_gp?"),
        ("optimizer=Adam", "no optimizer named 'Adam'. Did you mean adam?"),
        ("optimizer=momentum", "no optimizer named 'momentum'. Did you mean optimizer=sgd optimizer.momentum=0.9?"),
        ("experiment=wgan_gp", "no experiment named 'wgan_gp'. Did you mean experiment=wgan_gp_small or loss=wgan_gp?"),
        ("experiment=dcgan", "no experiment named 'dcgan'. Did you mean model=dcgan or experiment=cgan?"),
        ("learning_rate=1e-4", "no learning_rate named '1e-4'. Did you mean optimizer.lr=1e-4?"),
        ("dataset=none", "no dataset named 'none'.\n"),
        ("epochs=3", "no key 'epochs'. Did you mean train.epochs?"),
        ("z_dim=3", "no key 'z_dim'. Did you mean model.generator.latent_dim?"),
        ("outdir=runs", "no key 'outdir'. Did you mean hydra.run.dir?"),
    ],
)
def test_the_first_hint(word, said):
    with pytest.raises(suggestions.UserError) as error:
        suggestions.check([word], GROUPS, KEYS)
    assert str(error.value).startswith(said)


def test_a_key_is_proposed_within_its_node_and_its_command():
    assert literature.key("train.n_epochs") == "train.epochs"
    assert literature.key("dataset.image_size") == "dataset.size"
    assert literature.key("optimizer.clip") is None
    with pytest.raises(suggestions.UserError, match=r"^no key 'epochs'\. See --help"):
        raise suggestions.unknown_key("epochs", ["seed", "n_samples"])
