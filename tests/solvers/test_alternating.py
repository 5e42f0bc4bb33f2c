"""The alternating solver on games whose course is known, and what it must leave alone."""

from copy import deepcopy
from itertools import count, islice, repeat

import pytest
import torch
from support.players import Bilinear, alternating, images_gan, make_problem, points_gan
from support.quadratic import Quadratic, diagonal
from torch import tensor

from gan_cli.games.base import Turn
from gan_cli.losses.hinge import Hinge
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.precision import autocast
from gan_cli.regularizers.dragan import Dragan
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.regularizers.none import NoRegularizer
from gan_cli.regularizers.orthogonal import Orthogonal
from gan_cli.regularizers.r1 import R1, R2
from gan_cli.regularizers.spectral_norm import SpectralNorm
from gan_cli.solvers.alternating import Alternating
from gan_cli.solvers.backtracking import Backtracking
from gan_cli.solvers.base import Problem, with_scaled_losses
from gan_cli.solvers.consensus import Consensus
from gan_cli.solvers.simultaneous import Simultaneous
from gan_cli.solvers.unrolled import Unrolled
from gan_cli.types import Batch

BOTH = ["generator", "discriminator"]
NOTHING = repeat(Batch(torch.zeros(1)))


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def plane():
    """Endless different batches that only their position decides."""
    for step in count():
        yield Batch(torch.randn(8, 2, generator=torch.Generator().manual_seed(step)))


def copies(module):
    return [parameter.detach().clone() for parameter in module.parameters()]


def same(before, module):
    return all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


class TestBilinearGame:
    @pytest.mark.slow
    @pytest.mark.long
    def test_orbit_is_bounded(self):
        """From radius sqrt(5) the radius stays about 2.2 for 600 rounds; simultaneous steps would end at 44."""
        game = Bilinear(1.0, 2.0)
        solver, radii = alternating(game), []
        for _ in range(600):
            solver.round(["theta", "phi"], NOTHING)
            radii.append(torch.cat([game.theta, game.phi]).norm().item())
        assert max(radii) < 2.4
        assert min(radii) > 2.1
        assert radii[-1] == pytest.approx(2.2, abs=0.1)

    def test_conserved_quantity(self):
        """theta' = theta - eta phi, phi' = phi + eta theta' leaves theta^2 + phi^2 - eta theta phi as it is."""
        game = Bilinear(1.0, 2.0)
        solver = alternating(game)
        for _ in range(100):
            solver.round(["theta", "phi"], NOTHING)
            conserved = game.theta**2 + game.phi**2 - 0.1 * game.theta * game.phi
            assert conserved.item() == pytest.approx(5 - 0.2, abs=1e-9)

    def test_second_player_sees_the_move_of_the_first(self):
        game = Bilinear(1.0, 2.0)
        alternating(game).round(["theta", "phi"], NOTHING)
        assert game.theta.item() == pytest.approx(1 - 0.1 * 2)
        assert game.phi.item() == pytest.approx(2 + 0.1 * 0.8)

    def test_order_is_the_schedules(self):
        game = Bilinear(1.0, 2.0)
        alternating(game).round(["phi", "phi", "theta"], NOTHING)
        assert game.moves == ["phi", "phi", "theta"]
        assert game.phi.item() == pytest.approx(2.2)
        assert game.theta.item() == pytest.approx(1 - 0.22)

    def test_a_turn_may_be_declined(self):
        losses = []

        def should_step(loss, stats):
            losses.append(loss.item())
            return len(losses) > 1

        game = Bilinear(1.0, 2.0, should_step)
        solver = alternating(game)
        stats = solver.round(["phi"], NOTHING)
        assert losses == [-2.0]
        assert (game.phi.item(), game.moves, solver.state_dict()["optimizers"]["phi"]["state"]) == (2.0, [], {})
        assert stats["loss/phi"] == -2, "what it would have moved by is reported all the same"
        assert stats["grad_norm/phi"] == 1
        solver.round(["phi"], NOTHING)
        assert (game.phi.item(), game.moves) == (pytest.approx(2.1), ["phi"])


class TestBatches:
    def test_every_turn_has_one_of_its_own(self):
        game = Bilinear(1.0, 2.0)
        batches = (Batch(tensor([float(i)])) for i in count())
        alternating(game).round([*["phi"] * 5, "theta"], batches)
        assert [x.item() for x in game.batches] == [0, 1, 2, 3, 4, 5]
        assert next(batches).x.item() == 6, "none is drawn ahead"

    @pytest.mark.parametrize("kind", [Alternating, Simultaneous, Backtracking, Consensus, Unrolled])
    def test_a_turn_may_take_several_at_once(self, kind):
        game = Quadratic(diagonal(1.0), diagonal(1.0), diagonal(1.0))
        sizes: dict[str, list[float]] = {"phi": [], "theta": []}

        def watched(name: str, turn: Turn) -> Turn:
            return turn._replace(loss=lambda batch: sizes[name].append(batch.x.flatten().tolist()) or turn.loss(batch))

        turns = {name: watched(name, turn) for name, turn in game.turns().items()}
        optimizers = {name: torch.optim.SGD(turn.parameters, lr=0.1) for name, turn in turns.items()}
        arguments = {"opponent": "phi"} if kind is Unrolled else {}
        solver = kind(Problem(turns, optimizers, batches={"theta": 2}), **arguments)
        solver.round(["phi", "theta"], (Batch(tensor([float(i)]), tensor([i])) for i in count()))
        assert (sizes["phi"][0], sizes["theta"][0]) == ([0], [1, 2])

    def test_a_declined_turn_has_seen_its_batch(self):
        game = Bilinear(1.0, 2.0, should_step=lambda loss, stats: False)
        batches = (Batch(tensor([float(i)])) for i in count())
        alternating(game).round(["phi", "theta"], batches)
        assert [x.item() for x in game.batches] == [0, 1]


class TestIsolation:
    @pytest.mark.parametrize("regularizer", [NoRegularizer(), GradientPenalty(), R2()])
    @pytest.mark.parametrize(("player", "other"), [("discriminator", "generator"), ("generator", "discriminator")])
    def test_nobody_elses_parameters_nor_gradients(self, player, other, regularizer):
        game = points_gan(Wasserstein(), [regularizer])
        mark = {id(p): torch.full_like(p, 7.0) for p in getattr(game, other).parameters()}
        for parameter in getattr(game, other).parameters():
            parameter.grad = mark[id(parameter)]
        own, others = copies(getattr(game, player)), copies(getattr(game, other))
        alternating(game, torch.optim.Adam).round([player], plane())
        assert same(others, getattr(game, other))
        assert not same(own, getattr(game, player))
        for parameter in getattr(game, other).parameters():
            assert parameter.grad is mark[id(parameter)]
            assert (parameter.grad == 7).all()
        assert all(parameter.requires_grad for parameter in game.parameters())

    def test_gradients_do_not_add_up(self):
        game = Bilinear(1.0, 2.0)
        solver = alternating(game, lr=0.0)
        for _ in range(3):
            solver.round(["theta"], NOTHING)
        assert game.theta.grad.item() == 2


class TestNumbers:
    def test_gradient_norm_by_hand(self):
        game = points_gan()
        solver = alternating(game)
        torch.manual_seed(5)
        stats = solver.round(["discriminator"], plane())
        by_hand = torch.sqrt(sum(p.grad.square().sum() for p in game.discriminator.parameters()))
        torch.testing.assert_close(stats["grad_norm/discriminator"], by_hand)
        assert by_hand > 0

    def test_names(self):
        game = points_gan(Hinge(), [R1(), Orthogonal(players=["generator"])])
        stats = alternating(game).round(["discriminator", "generator"], plane())
        assert set(stats) == {
            *(f"{kind}/{player}" for kind in ("loss", "grad_norm", "adversarial") for player in ("discriminator", "generator")),
            *(f"{kind}/{side}" for kind in ("logit", "accuracy") for side in ("real", "fake")),
            "penalty_r1/discriminator",
            "penalty_orthogonal/generator",
            "estimate/tv",
        }
        assert all(value.shape == () and not value.requires_grad for value in stats.values())

    def test_the_last_of_several_turns_is_reported(self):
        stats = alternating(game := Bilinear(1.0, 2.0)).round(["theta", "theta"], NOTHING)
        assert stats["loss/theta"].item() == pytest.approx(0.8 * 2)
        assert game.theta.item() == pytest.approx(0.6)

    def test_parameters_without_a_part_in_the_loss(self):
        used, idle = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
        turn = Turn({"half": [used, idle]}, lambda batch: ((3 * used).sum(), {}))
        game = type("Half", (), {"turns": lambda self: {"half": turn}})()
        stats = alternating(game, torch.optim.Adam).round(["half"], NOTHING)
        assert stats["grad_norm/half"] == 3
        assert idle.item() == 1
        assert idle.grad is None


@pytest.mark.parametrize("make", [points_gan, images_gan])
@pytest.mark.parametrize(
    "regularizers",
    [
        [],
        [GradientPenalty()],
        [Dragan()],
        [R1()],
        [R2()],
        [SpectralNorm()],
        [Orthogonal(players=BOTH)],
    ],
    ids=lambda regularizers: "+".join(type(regularizer).__name__ for regularizer in regularizers) or "none",
)
@pytest.mark.slow
def test_rounds_in_16_bits(make, regularizers):
    """Networks compute in 16 bits; parameters, gradients, losses and all numbers are float32, and near the float32 round's."""
    cpu, rounds = torch.device("cpu"), {}
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)):
        torch.manual_seed(0)
        game = make(Wasserstein(), regularizers)
        outputs = []
        game.discriminator.body[0].register_forward_hook(lambda *seen, outputs=outputs: outputs.append(seen[-1]))
        problem = make_problem(game, torch.optim.SGD, autocast(cpu, precision), lr=1e-3)
        solver = Alternating(with_scaled_losses(problem, cpu) if precision == "fp16" else problem)
        for scale in solver.scales.values():  # small enough for these gradients at once
            scale.scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
        shape = (2,) if make is points_gan else (1, 16, 16)
        rounds[precision] = solver.round(["discriminator", "generator"], repeat(Batch(torch.randn(8, *shape))))
        assert {output.dtype for output in outputs} == {dtype}
        assert all(value.dtype == torch.float32 and value.isfinite() for value in rounds[precision].values())
        assert all(p.dtype == torch.float32 and p.grad.dtype == torch.float32 and p.isfinite().all() for p in game.parameters())
    for name, value in rounds["fp32"].items():
        for precision in ("bf16", "fp16"):
            assert rounds[precision][name].item() == pytest.approx(value.item(), rel=0.1, abs=0.05), (precision, name)


def test_a_gradient_too_large_for_float16_is_skipped():
    """Nothing moves, no moment either, the numbers stay finite, and the next turn takes half the scale."""
    cpu = torch.device("cpu")
    torch.manual_seed(0)
    game = points_gan()
    problem = with_scaled_losses(make_problem(game, torch.optim.Adam, autocast(cpu, "fp16"), lr=1e-3), cpu)
    solver = Alternating(problem)
    solver.scales["discriminator"].scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24)
    before = [parameter.clone() for parameter in game.parameters()]
    stats = solver.round(["discriminator"], repeat(Batch(torch.randn(8, 2))))
    assert (stats["loss_scale/discriminator"], stats["grad_norm/discriminator"]) == (2.0**23, 0)
    assert all(value.isfinite() for value in stats.values())
    assert all(map(torch.equal, before, game.parameters()))
    assert not solver.optimizers["discriminator"].state
    while solver.scales["discriminator"].skipped:
        stats = solver.round(["discriminator"], repeat(Batch(torch.randn(8, 2))))
    assert stats["grad_norm/discriminator"] > 0
    assert not all(map(torch.equal, before, game.parameters()))


def test_a_loss_that_is_not_finite_is_shown_in_float16():
    game = points_gan()
    with torch.no_grad():
        game.discriminator.body[0].weight.fill_(float("nan"))
    problem = make_problem(game, torch.optim.Adam, autocast(torch.device("cpu"), "fp16"))
    stats = Alternating(with_scaled_losses(problem, torch.device("cpu"))).round(
        ["discriminator"], repeat(Batch(torch.randn(8, 2)))
    )
    assert stats["loss/discriminator"].isnan()


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.RMSprop, torch.optim.AdamW])
def test_state_is_all_it_remembers(optimizer):
    order = ["discriminator", "discriminator", "generator"]

    def play(solver, start, rounds):
        batches = islice(plane(), 3 * start, None)
        for step in range(start, start + rounds):
            torch.manual_seed(step)
            stats = solver.round(order, batches)
        return stats

    game, twin = points_gan(), points_gan()
    solver = alternating(game, optimizer, lr=0.01)
    play(solver, 0, 3)
    resumed = alternating(twin, optimizer, lr=0.5)
    twin.load_state_dict(game.state_dict())
    resumed.load_state_dict(deepcopy(solver.state_dict()))  # torch's optimizers keep the tensors that they are given
    assert play(solver, 3, 3) == play(resumed, 3, 3)
    assert same(copies(game), twin)
