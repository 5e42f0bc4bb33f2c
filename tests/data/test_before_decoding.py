"""A config that does not fit is refused before images are decoded, and a check in advance changes nothing in a run."""

import pytest
import torch
from support import configs, layouts

from gan_cli.build import build
from gan_cli.data.images import cache
from gan_cli.errors import UserError
from gan_cli.randomness import seed_all
from gan_cli.runs.checkpoint import fingerprint
from gan_cli.training.run import Run

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
WRITERS = {
    "image_folder": layouts.write_image_folder,
    "lsun": layouts.write_lsun,
    "cifar10": layouts.write_cifar10,
    "colourisation_folder": layouts.write_degraded_folder,
    "side_by_side": layouts.write_side_by_side,
    "unpaired_folder": layouts.write_unpaired_folder,
}
GAMES = {"colourisation_folder": "pix2pix", "side_by_side": "pix2pix", "unpaired_folder": "cyclegan"}


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Return a function that composes a small config of images on the disk that have not been decoded yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    layouts.trust_checksums(monkeypatch)

    def compose(dataset, overrides):
        WRITERS[dataset](tmp_path / dataset)
        return configs.config(
            f"game={GAMES.get(dataset, 'gan')} dataset={dataset} dataset.root={tmp_path / dataset} {overrides}"
        )

    return compose


@pytest.mark.parametrize(
    "dataset",
    [name if name == "image_folder" else pytest.param(name, marks=pytest.mark.long) for name in WRITERS],
)
def test_sizes_that_the_networks_cannot_have(config, dataset, monkeypatch):
    cfg = config(dataset, "" if dataset in GAMES else "model=dcgan_small")
    cfg.dataset.size = 48
    monkeypatch.setattr(cache, "_decode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(UserError, match="power of two"):
        build(cfg, CPU)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("frozen=[nobody]", r"frozen=\[nobody\]: this game has no such player"),
        ("+optimizer.nobody.lr=1", "optimizer.nobody: this game has no such player"),
        ("regularizer=gradient_penalty regularizer.gradient_penalty.players=[nobody]", "this game has no such player"),
        ("schedule.n_critic=2 solver=simultaneous", "plays every turn once a round"),
    ],
)
def test_other_keys_that_do_not_fit(config, overrides, message, monkeypatch):
    cfg = config("image_folder", f"model=dcgan_small {overrides}")
    monkeypatch.setattr(cache, "_decode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(UserError, match=message):
        build(cfg, CPU)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"init_from": "nowhere"}, "no run in nowhere"),
        ({"init_players": ["generator"]}, "init_players needs init_from"),
        ({"keep_best": 1}, "keep_best=1: this run has no metric that ranks checkpoints"),
        ({"device": "cuda:77"}, "device=cuda:77 is not available"),
        ({"precision": "bf16", "solver": {"_target_": "nowhere.Solver"}}, "there is no module nowhere"),
    ],
)
def test_runs_that_cannot_begin(config, words, message, monkeypatch, tmp_path):
    cfg = config("image_folder", "model=dcgan_small metric=none")
    cfg.merge_with(words)
    monkeypatch.setattr(cache, "_decode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(UserError, match=message):
        Run(cfg, tmp_path / "run")


def test_a_run_that_decodes_equals_one_that_finds_its_images_decoded(config):
    cfg = config("image_folder", "model=dcgan_small")
    outcomes = []
    for _ in range(2):
        seed_all(3)
        parts = build(cfg, CPU)
        outcomes.append((type(parts.data.train.dataset), fingerprint(parts.game), torch.get_rng_state().tolist()))
    assert outcomes[0] == outcomes[1]
