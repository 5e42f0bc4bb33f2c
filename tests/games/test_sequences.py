"""RCGAN, C-RNN-GAN and TimeGAN: what each turn minimises and moves, who declines, and that solvers go on exactly."""

import io
from copy import deepcopy
from functools import partial

import pytest
import torch
from support import configs
from support.players import alternating, make_solver
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from gan_cli.data.base import Data
from gan_cli.data.points.toy import Points
from gan_cli.errors import UserError
from gan_cli.games.base import differentiable_in_all_players
from gan_cli.games.c_rnn_gan import CRNNGAN
from gan_cli.games.objective import Objective
from gan_cli.games.rcgan import RCGAN
from gan_cli.games.sampling import preserve_buffers, truncate
from gan_cli.games.timegan import TimeGAN, moments_apart
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.models.conditional import LabelledDiscriminator, LabelledGenerator
from gan_cli.models.mlp import MLPGenerator
from gan_cli.models.recurrent import (
    AutoregressiveGenerator,
    AveragingDiscriminator,
    RecurrentDiscriminator,
    RecurrentGenerator,
    StepwiseDiscriminator,
)
from gan_cli.models.timegan import Embedder, LatentDiscriminator, LatentGenerator, Recovery, Supervisor
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.schedules.turns import Phases
from gan_cli.solvers.alternating import Alternating
from gan_cli.solvers.backtracking import Backtracking
from gan_cli.solvers.consensus import Consensus
from gan_cli.solvers.extragradient import Extragradient
from gan_cli.solvers.lookahead import Lookahead
from gan_cli.solvers.optimistic import Optimistic
from gan_cli.solvers.simultaneous import Simultaneous
from gan_cli.solvers.unrolled import Unrolled
from gan_cli.types import Batch

pytestmark = pytest.mark.slow

SHAPE = T, F = 4, 2
LSTM = {"hidden": 5, "layers": 1, "cell": "lstm"}
CODE = {
    "reconstruction": 10.0,
    "gamma": 1.0,
    "supervised": 100.0,
    "moments": 100.0,
    "embedder_supervised": 0.1,
    "threshold": 0.15,
    "norms": False,
}
PAPER = {"reconstruction": 1.0, "gamma": 0.0, "supervised": 10.0, "moments": 0.0, "embedder_supervised": 1.0, "norms": True}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def batch(n: int = 4, classes: int = 0) -> Batch:
    return Batch(torch.rand(n, *SHAPE), torch.randint(classes, (n,)) if classes else None)


def rcgan(loss=None, regularizers=None, **options) -> RCGAN:
    players = RecurrentGenerator(SHAPE, 0, 3, **LSTM), StepwiseDiscriminator(SHAPE, 0, **LSTM)
    return RCGAN(*players, Objective(loss or NonSaturating(), regularizers or {}), **options)


def labelled(**options) -> RCGAN:
    generator = LabelledGenerator(SHAPE, 3, 3, None, partial(RecurrentGenerator, **LSTM))
    discriminator = LabelledDiscriminator(SHAPE, 3, None, partial(StepwiseDiscriminator, **LSTM))
    return RCGAN(generator, discriminator, Objective(NonSaturating()), classes=3, **options)


def c_rnn_gan(**options) -> CRNNGAN:
    players = AutoregressiveGenerator(SHAPE, 0, None, **LSTM), AveragingDiscriminator(SHAPE, 0, **LSTM, dropout=0.0)
    return CRNNGAN(*players, Objective(NonSaturating()), **options)


def timegan(cell: str = "gru", **options) -> TimeGAN:
    sizes = {"hidden": 5, "layers": 2, "cell": cell}
    networks = Embedder, Recovery, Supervisor, partial(LatentGenerator, latent_dim=None), LatentDiscriminator
    return TimeGAN(*(kind(SHAPE, 0, **sizes) for kind in networks), **CODE | options)


GAMES = {"rcgan": rcgan, "c_rnn_gan": c_rnn_gan, "timegan": timegan}


OWN = {
    "rcgan": {"discriminator": {"discriminator"}, "generator": {"generator"}},
    "c_rnn_gan": {"pretraining": {"generator"}, "discriminator": {"discriminator"}, "generator": {"generator"}},
    "timegan": {
        "autoencoder": {"embedder", "recovery"},
        "supervisor": {"supervisor"},
        "generator": {"latent_generator", "supervisor"},
        "embedder": {"embedder", "recovery"},
        "discriminator": {"latent_discriminator"},
    },
}


@pytest.mark.parametrize("game", GAMES)
def test_whom_each_turn_moves(game):
    made = GAMES[game]()
    names = {id(p): name.partition(".")[0] for name, p in made.named_parameters()}
    assert {player: {names[id(p)] for p in turn.parameters} for player, turn in made.turns().items()} == OWN[game]
    for turn in made.turns().values():
        whole = {names[id(p)] for p in turn.parameters}
        assert len(turn.parameters) == sum(name in whole for name in names.values()), "all of each network"


@pytest.mark.parametrize("game", GAMES)
def test_each_turn_moves_its_own(game):
    made = GAMES[game]()
    for player, turn in made.turns().items():
        before = deepcopy(made.state_dict())
        solver = alternating(made, lr=0.1)
        solver.round([player], iter([batch()]))
        own = {id(p) for p in turn.parameters}
        for name, p in made.named_parameters():
            if id(p) not in own:
                assert torch.equal(p, before[name]), f"{player} moves {name}"
        assert all(turn.parameters[i].grad is not None for i in range(len(turn.parameters))), player


@pytest.mark.parametrize("game", GAMES)
def test_samples_and_estimates(game):
    made = GAMES[game]()
    z = made.latents(3)
    x = made.sample(z)
    assert x.shape == (3, *SHAPE)
    assert torch.equal(x, made.sample(z))
    assert ((x >= 0) & (x <= 1)).all()
    assert made.critic()(x).shape == ((3,) if game == "c_rnn_gan" else (3, T))
    with torch.no_grad(), preserve_buffers(made):
        assert all(value.isfinite() for value in made.estimate(batch()).values())


@pytest.mark.parametrize("game", ["c_rnn_gan", "timegan"])
def test_uniform_latents(game):
    made = GAMES[game]()
    z = made.latents(2000)
    assert z.shape == (2000, T, F)
    assert 0 <= z.min() < 0.01 < 0.99 < z.max() <= 1
    with pytest.raises(UserError, match="truncation is for games whose generator takes latents from N"):
        truncate(made, 1.0)


@pytest.mark.parametrize("kind", [RCGAN, CRNNGAN, TimeGAN])
@pytest.mark.parametrize("shape", [(2,), (1, 8, 8)])
def test_sequences_alone(kind, shape):
    part = Points(torch.zeros(4, *shape))
    with pytest.raises(UserError, match="is played on sequences"):
        kind.check(Data(part, part))


# RCGAN.


def test_rcgan_averages_the_steps_losses():
    game, b = rcgan(), batch()
    fake = game.sample(game.latents(4)).detach()
    loss, _ = game.discriminator_loss_on_fakes(b, fake)
    d_real, d_fake = game.discriminator(b.x), game.discriminator(fake)
    expected = cross_entropy(d_real, torch.ones(4, T)) + cross_entropy(d_fake, torch.zeros(4, T))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(game.generator_loss_on_fakes(b, fake)[0], cross_entropy(d_fake, torch.ones(4, T)))


def test_rcgan_with_a_gradient_penalty():
    game = rcgan(Wasserstein(), {"gradient_penalty": GradientPenalty()})
    stats = alternating(game).round(["discriminator", "generator"], iter([batch(), batch()]))
    assert stats["penalty_gradient_penalty/discriminator"] > 0


def test_rcgan_truncates_every_step():
    z = rcgan().truncated(100, 0.5)
    assert z.shape == (100, T, 3)
    assert z.abs().max() <= 0.5


def test_wrong_labels():
    game, b = labelled(wrong_labels=True), batch(64, classes=3)
    seen = []
    forward = game.discriminator.forward
    game.discriminator.forward = lambda x, y=None: (seen.append(y), forward(x, y))[1]
    fake = game.sample(game.latents(64), b.y).detach()
    loss, stats = game.discriminator_loss_on_fakes(b, fake)
    assert torch.equal(seen[0], b.y)
    assert (seen[2] != b.y).all()
    assert set(((seen[2] - b.y) % 3).tolist()) == {1, 2}, "every other class"
    right = NonSaturating().discriminator_loss(forward(b.x, b.y), forward(fake, b.y))
    wrong = NonSaturating().discriminator_loss(forward(b.x, b.y), forward(b.x, seen[2]))
    torch.testing.assert_close(loss, right + wrong)
    torch.testing.assert_close(stats["wrong_labels"], wrong)
    assert "wrong_labels" not in labelled().discriminator_loss_on_fakes(b, fake)[1]
    with pytest.raises(UserError, match="uses no labels"):
        rcgan(wrong_labels=True)


# C-RNN-GAN.


def test_pairs_also_count_the_spread():
    """The mean over all pairs is the distance of the means and both traces."""
    game, real, fake = c_rnn_gan(), torch.randn(50, 7), 2 * torch.randn(60, 7) + 1
    pairs = game.distance(real.repeat_interleave(60, 0), fake.repeat(50, 1))
    game.pairs = False
    means = game.distance(real, fake)
    torch.testing.assert_close(means, (real.mean(0) - fake.mean(0)).square().sum())
    run_records = real.var(0, correction=0).sum() + fake.var(0, correction=0).sum()
    torch.testing.assert_close(pairs, means + run_records)


@pytest.mark.parametrize("matching", [True, False])
def test_what_the_fed_back_generator_minimises(matching):
    game, b = c_rnn_gan(feature_matching=matching), batch()
    torch.manual_seed(1)
    loss, stats = game.generator_loss(b)
    torch.manual_seed(1)
    fake = game.sample(game.latents(4))
    d = game.discriminator
    expected = game.distance(d.features(b.x), d.features(fake)) if matching else cross_entropy(d(fake), torch.ones(4))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(stats["adversarial_g"], cross_entropy(d(fake), torch.ones(4)))
    torch.testing.assert_close(
        stats["adversarial_d"], cross_entropy(d(b.x), torch.ones(4)) + cross_entropy(d(fake), torch.zeros(4))
    )


@pytest.mark.parametrize(("d_loss", "g_loss", "d_plays", "g_plays"), [(1.0, 1.0, 1, 1), (0.6, 1.0, 0, 1), (1.0, 0.6, 1, 0)])
def test_who_is_far_ahead_rests(d_loss, g_loss, d_plays, g_plays):
    turns = c_rnn_gan().turns()
    for player, should_step in (("discriminator", d_plays), ("generator", g_plays)):
        stats = {f"adversarial_d/{player}": torch.tensor(d_loss), f"adversarial_g/{player}": torch.tensor(g_loss)}
        assert turns[player].should_step(torch.tensor(9.0), stats) == should_step
    never, stats = c_rnn_gan(freezing=0.0).turns(), dict.fromkeys(stats, torch.tensor(0.0))
    assert never["generator"].should_step(torch.tensor(0.0), stats)


def test_a_resting_player_stays_where_it_is():
    game = c_rnn_gan(freezing=1.0)  # one of the two rests
    before = deepcopy(game.state_dict())
    stats = alternating(game).round(["discriminator", "generator"], iter([batch(), batch()]))
    rested = stats["adversarial_d/discriminator"] < stats["adversarial_g/discriminator"]
    moved = not torch.equal(game.state_dict()["discriminator.body.head.bias"], before["discriminator.body.head.bias"])
    assert moved != bool(rested)


def test_pretraining_predicts():
    game, b = c_rnn_gan(), batch()
    torch.manual_seed(1)
    loss, _ = game.turns()["pretraining"].loss(b)
    torch.manual_seed(1)
    torch.testing.assert_close(loss, (game.generator.predict(game.latents(4), b.x) - b.x).square().mean())


def test_other_players_are_refused():
    with pytest.raises(UserError, match="feeds its generator's output back"):
        CRNNGAN(
            MLPGenerator(SHAPE, 0, 3, 8, 2),
            RecurrentDiscriminator(SHAPE, 0, **LSTM, bidirectional=True),
            Objective(NonSaturating()),
        )
    with pytest.raises(UserError, match="adds a head to the discriminator's features"):
        CRNNGAN(
            AutoregressiveGenerator(SHAPE, 0, None, **LSTM), StepwiseDiscriminator(SHAPE, 0, **LSTM), Objective(NonSaturating())
        )


def test_who_rests_is_told_by_losses_above_0():
    players = AutoregressiveGenerator(SHAPE, 0, None, **LSTM), AveragingDiscriminator(SHAPE, 0, **LSTM, dropout=0.0)
    with pytest.raises(UserError, match=r"freezing=0\.7: .* Wasserstein's can be negative"):
        CRNNGAN(*players, Objective(Wasserstein()))
    assert CRNNGAN(*players, Objective(Wasserstein()), freezing=0.0).freezing == 0


@pytest.mark.parametrize("game", ["c_rnn_gan", "timegan"])
def test_walks_stay_where_latents_are(game):
    made = GAMES[game]()
    a, b = made.latents(2)
    path = made.interpolate(a, b, torch.linspace(0, 1, 5)[:, None, None])
    torch.testing.assert_close(path[[0, 2, 4]], torch.stack([a, (a + b) / 2, b]))


# TimeGAN.


def test_samples_are_recovered_from_what_the_supervisor_makes_of_the_generator():
    game = timegan()
    z = game.latents(3)
    torch.testing.assert_close(game.sample(z), game.recovery(game.supervisor(game.latent_generator(z))))


def test_options_are_those_of_the_published_code_and_of_the_paper():
    cfg = configs.compose("game=timegan")
    assert {key: cfg.game[key] for key in CODE} == CODE
    assert list(cfg.schedule.phases.joint.players) == ["generator", "embedder"] * 2 + ["discriminator"]
    assert (cfg.optimizer.lr, list(cfg.optimizer.betas)) == (1e-3, [0.9, 0.999])
    assert (cfg.model.embedder.hidden, cfg.model.embedder.layers, cfg.model.embedder.cell) == (24, 3, "gru")
    paper = configs.compose("game=timegan_paper").game
    assert {key: paper[key] for key in PAPER} == PAPER
    assert paper.threshold == 0
    assert configs.compose("game=c_rnn_gan").game.freezing == 0.7


def parts(game: TimeGAN, x, z):
    """h, g(z), s(g(z)) and the three terms by their definitions."""
    h, g = game.embedder(x), game.latent_generator(z)
    hat = game.supervisor(g)
    return h, g, hat, game.supervisor(h), game.recovery(h), game.recovery(hat)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_timegan_s_losses_are_the_code_s(cell):
    game, b = timegan(cell), batch(8)
    found = {}
    for player, turn in game.turns().items():
        torch.manual_seed(2)
        found[player] = turn.loss(b)[0]
    torch.manual_seed(2)
    h, g, hat, next_h, x_tilde, x_hat = parts(game, b.x, game.latents(8))
    d, one, zero = game.latent_discriminator, torch.ones(8, T), torch.zeros(8, T)
    R = (x_tilde - b.x).square().mean()
    S = (h[:, 1:] - next_h[:, :-1]).square().mean()
    V = (x_hat.mean(0) - b.x.mean(0)).abs().mean() + (
        ((x_hat - x_hat.mean(0)).square().mean(0) + 1e-6).sqrt() - ((b.x - b.x.mean(0)).square().mean(0) + 1e-6).sqrt()
    ).abs().mean()
    expected = {
        "autoencoder": 10 * R.sqrt(),
        "supervisor": S,
        "generator": cross_entropy(d(hat), one) + cross_entropy(d(g), one) + 100 * S.sqrt() + 100 * V,
        "embedder": 10 * R.sqrt() + 0.1 * S,
        "discriminator": cross_entropy(d(h), one) + cross_entropy(d(hat), zero) + cross_entropy(d(g), zero),
    }
    for player, value in expected.items():
        torch.testing.assert_close(found[player], value, msg=player)
    torch.testing.assert_close(moments_apart(b.x, b.x), torch.tensor(0.0))
    held_out = game.estimate(b)
    torch.testing.assert_close(held_out["reconstruction"], R.sqrt())
    torch.testing.assert_close(held_out["supervised"], S.sqrt())


def test_timegan_s_losses_are_the_paper_s():
    game, b = timegan(**PAPER), batch(8)
    torch.manual_seed(2)
    found = {}
    for player, turn in game.turns().items():
        torch.manual_seed(2)
        found[player] = turn.loss(b)[0]
    torch.manual_seed(2)
    h, _, hat, next_h, x_tilde, _ = parts(game, b.x, game.latents(8))
    R = torch.stack([sum((x_tilde - b.x)[i, t].norm() for t in range(T)) for i in range(8)]).mean()
    S = torch.stack([sum((h[i, t + 1] - next_h[i, t]).norm() for t in range(T - 1)) for i in range(8)]).mean()
    d, one, zero = game.latent_discriminator, torch.ones(8, T), torch.zeros(8, T)
    expected = {
        "autoencoder": R,
        "supervisor": S,
        "generator": cross_entropy(d(hat), one) + 10 * S,
        "embedder": R + S,
        "discriminator": cross_entropy(d(h), one) + cross_entropy(d(hat), zero),
    }
    for player, value in expected.items():
        torch.testing.assert_close(found[player], value, msg=player)


def test_the_discriminator_rests_below_its_threshold():
    should_step = timegan().turns()["discriminator"].should_step
    assert [should_step(torch.tensor(loss), {}) for loss in (0.14, 0.15, 0.16)] == [False, False, True]
    game = timegan(threshold=100.0)
    before = deepcopy(game.latent_discriminator.state_dict())
    solver = alternating(game, torch.optim.Adam)
    stats = solver.round(["generator", "discriminator"], iter([batch(), batch()]))
    assert all(torch.equal(a, b) for a, b in zip(before.values(), game.latent_discriminator.state_dict().values(), strict=True))
    assert solver.optimizers["discriminator"].state_dict()["state"] == {}
    assert stats["loss/discriminator"] < 100


def test_every_loss_can_be_differentiated_in_all_players():
    game, b = timegan(), batch()
    with differentiable_in_all_players():
        loss, _ = game.discriminator_loss(b)
    coder = torch.autograd.grad(loss, list(game.embedder.parameters()), create_graph=True)
    assert any(g.abs().max() > 0 for g in coder)
    torch.stack([g.square().sum() for g in coder]).sum().backward()  # twice


def test_different_sizes_are_refused():
    sizes = {"layers": 2, "cell": "gru"}
    networks = [kind(SHAPE, 0, hidden=5, **sizes) for kind in (Embedder, Recovery, Supervisor)]
    networks += [LatentGenerator(SHAPE, 0, None, 4, **sizes), LatentDiscriminator(SHAPE, 0, 5, **sizes)]
    with pytest.raises(UserError, match="the five networks have hidden=4, 5: it must be the same"):
        TimeGAN(*networks, **CODE)
    with pytest.raises(UserError, match=r"moments=-1"):
        timegan(moments=-1.0)


# Solvers, in phases.

SOLVERS = {
    "alternating": Alternating,
    "simultaneous": Simultaneous,
    "optimistic": Optimistic,
    "extragradient": Extragradient,
    "past": partial(Extragradient, past=True),
    "consensus": partial(Consensus, weight=0.1),
    "lookahead": partial(Lookahead, k=2),
    "backtracking": Backtracking,
    "unrolled": partial(Unrolled, k=1),
}
ORDERS = {
    "timegan": [["autoencoder"], ["supervisor"], ["generator", "embedder", "discriminator"]],
    "c_rnn_gan": [["pretraining"], ["discriminator", "generator"]],
}


def play(solver, schedule, steps) -> list:
    """Play rounds and return their numbers; the step alone decides batches and random draws."""
    found = []
    for step in steps:
        torch.manual_seed(step)
        found.append(solver.round(schedule(step), iter([batch() for _ in range(20)])))
    return found


@pytest.mark.parametrize(("game", "name"), configs.pairs([*ORDERS], [*SOLVERS], ["alternating"], [next(reversed(ORDERS))]))
def test_stopping_in_any_phase_changes_nothing(game, name):
    orders = ORDERS[game]
    schedule = Phases({str(i): {"rounds": 2, "players": order} for i, order in enumerate(orders)})
    last = 2 * len(orders)
    make = partial(make_solver, SOLVERS[name], optimizer=torch.optim.Adam, lr=0.01)
    first = GAMES[game]()
    start = deepcopy(first.state_dict())
    solver, numbers, saved = make(first), [], []
    for step in range(1, last + 1):
        numbers += play(solver, schedule, [step])
        file = io.BytesIO()
        torch.save({"game": first.state_dict(), "solver": solver.state_dict()}, file)
        saved.append(file)
    moved = [key for key, value in first.state_dict().items() if not torch.equal(value, start[key])]
    assert len({key.partition(".")[0] for key in moved}) == len({key.partition(".")[0] for key in start}), "everybody has moved"
    for stop in range(1, last, 2):  # in the middle of each phase
        saved[stop - 1].seek(0)
        state = torch.load(saved[stop - 1], weights_only=True)
        second = GAMES[game]()
        resumed = make(second)
        second.load_state_dict(state["game"])
        resumed.load_state_dict(state["solver"])
        assert play(resumed, schedule, range(stop + 1, last + 1)) == numbers[stop:]
        assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True))


def test_remembered_gradients_of_another_phase_are_not_followed():
    game = timegan()
    solver = make_solver(partial(Extragradient, past=True), game)
    solver.round(["autoencoder"], iter([batch()] * 2))
    before = deepcopy(game.embedder.state_dict())
    batches = iter([batch()] * 2)
    solver.round(["supervisor"], batches)
    assert next(batches, None) is None, "it looks ahead with gradients of its own"
    assert all(torch.equal(a, b) for a, b in zip(before.values(), game.embedder.state_dict().values(), strict=True))
    assert set(solver.remembered.field) == {"supervisor"}


def test_shared_parameters_have_one_slow_weight():
    game = timegan()
    solver = make_solver(partial(Lookahead, k=5), game)
    solver.round(["generator"], iter([batch()]))
    assert len(solver.slow) == len(list(game.parameters())) < sum(len(turn.parameters) for turn in game.turns().values())


def test_each_turn_has_moments_of_its_own():
    """As in the published code: the embedder does not go on with the autoencoder's."""
    game = timegan()
    solver = alternating(game, torch.optim.Adam)
    solver.round(["autoencoder"], iter([batch()]))
    assert solver.optimizers["autoencoder"].state_dict()["state"]
    assert not solver.optimizers["embedder"].state_dict()["state"]
