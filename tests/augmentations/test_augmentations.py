"""Augmentations: identities, exact transformations and exact derivatives."""

from functools import partial
from itertools import repeat
from typing import ClassVar

import pytest
import torch
from support.players import Dirac, Linear, alternating, by_class_name, images_gan, make_solver
from torch import Tensor

from gan_cli.augmentations import transforms
from gan_cli.augmentations.adaptive import Adaptive
from gan_cli.augmentations.base import Augmentation
from gan_cli.augmentations.diff_augment import DiffAugment
from gan_cli.augmentations.instance_noise import InstanceNoise
from gan_cli.augmentations.none import NoAugmentation
from gan_cli.errors import UserError
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.losses.hinge import Hinge
from gan_cli.losses.least_squares import LeastSquares
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.losses.relativistic import Relativistic
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.models.mlp import MLPDiscriminator, MLPGenerator
from gan_cli.regularizers.gradient_penalty import GradientPenalty
from gan_cli.regularizers.r1 import R1
from gan_cli.solvers.unrolled import Unrolled
from gan_cli.types import Batch

PIPELINE = {"flip": True, "translation": 0.25, "scale": 0.3, "rotation": 1.0, "color": True}
TRANSFORMS = {
    "brightness": transforms.brightness,
    "saturation": transforms.saturation,
    "contrast": transforms.contrast,
    "flip": transforms.flip,
    "translation": lambda x, p: transforms.translation(x, p, 0.25),
    "cutout": lambda x, p: transforms.cutout(x, p, 0.5),
    "scale_and_rotate": lambda x, p: transforms.scale_and_rotate(x, p, 0.3, 1.0),
}

POINTS = Batch(torch.zeros(2, 2))
NEUTRAL = [NoAugmentation(), DiffAugment(True, 0.125, 0.5, 0.0), DiffAugment(False, 0.0, 0.0)]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


NEUTRAL = NEUTRAL


def images(n: int = 6, channels: int = 3, size: int = 8, dtype=torch.float32) -> Tensor:
    return torch.rand(n, channels, size, size, dtype=dtype) * 2 - 1


class TestIdentities:
    @pytest.mark.parametrize("name", TRANSFORMS)
    def test_identity_at_probability_0(self, name):
        x = images()
        torch.testing.assert_close(TRANSFORMS[name](x, 0.0), x, rtol=0, atol=1e-6)
        torch.testing.assert_close(TRANSFORMS[name](x, torch.tensor(0.0)), x, rtol=0, atol=1e-6)

    @pytest.mark.parametrize("name", TRANSFORMS)
    def test_each_image_is_transformed_with_probability_p(self, name):
        x = images(600, size=8)
        changed = (TRANSFORMS[name](x, 0.5) - x).abs().amax((1, 2, 3)) > 1e-4
        expected = {"flip": 0.25, "scale_and_rotate": 0.75, "translation": 0.5 * 24 / 25}.get(name, 0.5)
        assert changed.float().mean().item() == pytest.approx(expected, abs=0.08)

    @pytest.mark.parametrize("augmentation", NEUTRAL)
    def test_neutral_settings_are_the_identity(self, augmentation):
        x = images()
        assert torch.equal(augmentation(x), x)

    @pytest.mark.parametrize(
        "augmentation", [DiffAugment(True, 0.125, 0.5), InstanceNoise(1.0, 5), Adaptive(**PIPELINE, start=0.8)]
    )
    def test_only_in_training_mode(self, augmentation):
        x = images()
        assert not torch.allclose(augmentation(x), x)
        assert torch.equal(augmentation.eval()(x), x)

    def test_adaptive_starts_as_the_identity(self):
        x = images()
        torch.testing.assert_close(Adaptive(**PIPELINE)(x), x, rtol=0, atol=1e-6)

    def test_grey_images_have_no_saturation(self):
        x = images(channels=1)
        torch.testing.assert_close(transforms.saturation(x, 1.0), x)


class TestTransformations:
    def test_brightness_shifts_and_contrast_keeps_the_mean(self):
        x = images()
        moved = transforms.brightness(x, 1.0) - x
        torch.testing.assert_close(moved, moved[:, :1, :1, :1].expand_as(x))
        assert moved.abs().max() <= 0.5
        wider = transforms.contrast(x, 1.0)
        torch.testing.assert_close(wider.mean((1, 2, 3)), x.mean((1, 2, 3)))
        factor = wider.std((1, 2, 3)) / x.std((1, 2, 3))
        assert ((factor >= 0.5) & (factor <= 1.5)).all()
        paler = transforms.saturation(x, 1.0)
        torch.testing.assert_close(paler.mean(1), x.mean(1))

    def test_translation_shifts_and_fills_with_grey(self):
        x = torch.zeros(300, 1, 8, 8)
        x[:, :, 4, 3] = 1.0
        moved = transforms.translation(x, 1.0, 0.25)
        assert moved.sum() == 300
        rows, columns = moved.sum((1, 3)).argmax(1), moved.sum((1, 2)).argmax(1)
        assert (set(rows.tolist()), set(columns.tolist())) == ({2, 3, 4, 5, 6}, {1, 2, 3, 4, 5})
        full = transforms.translation(torch.ones(50, 1, 8, 8), 1.0, 0.25)
        assert full.unique().tolist() == [0.0, 1.0]
        assert (full.sum((1, 2, 3)) >= 36).all()

    def test_cutout_removes_at_most_a_quarter(self):
        x = torch.ones(400, 2, 8, 8)
        holes = (transforms.cutout(x, 1.0, 0.5) == 0).sum((1, 2, 3)) / 2
        assert holes.max() == 16
        assert holes.min() == 4  # in a corner

    def test_bilinear_between_pixels_and_beyond_the_border(self):
        x = torch.arange(4.0).reshape(1, 1, 1, 4).expand(1, 1, 3, 4).contiguous()
        zeros = torch.zeros(1, 3, 4)
        at = torch.tensor([0.0, 0.5, -1.0, 4.0]).expand(1, 3, 4)
        assert transforms.bilinear(x, zeros, at)[0, 0, 0].tolist() == [0.0, 0.5, 1.0, 2.0]

    def test_a_quarter_turn_is_exact(self):
        x = images(4, size=5)
        height = torch.arange(5.0)[:, None].expand(4, 5, 5)
        turned = transforms.bilinear(x, height.mT, 4 - height)
        torch.testing.assert_close(turned, x.rot90(1, (2, 3)))

    def test_noise_fades_linearly(self):
        noise, x = InstanceNoise(0.5, 4), torch.zeros(20_000, 2)
        for sigma in (0.5, 0.375, 0.25, 0.125, 0.0, 0.0):
            assert noise.stats()["augmentation/sigma"].item() == pytest.approx(sigma)
            assert noise(x).std().item() == pytest.approx(sigma, rel=0.02)
            noise.adapt()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_derivatives(name):
    """First and second derivatives are exact for fixed random draws."""

    def fixed(x):
        torch.manual_seed(3)
        return TRANSFORMS[name](x, 0.7)

    x = images(2, 2, 4, torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(fixed, x, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda x: fixed(x).square(), x, fast_mode=True)


class TestAdaptive:
    def play(self, logit: float, turns: int, **fields) -> Adaptive:
        adaptive = Adaptive(**PIPELINE, **{"interval": 2, "images": 1000, **fields})
        for _ in range(turns):
            adaptive.observe(torch.full((10,), logit))
            adaptive.adapt()
        return adaptive

    def test_p_follows_r_t(self):
        """r_t = 1 raises p by 20 / 1000 every second turn; r_t = -1 lowers it by as much."""
        assert self.play(1.0, 10).p.item() == pytest.approx(0.1)
        assert self.play(1.0, 11).p.item() == pytest.approx(0.1)
        assert self.play(-1.0, 10, start=0.5).p.item() == pytest.approx(0.4)

    def test_p_stays_within_bounds(self):
        assert self.play(2.0, 200).p.item() == pytest.approx(0.8)
        assert self.play(-2.0, 20).p.item() == 0.0

    def test_p_converges_to_where_r_t_equals_the_target(self):
        """The discriminator's overfitting falls with p as r_t = 1 - 2 p."""
        adaptive = Adaptive(**PIPELINE, interval=1, images=2000)
        for _ in range(60):
            wrong = int(100 * adaptive.p)
            adaptive.observe(torch.cat([torch.ones(100 - wrong), -torch.ones(wrong)]))
            adaptive.adapt()
        assert adaptive.p.item() == pytest.approx(0.2, abs=0.051)
        assert adaptive.stats()["augmentation/r_t"].item() == pytest.approx(0.6, abs=0.11)

    def test_without_a_target_p_rises_to_its_limit(self):
        assert self.play(-1.0, 10, target=None).p.item() == pytest.approx(0.1)
        assert self.play(-1.0, 200, target=None, limit=0.55).p.item() == pytest.approx(0.55)

    def test_only_the_last_observation_before_a_step_counts(self):
        """Solvers may compute a loss several times per step, but p moves by the images of one batch."""
        adaptive = Adaptive(**PIPELINE, interval=1, images=1000)
        for logit in (-1.0, -1.0, 1.0):
            adaptive.observe(torch.full((10,), logit))
        adaptive.adapt()
        assert adaptive.p.item() == pytest.approx(0.01)
        assert adaptive.r_t == 1

    def test_signs_of_patches_are_averaged_per_image(self):
        adaptive = Adaptive(**PIPELINE, interval=1)
        adaptive.observe(torch.cat([torch.ones(4, 1, 2, 2), -torch.ones(4, 1, 2, 2)]))
        adaptive.adapt()
        assert adaptive.r_t == 0


def gan(augmentation: Augmentation, *regularizers, loss=None) -> GAN:
    players = images_gan()
    return GAN(players.generator, players.discriminator, Objective(loss or Hinge(), by_class_name(regularizers), augmentation))


class TestInTheGame:
    def test_data_and_fakes_in_both_turns(self):
        class Notes(Augmentation):
            seen: ClassVar[list] = []

            def transform(self, x):
                self.seen.append(x)
                return 2 * x

        game = GAN(Dirac(1.0), Linear(1.0), Objective(NonSaturating(), augmentation=Notes()))
        batch = Batch(torch.full((3, 1), 5.0))
        game.turns()["discriminator"].loss(batch)
        game.turns()["generator"].loss(batch)
        assert [x.mean().item() for x in Notes.seen] == [5.0, 1.0, 1.0]
        assert torch.equal(game.critic()(batch.x), torch.full((3,), 10.0))
        assert torch.equal(game.eval().critic()(batch.x), torch.full((3,), 5.0))

    @pytest.mark.parametrize("augmentation", [DiffAugment(True, 0.125, 0.5), Adaptive(**PIPELINE, start=0.8)])
    @pytest.mark.parametrize("penalty", [R1(), GradientPenalty()])
    def test_penalties_are_taken_through_the_augmentation(self, augmentation, penalty):
        game = gan(augmentation, penalty)
        stats = alternating(game, lr=0.001).round(["discriminator", "generator"], repeat(Batch(images(4, 1, 16))))
        assert all(value.isfinite() for value in stats.values())
        assert stats["grad_norm/generator"] > 0

    def test_p_moves_only_after_the_discriminators_turn(self):
        game = gan(Adaptive(**PIPELINE, interval=1, images=100, target=-1.0))
        solver, batch = alternating(game, lr=0.0), Batch(images(4, 1, 16))
        game.discriminator.body[-1].bias.data.fill_(100.0)
        solver.round(["generator"], repeat(batch))
        assert game.augmentation.p == 0
        stats = solver.round(["discriminator", "discriminator"], repeat(batch))
        assert game.augmentation.p.item() == pytest.approx(0.08)
        assert stats["augmentation/p"].item() == pytest.approx(0.04), "the value during that turn"
        game.estimate(batch)
        assert game.augmentation.seen == 0

    def test_inner_steps_of_a_solver_do_not_move_p(self):
        """The unrolled solver computes D's loss in G's turn, too."""
        game = gan(Adaptive(**PIPELINE, interval=1, images=100, target=None))
        solver = make_solver(partial(Unrolled, k=3, rate=0.01), game, lr=0.0)
        for _ in range(2):
            solver.round(["discriminator", "generator"], repeat(Batch(images(4, 1, 16))))
        assert game.augmentation.p.item() == pytest.approx(0.08)

    def test_signs_are_relative_to_the_boundary_of_the_loss(self):
        """LSGAN's D has target 1 for data and 0 for fakes, so that its boundary is 1/2."""
        game = gan(Adaptive(**PIPELINE, interval=1, images=100), loss=LeastSquares())
        for logit, r_t in ((0.4, -1.0), (0.6, 1.0)):
            game.discriminator.body[-1].weight.data.zero_()
            game.discriminator.body[-1].bias.data.fill_(logit)
            game.discriminator_loss(Batch(images(4, 1, 16)))
            game.augmentation.adapt()
            assert game.augmentation.r_t == r_t

    @pytest.mark.parametrize("loss", [Wasserstein(), Relativistic()])
    def test_a_loss_without_a_boundary_needs_target_null(self, loss):
        with pytest.raises(UserError, match=r"what D takes for data.*\nSet augmentation\.target=null"):
            gan(Adaptive(**PIPELINE), loss=loss)
        assert gan(Adaptive(**PIPELINE, target=None), loss=loss)

    def test_resuming_is_exact_to_the_bit(self):
        games = [gan(Adaptive(**PIPELINE, interval=2, images=50, start=0.3)) for _ in range(2)]
        batch = Batch(images(4, 1, 16))
        alternating(games[0]).round(["discriminator"] * 3 + ["generator"], repeat(batch))
        games[1].load_state_dict(games[0].state_dict())
        for game in games:
            torch.manual_seed(1)
            alternating(game).round(["discriminator", "generator"], repeat(batch))
        torch.testing.assert_close(games[0].state_dict(), games[1].state_dict(), rtol=0, atol=0)
        assert games[1].augmentation.p != 0.3

    def test_none_draws_nothing(self):
        with_none = images_gan()
        assert not list(with_none.augmentation.state_dict())
        x, state = images(2, 1, 16), torch.get_rng_state()
        with_none.critic()(x)
        assert torch.equal(torch.get_rng_state(), state)

    def test_image_augmentations_refuse_points(self):
        players = MLPGenerator((2,), 0, 3, 8, 2), MLPDiscriminator((2,), 0, 8, 2)
        with pytest.raises(UserError, match="augmentation=diff_augment transforms images"):
            GAN(*players, Objective(Hinge(), augmentation=DiffAugment(True, 0.1, 0.5))).discriminator_loss(POINTS)
        loss, _ = GAN(*players, Objective(Hinge(), augmentation=InstanceNoise(0.5, 10))).discriminator_loss(
            Batch(torch.zeros(2, 2))
        )
        assert loss.isfinite()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DiffAugment("yes", 0.1, 0.5), r"color"),
        (lambda: DiffAugment(True, 1.5, 0.5), r"translation=1\.5"),
        (lambda: DiffAugment(True, 0.1, -0.5), r"cutout=-0\.5"),
        (lambda: Adaptive(**PIPELINE, limit=2.0), r"limit=2"),
        (lambda: Adaptive(**PIPELINE, interval=0), "interval=0"),
        (lambda: InstanceNoise(-1.0, 3), r"std=-1"),
        (lambda: InstanceNoise(1.0, 0), r"turns=0"),
    ],
)
def test_invalid_arguments(make, message):
    with pytest.raises(UserError, match=message):
        make()
