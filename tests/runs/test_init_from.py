"""Runs that begin with another run's players, and players that never move."""

import pytest
import torch
from support import configs
from support.runs import differences, state, train

from gan_cli.build import build, build_game
from gan_cli.errors import UserError
from gan_cli.runs import checkpoint, logger
from gan_cli.training.initial import load_players, weights_of
from gan_cli.training.run import Run

pytestmark = pytest.mark.slow

STEPS = "train.steps=4 eval_every=0 checkpoint_every=2 sample_every=0 metric.n_samples=0"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "source"
    train(configs.config(), folder, STEPS)
    return folder


def players(saved: dict, player: str, which: str = "game") -> dict:
    return {key: value for key, value in saved[which].items() if key.startswith(f"{player}.")}


def test_a_run_begins_with_the_players_of_another(source, tmp_path):
    train(configs.config(), tmp_path, f"{STEPS} train.steps=0 seed=3 init_from='{source}'")
    for which in ("game", "ema"):
        assert differences(dict(state(tmp_path)[which]), dict(state(source)["game"])) == []


def test_one_player_of_a_checkpoint_and_a_fresh_other(source, tmp_path):
    early = checkpoint.path_of(source, 2)
    train(configs.config(), tmp_path, f"{STEPS} train.steps=0 seed=3 init_from='{early}' init_players=[generator]")
    saved, earlier = state(tmp_path), torch.load(early, weights_only=True)
    assert differences(players(saved, "generator"), players(earlier, "generator")) == []
    assert differences(players(saved, "discriminator"), players(earlier, "discriminator")) != []
    assert differences(players(saved, "generator"), players(state(source), "generator")) != [], "not its last one"


def test_frozen_players_never_move(source, tmp_path):
    train(configs.config(), tmp_path, f"{STEPS} init_from='{source}' frozen=[generator]")
    saved = state(tmp_path)
    assert differences(players(saved, "generator"), players(state(source), "generator")) == [], "no weight, no statistic"
    assert differences(players(saved, "discriminator"), players(state(source), "discriminator")) != []


@pytest.mark.parametrize(
    ("game", "frozen", "left"),
    [
        ("two_gaussians", ["critic"], {"discriminator": {"discriminator"}}),
        (
            "timegan",
            ["supervisor"],
            {
                "autoencoder": {"embedder", "recovery"},
                "generator": {"latent_generator"},
                "embedder": {"embedder", "recovery"},
                "discriminator": {"latent_discriminator"},
            },
        ),
        ("cyclegan", ["generator", "discriminator", "discriminator_back"], {"generator": {"generator_back"}}),
        ("infogan", ["q"], {"discriminator": {"discriminator"}, "generator": {"generator"}}),
    ],
)
def test_a_frozen_player_leaves_every_turn_and_its_network_is_in_eval_mode(game, frozen, left, tmp_path):
    run = Run(configs.config(f"game={game}", f"frozen=[{','.join(frozen)}]"), tmp_path)
    assert {name: set(turn.players) for name, turn in run.solver.turns.items()} == left
    assert {turn for step in (1, 2, 3) for turn in run.schedule(step)} <= set(left)
    assert {name for name, network in run.game.players().items() if not network.training} == set(frozen)


def test_every_player_can_be_initialized_from_another_run():
    for name in ("cyclegan", "dirac_gan", "acgan"):
        game = build(configs.config(f"game={name}"), torch.device("cpu")).game
        state = {key: torch.full_like(value, 0.25) for key, value in game.state_dict().items()}
        for player in game.players().values():
            player.load_state_dict(weights_of(game, player, state))
        assert all((parameter == 0.25).all() for parameter in game.parameters())


def test_with_everybody_frozen_nothing_moves(source, tmp_path):
    train(configs.config(), tmp_path, f"{STEPS} init_from='{source}' frozen=[generator,discriminator] log_every=1")
    assert differences(dict(state(tmp_path)["game"]), dict(state(source)["game"])) == []


def test_a_resumed_run_does_not_look_for_its_source_again(source, tmp_path):
    settings = f"{STEPS} init_from='{source}' frozen=[generator]"
    train(configs.config(), tmp_path / "whole", settings)
    gone = tmp_path / "gone"
    source.rename(gone)
    try:
        checkpoint.path_of(tmp_path / "whole", 4).unlink()
        (tmp_path / "whole" / "result.json").unlink()
        train(configs.config(), tmp_path / "whole", settings, resume=True)
    finally:
        gone.rename(source)
    train(configs.config(), tmp_path / "again", settings)
    assert differences(dict(state(tmp_path / "whole")["game"]), dict(state(tmp_path / "again")["game"])) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("init_from=/nowhere", "no run in /nowhere"),
        (
            "init_from='SOURCE' init_players=[critic]",
            "a player 'critic'. They have in common: discriminator, generator",
        ),
        (
            "init_from='SOURCE' model.generator.width=8",
            r"its generator does not fit this run: model\.generator\.width 16 there, 8 here\.\nMake them equal",
        ),
        ("init_from='SOURCE' dataset.size=16", r"its generator does not fit this run: samples of 8 px there, 16 px here\.\n"),
        ("init_players=[generator]", "init_players needs init_from"),
        ("init_average=true", "init_average needs init_from"),
        (
            "frozen=[generator.blocks.0]",
            r"frozen=\[generator\.blocks\.0\]: this game has no such layer. Its layers are: generator\.body\.0, ",
        ),
        ("frozen=[critic]", r"frozen=\[critic\]: this game has no such player. Its players are: generator, discriminator"),
    ],
)
def test_what_cannot_be_is_a_sentence(source, tmp_path, settings, said):
    with pytest.raises(UserError, match=said):
        train(configs.config(), tmp_path / "new", f"{STEPS} {settings.replace('SOURCE', str(source))}")


@pytest.mark.parametrize(
    ("choices", "values", "said"),
    [
        ("model=mlp", "", r"its generator does not fit this run: model\.generator DCGANGenerator there, MLPGenerator here"),
        ("dataset=ring", "", r"10 classes there, 8 here; samples of shape \[1, 8, 8\] there, \[2\] here"),
    ],
)
def test_runs_that_differ_are_told_apart_in_words(source, tmp_path, choices, values, said):
    with pytest.raises(UserError, match=said) as error:
        train(configs.config(choices), tmp_path / "new", f"{STEPS} init_from='{source}' {values}")
    assert len(str(error.value).splitlines()) == 2


def test_a_player_for_another_number_of_classes_takes_what_fits_and_says_what_it_left(tmp_path):
    cfg = configs.config("game=cgan")
    train(cfg, tmp_path / "source", STEPS)
    run = Run(cfg, tmp_path / "new")
    run.data.train.classes = 3
    game = build_game(cfg, run.data.shape, 3)
    cfg.init_from = str(tmp_path / "source")
    lines = load_players(game, cfg, run.data)
    assert [line.partition(" tensors of ")[2].partition(" ")[0] for line in lines] == ["generator", "discriminator"]
    assert all(" there and " in line and len(line.splitlines()) == 1 for line in lines)
    trained, own = state(tmp_path / "source")["game"], game.state_dict()
    fitting = [key for key in own if key in trained and own[key].shape == trained[key].shape]
    assert 0 < len(fitting) < len(own)
    assert all(torch.equal(own[key], trained[key]) for key in fitting)


def test_a_weight_is_taken_into_its_parametrization(source, tmp_path, capsys):
    train(configs.config("regularizer=spectral_norm"), tmp_path, f"{STEPS} train.steps=0 init_from='{source}'")
    here, there = state(tmp_path)["game"], state(source)["game"]
    key = "discriminator.body.0.{}weight{}"
    assert torch.equal(here[key.format("parametrizations.", ".original")], there[key.format("", "")])
    assert "body.0.parametrizations.weight.0._u is new" in capsys.readouterr().out


def test_a_run_begins_with_averaged_players(source, tmp_path):
    train(configs.config(), tmp_path, f"{STEPS} train.steps=0 seed=3 init_from='{source}' init_average=true")
    assert differences(dict(state(tmp_path)["game"]), dict(state(source)["ema"])) == []
    assert differences(dict(state(source)["game"]), dict(state(source)["ema"])) != []


def test_weights_without_a_place_are_named(source, tmp_path, capsys):
    path = checkpoint.path_of(tmp_path, 4)
    saved = state(source)
    saved["game"]["generator.extra"] = torch.zeros(1)
    checkpoint.save(tmp_path, 4, saved)
    train(configs.config(), tmp_path / "new", f"{STEPS} train.steps=0 init_from='{path}'")
    assert "extra has no place here" in capsys.readouterr().out


@pytest.mark.parametrize(
    "pattern",
    [
        "dis*tor.body.0*",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("discriminator.body.0", "discriminator.body.0.weight")),
    ],
)
def test_frozen_layers_rest_and_the_others_move(source, tmp_path, pattern):
    cfg = configs.config("loss=wgan")  # whose clipping would move them
    train(cfg, tmp_path, f"{STEPS} init_from='{source}' frozen=[{pattern}]")
    here, there = (players(state(folder), "discriminator") for folder in (tmp_path, source))
    still = {key for key in here if torch.equal(here[key], there[key])}
    assert "discriminator.body.0.weight" in still
    assert "discriminator.body.2.weight" not in still


def test_who_rests_repeats_no_turn(source, tmp_path):
    """Solvers that play every turn once a round take a schedule whose repeated turns nobody plays."""
    values = f"{STEPS} init_from='{source}' frozen=[discriminator] train.n_critic=3"
    train(configs.config("solver=simultaneous"), tmp_path, values)
    logged = {tag for row in logger.read(tmp_path) for tag in row}
    assert "loss/generator" in logged
    assert "loss/discriminator" not in logged


def test_judges_before_a_generator_that_was_trained_elsewhere(source, tmp_path):
    """The game of vanishing gradients with another run's generator, which rests from the first round on."""
    values = f"{STEPS} init_from='{source}' init_players=[generator] schedule.phases.training.rounds=0"
    train(configs.config("game=retrained_discriminator"), tmp_path, values)
    saved = state(tmp_path)
    assert (
        differences(
            {k: v for k, v in players(saved, "generator").items() if "running" not in k and "batches" not in k},
            {k: v for k, v in players(state(source), "generator").items() if "running" not in k and "batches" not in k},
        )
        == []
    )
