"""Samples: decided by their seed, truncated where asked, and leaving everything as it was."""

import math

import pytest
import torch
from support.players import Numbers, images_gan, noisy_gan, points_gan

from gan_cli.errors import UserError
from gan_cli.games import sampling
from gan_cli.games.analytic.two_parameter import Saddle
from gan_cli.games.sampling import (
    Readable,
    choose,
    chunks,
    cycling_labels,
    decode,
    eval_mode,
    generate,
    preserve_buffers,
    set_standing_statistics,
    truncate,
)
from gan_cli.randomness import fork_rng, random_state
from gan_cli.regularizers.spectral_norm import SpectralNorm
from gan_cli.types import Batch

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def spectral_images_gan():
    game = images_gan(regularizers=[SpectralNorm(remove_norm=False, players=["generator", "discriminator"])])
    game.generator.body[1].running_mean.normal_()  # batch norm in training mode would not look at it
    return game


GAMES = [points_gan, images_gan, spectral_images_gan, noisy_gan]


@pytest.mark.parametrize("make", GAMES)
class TestGenerate:
    def test_seed_decides(self, make):
        game = make()
        first = generate(game, 5, seed=3)
        torch.randn(10)
        assert torch.equal(generate(game, 5, seed=3), first)
        assert not torch.equal(generate(game, 5, seed=4), first)
        assert len(first) == 5
        assert first.dtype == torch.float32
        assert not first.requires_grad

    def test_training_mode_does_not(self, make):
        game = make()
        trained = generate(game.train(), 5, seed=3)
        assert torch.equal(generate(game.eval(), 5, seed=3), trained)

    def test_leaves_everything_as_it_was(self, make):
        game = make().train()
        state = {name: value.clone() for name, value in game.state_dict().items()}
        stream = torch.get_rng_state()
        generate(game, 5, seed=3)
        assert torch.equal(torch.get_rng_state(), stream)
        assert all(torch.equal(value, state[name]) for name, value in game.state_dict().items())
        assert all(module.training for module in game.modules())
        assert torch.is_grad_enabled()
        assert not any(module.training for module in game.eval().modules())


@pytest.mark.parametrize("make", GAMES[:-1])  # what the last one draws while it samples does depend on the chunks
def test_chunks_do_not_matter(make, monkeypatch):
    game = make()
    latents = game.latents(10)
    whole = decode(game, latents)
    monkeypatch.setattr(sampling, "CHUNK", 3)
    assert decode(game, latents).shape == whole.shape
    torch.testing.assert_close(decode(game, latents), whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", GAMES)
def test_chunks_are_the_samples_and_leave_the_stream_between_them(make, monkeypatch):
    monkeypatch.setattr(sampling, "CHUNK", 3)
    game, stream, sizes, parts = make(), torch.get_rng_state(), [], []
    for part in chunks(game, 8, seed=3):
        assert torch.equal(torch.get_rng_state(), stream)
        torch.randn(1)  # whoever draws between the parts changes none of them
        stream = torch.get_rng_state()
        sizes.append(len(part))
        parts.append(part)
    assert sizes == [3, 3, 2]
    with fork_rng(3, CPU):
        assert torch.equal(torch.cat(parts), decode(game, game.latents(8)))


def test_conditions_are_read_when_their_turn_comes(monkeypatch):
    monkeypatch.setattr(sampling, "CHUNK", 4)
    read = []
    y = Readable(6, lambda indices: (read.append(len(indices)), torch.tensor([*indices]))[1])
    parts = chunks(noisy_gan(), len(y), 0, y)
    assert read == []
    next(parts)
    assert read == [4]
    assert torch.equal(torch.cat([*chunks(noisy_gan(), 6, 0, y)]), generate(noisy_gan(), 6, 0, torch.arange(6)))


def test_labels_go_with_their_latents(monkeypatch):
    monkeypatch.setattr(sampling, "CHUNK", 4)
    y = torch.arange(10)
    assert torch.equal((generate(noisy_gan(), 10, 0, y).mean(1) / 100).round().long(), y)


class TestEvaluating:
    def test_no_graph_and_eval_mode_inside(self):
        game = images_gan()
        with eval_mode(game):
            assert not game.training
            assert not game.generator.training
            assert not torch.is_grad_enabled()
        assert game.training
        assert torch.is_grad_enabled()

    def test_every_part_returns_to_its_own_mode(self):
        game = images_gan()
        game.generator.body[1].eval()  # a frozen layer
        with eval_mode(game):
            pass
        resting = [module for module in game.modules() if not module.training]
        assert resting == [game.generator.body[1]]

    def test_after_an_error(self):
        game = images_gan()
        with pytest.raises(ZeroDivisionError), eval_mode(game):
            raise ZeroDivisionError
        assert game.training


class TestUntouched:
    def test_buffers_move_and_are_put_back(self):
        game = spectral_images_gan()
        before = {name: buffer.clone() for name, buffer in game.named_buffers()}
        batch = Batch(torch.randn(4, 1, 16, 16))
        with torch.no_grad(), preserve_buffers(game):
            game.estimate(batch)
            moved = [name for name, buffer in game.named_buffers() if not torch.equal(buffer, before[name])]
        assert any("running_mean" in name for name in moved), "else this test would show nothing"
        assert any("_u" in name for name in moved)
        assert all(torch.equal(buffer, before[name]) for name, buffer in game.named_buffers())

    def test_after_an_error(self):
        game = images_gan()
        before = [buffer.clone() for buffer in game.buffers()]
        with pytest.raises(ZeroDivisionError), preserve_buffers(game):
            raise ZeroDivisionError(game.generator(torch.randn(4, 5)))
        assert all(torch.equal(a, b) for a, b in zip(before, game.buffers(), strict=True))


class TestChoose:
    def test_without_replacement_and_seeded(self):
        batch = choose(Numbers(100), 40, seed=1)
        assert len(set(batch.x[:, 0].tolist())) == 40
        assert torch.equal(batch.x[:, 0].long() % 3, batch.y)
        assert torch.equal(choose(Numbers(100), 40, seed=1).x, batch.x)
        assert not torch.equal(choose(Numbers(100), 40, seed=2).x, batch.x)

    def test_all_of_a_small_one(self):
        batch = choose(Numbers(7), 40, seed=1)
        assert batch.x[:, 0].sort().values.tolist() == list(range(7))

    def test_leaves_the_stream(self):
        before = torch.get_rng_state()
        choose(Numbers(7), 3, seed=1)
        assert torch.equal(torch.get_rng_state(), before)


def test_cycling_labels():
    assert cycling_labels(7, 3).tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert cycling_labels(7, 0) is None


def test_decode_keeps_the_order():
    game = points_gan()
    latents = game.latents(6)
    torch.testing.assert_close(decode(game, latents.flip(0)), decode(game, latents).flip(0))
    assert decode(game, latents[:1]).shape == (1, 2)


class TestTruncation:
    @pytest.mark.parametrize("threshold", [0.02, 0.5, 1.0, 2.0, 40.0])
    def test_the_law_is_the_normal_one_given_the_bound(self, threshold):
        game = points_gan()
        truncate(game, threshold)
        z = game.latents(20_000).flatten()
        assert z.abs().max() <= threshold
        inside = math.erf(threshold / math.sqrt(2))
        variance = 1 - math.sqrt(2 / math.pi) * threshold * math.exp(-(threshold**2) / 2) / inside
        assert z.mean().abs() < 5 * math.sqrt(variance / len(z))
        assert z.var().item() == pytest.approx(variance, rel=5 * math.sqrt(2 / len(z)))
        below = float((z.abs() < threshold / 2).double().mean())
        assert below == pytest.approx(math.erf(threshold / math.sqrt(8)) / inside, abs=2.5 / math.sqrt(len(z)))

    def test_seed_decides_and_players_stay(self):
        game, plain = images_gan(), images_gan()
        plain.load_state_dict(game.state_dict())
        before = random_state(CPU)
        truncate(game, 0.5)
        assert torch.equal(random_state(CPU)["torch"], before["torch"])
        assert torch.equal(generate(game, 5, seed=3), generate(game, 5, seed=3))
        assert not torch.equal(generate(game, 5, seed=3), generate(plain, 5, seed=3))
        latents = plain.latents(4)
        assert torch.equal(decode(game, latents), decode(plain, latents))

    def test_latents_that_are_not_normal(self):
        with pytest.raises(UserError, match="truncation is for games whose generator takes latents from N"):
            truncate(Saddle(theta=1.0, phi=1.0), 0.5)

    @pytest.mark.parametrize("threshold", [0, -1.0, "half", float("nan")])
    def test_a_threshold_that_is_none(self, threshold):
        with pytest.raises(UserError, match=r"truncation=.*: it must be a number above 0"):
            truncate(points_gan(), threshold)


class TestStandingStatistics:
    def test_are_the_means_over_batches(self, monkeypatch):
        monkeypatch.setattr(sampling, "CHUNK", 20)
        game = images_gan()
        seen = []
        game.generator.body[1].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        set_standing_statistics(game, 3, classes=0)
        norm = game.generator.body[1]
        assert [len(x) for x in seen] == [20, 20, 20]
        torch.testing.assert_close(norm.running_mean, torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0))
        torch.testing.assert_close(norm.running_var, torch.stack([x.var((0, 2, 3)) for x in seen]).mean(0))
        assert (norm.momentum, norm.training) == (0.1, True)

    def test_of_the_truncated_latents(self, monkeypatch):
        monkeypatch.setattr(sampling, "CHUNK", 50)
        game = images_gan()
        set_standing_statistics(game, 2, classes=0)
        wide = game.generator.body[1].running_var.clone()
        truncate(game, 0.1)
        set_standing_statistics(game, 2, classes=0)
        assert (game.generator.body[1].running_var < 0.1 * wide).all()

    def test_only_what_samples_pass_through_changes(self):
        game = images_gan()
        before = {name: value.clone() for name, value in game.state_dict().items()}
        stream = torch.get_rng_state()
        set_standing_statistics(game, 1, classes=0)
        changed = {name for name, value in game.state_dict().items() if not torch.equal(value, before[name])}
        assert {name.rpartition(".")[2] for name in changed} == {"running_mean", "running_var", "num_batches_tracked"}
        assert all(name.startswith("generator.") for name in changed)
        assert torch.equal(torch.get_rng_state(), stream)

    def test_where_there_is_no_batch_norm(self):
        with pytest.raises(UserError, match="this run's samples pass through none"):
            set_standing_statistics(points_gan(), 1, classes=0)
