"""A run opened again: from Python, by gan-sample."""

import numpy as np
import pytest
import torch
from PIL import Image
from support import configs
from support.runs import differences, state, train

import gan_cli
from gan_cli import drawing
from gan_cli.config.grammar import quote
from gan_cli.errors import UserError
from gan_cli.games.base import slerp
from gan_cli.games.sampling import decode
from gan_cli.inference.command import sample_command
from gan_cli.randomness import fork_rng, random_state
from gan_cli.runs import checkpoint
from gan_cli.runs.trained import named_checkpoint

pytestmark = pytest.mark.slow

STEPS = "train.steps=6 eval_every=3 checkpoint_every=3 sample_every=0 ema=0.9 seed=5"


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "points = 1, ö"
    train(configs.config("dataset=ring", f"{STEPS} metric.n_samples=20"), folder)
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "images"
    train(configs.config("features=identity", f"{STEPS} optimizer.lr=0.01"), folder)
    return folder


def command(name: str, folder, **values):
    """The config of gan-sample."""
    overrides = [f"run={quote(str(folder))}", "device=cpu", *(f"{key}={value}" for key, value in values.items())]
    return configs.compose_command(name, overrides)


def test_samples_of_images(images):
    run = gan_cli.load(images)
    x = run.sample(16)
    assert (x.shape, x.dtype, x.device.type) == ((16, 1, 8, 8), torch.float32, "cpu")
    assert -1 <= x.min() < x.max() <= 1
    assert torch.isfinite(x).all()
    assert not x.requires_grad


def test_samples_of_points(points):
    run = gan_cli.load(str(points))
    assert run.sample(16).shape == (16, 2)
    assert (run.step, run.classes, run.shape) == (6, 8, (2,))


def test_samples_are_seeded_and_leave_the_streams_alone(images):
    before = random_state(torch.device("cpu"))
    run = gan_cli.load(images)
    a, b, c = run.sample(5, seed=3), run.sample(5, seed=3), run.sample(5, seed=4)
    d = gan_cli.load(images).sample(5, seed=3)
    assert torch.equal(a, b)
    assert torch.equal(a, d)
    assert not torch.equal(a, c)
    assert differences(before, random_state(torch.device("cpu"))) == []


def test_averaged_and_live_players_differ(images):
    averaged, live = gan_cli.load(images), gan_cli.load(images, ema=False)
    assert not torch.equal(averaged.sample(4), live.sample(4))
    saved = state(images)
    assert differences(dict(live.game.state_dict()), dict(saved["game"])) == []
    assert differences(dict(averaged.game.state_dict()), dict(saved["ema"])) == []
    assert not averaged.game.training


def test_a_checkpoint_by_step_and_by_path(images):
    first, last = gan_cli.load(images, 3), gan_cli.load(images, "last")
    assert (first.step, last.step) == (3, 6)
    assert not torch.equal(first.sample(4), last.sample(4))
    by_path = gan_cli.load(images, str(checkpoint.path_of(images, 3)))
    assert torch.equal(by_path.sample(4), first.sample(4))
    assert torch.equal(gan_cli.load(images, "3").sample(4), first.sample(4))


def test_what_is_not_there_is_a_sentence(images, tmp_path):
    cases = [
        ((tmp_path / "nothing",), "no run in"),
        ((images / "checkpoints",), r"Did you mean .*images\?"),
        ((images, 4), "no checkpoint of step 4. There are: 3, 6"),
        ((images, tmp_path / "some.pt"), "no checkpoint .*some.pt"),
        ((images, images / "config.yaml"), "cannot be read"),
        ((images, "last", True, "cuda:77"), "device=cuda:77 is not available. Use one of: .*cpu"),
    ]
    for arguments, message in cases:
        with pytest.raises(UserError, match=message):
            gan_cli.load(*arguments)
    (tmp_path / "config.yaml").write_text("seed: 0")
    with pytest.raises(UserError, match="holds no checkpoint yet"):
        gan_cli.load(tmp_path)


def test_a_config_that_would_do_other_things_is_refused(images, tmp_path):
    trace = tmp_path / "trace"
    content = checkpoint.load(checkpoint.path_of(images, 6))
    content["config"]["loss"] = {"_target_": "os.system", "command": f"touch {trace}"}
    foreign = checkpoint.save(tmp_path, 6, content)
    with pytest.raises(UserError, match=r"loss\._target_=os\.system is no component"):
        gan_cli.load(images, str(foreign))
    assert not trace.exists()


def test_the_data_set_is_not_needed(images, monkeypatch):
    monkeypatch.setattr("gan_cli.data.images.fashion_mnist_mini.FILE", None)
    assert gan_cli.load(images).sample(2).shape == (2, 1, 8, 8)


def test_interpolation_ends_at_the_samples_of_its_latents(images):
    run = gan_cli.load(images)
    walk = run.interpolate(3, 5, seed=2).unflatten(0, (3, 5))
    torch.testing.assert_close(walk[:, 0], run.sample(3, seed=2), atol=1e-5, rtol=0)
    with fork_rng(2, torch.device("cpu")):
        _, end = run.game.latents(3), run.game.latents(3)
    torch.testing.assert_close(walk[:, -1], decode(run.game, end), atol=1e-5, rtol=0)
    steps = (walk[:, 1:] - walk[:, :-1]).flatten(2).norm(dim=2)
    whole = (walk[:, -1] - walk[:, 0]).flatten(1).norm(dim=1)
    assert (steps.max(dim=1).values < whole).all(), "a walk, not a jump"


def test_slerp():
    t = torch.linspace(0, 1, 7)[:, None]
    path = slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), t)
    expected = torch.cat([torch.cos(t * torch.pi / 2), torch.sin(t * torch.pi / 2)], 1)
    torch.testing.assert_close(path, expected)
    a = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(slerp(a, 3 * a, t[..., None]), a * (1 + 2 * t)[..., None])
    assert slerp(a, torch.zeros_like(a), t[..., None]).isfinite().all()


@pytest.mark.parametrize("run", ["points", "images"])
def test_a_grid(run, request):
    folder = request.getfixturevalue(run)
    path = sample_command(command("sample", folder, n=9, seed=1))
    assert path == folder / "samples" / "grid_step_00000006_seed_1.png"
    content = path.read_bytes()
    with Image.open(path) as picture:
        assert picture.size == ((600, 600) if run == "points" else (3 * 80 + 16, 3 * 80 + 16))
    assert sample_command(command("sample", folder, n=9, seed=1)).read_bytes() == content
    assert sample_command(command("sample", folder, n=9, seed=2)).read_bytes() != content
    assert sample_command(command("sample", folder, n=9, seed=1, ema=False)).read_bytes() != content


def test_a_truncated_grid(images):
    name = "grid_step_00000006_seed_1_truncation_0.5_standing_statistics_2.png"
    path = sample_command(command("sample", images, n=9, seed=1, truncation=0.5, standing_statistics=2))
    assert path == images / "samples" / name
    assert path.read_bytes() != sample_command(command("sample", images, n=9, seed=1)).read_bytes()
    assert path.read_bytes() != sample_command(command("sample", images, n=9, seed=1, truncation=0.5)).read_bytes()
    truncated = gan_cli.load(images, truncation=0.5)
    assert truncated.game.latents(100).abs().max() <= 0.5
    assert truncated.interpolate(1, 3).shape[0] == 3


def test_single_images(images, tmp_path):
    out = sample_command(command("sample", images, mode="single", n=5, seed=1, out=quote(str(tmp_path / "fakes = 5"))))
    files = sorted(out.iterdir())
    assert out == tmp_path / "fakes = 5"
    assert [file.name for file in files] == [f"{index:05d}.png" for index in range(5)]
    loaded = gan_cli.load(images).sample(5, seed=1)
    for file, sample in zip(files, loaded, strict=True):
        with Image.open(file) as picture:
            assert (picture.size, picture.mode) == ((8, 8), "L")
            assert np.array_equal(np.asarray(picture), drawing.to_uint8(sample)[0].numpy())


def test_images_of_an_earlier_command_do_not_stay_among_new_ones(images, tmp_path):
    def write(n):
        return sample_command(command("sample", images, mode="single", n=n, out=str(tmp_path / "fakes")))

    write(3)
    write(4)  # which replaces all three
    with pytest.raises(UserError, match=r"fakes holds 1 image that this command does not replace, as 00003\.png\. Remove"):
        write(3)
    assert len(list((tmp_path / "fakes").iterdir())) == 4
    (tmp_path / "fakes" / "photo.jpg").touch()
    with pytest.raises(UserError, match=r"as photo\.jpg"):
        write(4)


def test_default_names_tell_samples_with_and_without_the_averages(images):
    names = [sample_command(command("sample", images, n=4, ema=ema)).name for ema in (True, False)]
    assert names == ["grid_step_00000006_seed_0.png", "grid_step_00000006_seed_0_without_ema.png"]


def test_single_points(points):
    out = sample_command(command("sample", points, mode="single", n=5, seed=1, checkpoint=3))
    assert out == points / "samples" / "single_step_00000003_seed_1"
    (file,) = out.iterdir()
    written = torch.from_numpy(np.loadtxt(file, delimiter=",", dtype=np.float32))
    assert torch.equal(written, gan_cli.load(points, 3).sample(5, seed=1))


@pytest.mark.parametrize("run", ["points", "images"])
@pytest.mark.parametrize(
    ("n", "walks", "length"),
    [(15, 2, 8), (1, 1, 1), *(pytest.param(*one, marks=pytest.mark.long) for one in ((16, 2, 8), (3, 1, 3)))],
)
def test_an_interpolation(run, n, walks, length, request, capsys):
    folder = request.getfixturevalue(run)
    path = sample_command(command("sample", folder, mode="interpolation", n=n, seed=4))
    assert f"{n} samples of step 6" in capsys.readouterr().out
    with Image.open(path) as picture:
        if run == "points":
            assert picture.size == (600, 600)
        else:
            assert picture.size == ((length * 80 + 16, walks * 80 + 16) if n > 1 else (64, 64))
            expected = drawing.grid(gan_cli.load(folder).interpolate(walks, length, seed=4)[:n], columns=length)
            assert np.array_equal(np.asarray(picture), expected[..., 0])


def test_without_a_recorded_metric_gan_eval_measures_the_best_checkpoint(tmp_path):
    with pytest.raises(
        UserError, match=r"training has measured no checkpoint of .*\ngan-eval .* checkpoint=best measures them"
    ):
        named_checkpoint(tmp_path, "best")
