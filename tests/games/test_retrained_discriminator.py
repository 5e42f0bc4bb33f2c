"""A generator at rest before two judges."""

from functools import partial

import pytest
import torch
from support.players import alternating

from gan_cli.errors import UserError
from gan_cli.games.objective import Objective
from gan_cli.games.retrained_discriminator import RetrainedDiscriminatorGAN, gradient_norm
from gan_cli.losses.minimax import Minimax
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.models.conditional import LabelledDiscriminator, LabelledGenerator
from gan_cli.models.mlp import MLPDiscriminator, MLPGenerator
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.regularizers.weight_clipping import WeightClipping
from gan_cli.types import Batch

BATCH = Batch(torch.zeros(32, 2) + 5)
COSTS = ("saturating", "non_saturating", "wasserstein")
RETRAINED = ["retrained_discriminator", "retrained_critic"]


def game(**regularizers) -> RetrainedDiscriminatorGAN:
    torch.manual_seed(0)
    return RetrainedDiscriminatorGAN(
        MLPGenerator((2,), 0, 3, 16, 3), MLPDiscriminator((2,), 0, 16, 3), Objective(NonSaturating(), regularizers)
    )


def play(played, order, rounds, **optimizer):
    solver = alternating(played, torch.optim.Adam, **(optimizer or {"lr": 0.01}))
    for _ in range(rounds):
        stats = solver.round(order, iter([BATCH] * len(order)))
    return stats


def measured(played) -> dict:
    with torch.no_grad():
        torch.manual_seed(7)
        return dict(played.eval().measure(0))


def test_judges_start_as_the_discriminator_did_whatever_it_learns():
    played = game()
    first = [p.detach().clone() for p in played.discriminator.parameters()]
    play(played, ["discriminator", "generator"], 5)
    for judge in (played.retrained_discriminator, played.retrained_critic):
        assert all(torch.equal(a, b) for a, b in zip(first, judge.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, played.discriminator.parameters(), strict=True))


def test_players_that_look_at_labels_are_refused():
    generator = LabelledGenerator((2,), 3, 3, None, partial(MLPGenerator, width=16, depth=3))
    discriminator = LabelledDiscriminator((2,), 3, None, partial(MLPDiscriminator, width=16, depth=3))
    with pytest.raises(UserError, match="use no labels"):
        RetrainedDiscriminatorGAN(generator, discriminator, Objective(NonSaturating(), {}))


def test_the_generator_rests_while_they_judge():
    played = game(penalty=GradientPenalty())
    before = {key: value.clone() for key, value in played.state_dict().items()}
    stats = play(played, RETRAINED, 3)
    moved = {key.partition(".")[0] for key, value in played.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == {*RETRAINED, "judgements"}
    assert {"js/retrained_discriminator", "wasserstein/retrained_critic", "penalty_penalty/retrained_critic"} <= set(stats)


def test_nothing_is_measured_before_they_judge():
    played = game()
    play(played, ["discriminator", "generator"], 2)
    assert measured(played) == {}
    play(played, RETRAINED, 3)
    assert measured(played)["judging/iterations"] == 3
    assert {f"generator_gradient/{cost}" for cost in COSTS} < set(measured(played))


@pytest.mark.slow
def test_the_saturating_gradient_vanishes_and_the_others_do_not():
    """Real points far from all fakes: the judge wins, s(f) goes to 0 and takes the gradient along."""
    played = game(penalty=GradientPenalty())
    play(played, RETRAINED, 1)
    before = measured(played)
    play(played, RETRAINED, 300)
    after = measured(played)
    assert after["generator_gradient/saturating"] < 0.05 * before["generator_gradient/saturating"]
    for cost in ("non_saturating", "wasserstein"):
        assert after[f"generator_gradient/{cost}"] > 0.1 * before[f"generator_gradient/{cost}"]


def test_gradient_norms_are_those_of_the_logits_weights():
    """If all logits are equal, ∇ E -softplus(f) is s(f) times the Wasserstein gradient up to its sign."""

    class Level(torch.nn.Module):
        """All logits are equal, and their gradients are not 0."""

        def forward(self, x, y=None):
            total = x.sum(1)
            return total - total.detach() - 1.5

    played, z = game(), torch.randn(16, 3)
    plain, saturating, other = (
        float(gradient_norm(played.generator, Level(), loss, z)) for loss in (Wasserstein(), Minimax(), NonSaturating())
    )
    s = float(torch.sigmoid(torch.tensor(-1.5)))
    assert saturating == pytest.approx(s * plain, rel=1e-5)
    assert other == pytest.approx((1 - s) * plain, rel=1e-5)


def test_measuring_moves_nothing():
    played = game()
    play(played, RETRAINED, 2)
    before = {key: value.clone() for key, value in played.state_dict().items()}
    measured(played)
    assert all(torch.equal(value, before[key]) for key, value in played.state_dict().items())
    assert all(p.grad is None or p.grad.isfinite().all() for p in played.parameters())


def test_the_critic_is_clipped_and_nobody_else():
    played = game(clipping=WeightClipping(bound=0.01))
    play(played, ["discriminator", "generator", *RETRAINED], 3)
    sizes = {player: max(float(p.detach().abs().max()) for p in turn.parameters) for player, turn in played.turns().items()}
    assert sizes.pop("retrained_critic") <= 0.01 < min(sizes.values())


def test_a_regularizer_of_the_generator_is_refused():
    with pytest.raises(UserError, match=r"regularizer.clipping: in this game regularizers are for the critic"):
        game(clipping=WeightClipping(players=["generator"]))
