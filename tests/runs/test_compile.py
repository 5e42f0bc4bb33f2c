"""Runs whose players are compiled: the same run up to rounding, exact on resume, and what is refused."""

import pytest
import torch
from omegaconf import OmegaConf
from support import configs
from support.runs import differences, outcome, state, train

from gan_cli.build import build
from gan_cli.errors import UserError
from gan_cli.games import compiled
from gan_cli.games.compiled import CompiledPlayers, compiler_errors_named
from gan_cli.parallel.draws import Dropout
from gan_cli.randomness import seed_all
from gan_cli.regularizers.base import GradientRegularizer
from gan_cli.runs import environment
from gan_cli.training.command import dry_run

# torch.compile asks non-leaf tensors for .grad, and hides the warning unless warnings are errors
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
CPU = torch.device("cpu")
TRACED = {"backend": "aot_eager", "dynamic": False}
"""Traces the players and their gradients as the default compiler does, and generates no code."""
BACKENDS = ("aot_eager", pytest.param("inductor", marks=pytest.mark.long))
QUIET = "train.steps=4 log_every=1 eval_every=0 sample_every=0 checkpoint_every=2"


@pytest.fixture
def backend(request, monkeypatch):
    """The backend of torch.compile: by default the one that generates no code."""
    name = getattr(request, "param", "aot_eager")
    if name == "aot_eager":
        monkeypatch.setattr(compiled, "COMPILER", TRACED)
    return name


def largest_difference(a, b):
    """The largest difference between two players' tensors, which have the same names, as a share of the tensor's largest."""
    assert a.keys() == b.keys()
    shares = [(a[key] - b[key]).abs().max() / a[key].abs().max().clamp(min=1e-6) for key in a if a[key].is_floating_point()]
    return max(map(float, shares))


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS, indirect=True)
def test_a_resumed_run_is_equal_to_the_bit_and_may_go_on_without_the_compiler(backend, tmp_path, capsys):
    """Batch norm and spectral norm move buffers in every forward pass."""
    cfg = configs.config(
        "features=identity regularizer=spectral_norm", f"regularizer.spectral_norm.remove_norm=false ema=0.9 {QUIET}"
    )
    train(cfg, tmp_path / "eager")
    train(cfg, tmp_path / "whole", "compile=true")
    train(cfg, tmp_path / "parts", "compile=true train.steps=2")
    train(cfg, tmp_path / "parts", "compile=true", resume=True)
    assert "warning" not in capsys.readouterr().out
    eager, whole, parts = (outcome(tmp_path / name) for name in ("eager", "whole", "parts"))
    assert [differences(whole[key], parts[key]) for key in ("game", "ema", "solver", "batches", "random", "costs")] == [[]] * 6
    assert largest_difference(eager["game"], whole["game"]) < 1e-4
    assert whole["costs"] == eager["costs"]
    assert OmegaConf.load(tmp_path / "whole" / "config.yaml").compile is True
    assert "compiled networks" in environment.hardware(environment.read(tmp_path / "whole")[0].facts)

    train(cfg, tmp_path / "parts", "train.steps=5", resume=True)
    said = " ".join(capsys.readouterr().out.split())
    assert "warning: networks not compiled instead of compiled. Only where these are the same" in said


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS, indirect=True)
@pytest.mark.parametrize("parts", [1, 2])
def test_compiled_networks_draw_the_same_numbers(backend, parts):
    """Dropout draws the numbers of the whole batch if it is divided."""
    built = build(configs.config("dataset=ring", f"compile=true train.accumulate={parts}"), CPU)
    built.game.discriminator.body.insert(2, Dropout(0.5))
    solver, batch = built.solver, built.data.train.batch(torch.arange(4))
    losses, gradients, streams = [], [], []
    for calls in (solver.compiled, None, None):
        solver.compiled = calls
        seed_all(len(losses) // 2)
        losses.append(float(solver.gradients("discriminator", batch)[0]))
        gradients.append([parameter.grad for parameter in built.game.discriminator.parameters()])
        streams.append(torch.get_rng_state())
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0] != pytest.approx(losses[2], rel=1e-3)
    torch.testing.assert_close(gradients[0], gradients[1])
    assert torch.equal(streams[0], streams[1])


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("dataset=ring loss=wgan_gp", "regularizer.gradient_penalty"),
        ("dataset=ring regularizer=[spectral_norm,r1]", "regularizer.r1"),
        ("dataset=ring solver=unrolled", "solver Unrolled"),
        ("dataset=ring solver=lookahead solver@solver.inner=consensus", "solver Consensus"),
    ],
)
def test_second_derivatives_are_refused(words, place):
    with pytest.raises(UserError) as error:
        build(configs.config(words, "compile=true train.n_critic=1"), CPU)
    assert str(error.value) == (
        f"compile=true: {place} differentiates gradients, and compiled networks have no second derivative. Use compile=false."
    )


@pytest.mark.slow
def test_a_penalty_that_does_not_declare_its_second_derivative_is_refused(backend, monkeypatch):
    monkeypatch.setattr(GradientRegularizer, "differentiates_gradients", False)
    built = build(configs.config("dataset=ring regularizer=r1", "compile=true"), CPU)
    batch = built.data.train.batch(torch.arange(4))
    with pytest.raises(UserError, match=r"^compile=true: a loss or a regularizer differentiates gradients, and compiled"):  # noqa: SIM117
        with compiler_errors_named(True):
            built.solver.gradients("discriminator", batch)


def refused(folder):
    """The error of a run that is refused before it writes anything."""
    with pytest.raises(UserError) as error:
        train(configs.config("dataset=ring"), folder, "compile=true train.steps=1")
    assert [*folder.iterdir()] == []
    return str(error.value)


@pytest.mark.slow
def test_a_failure_of_the_compiler_is_named_before_anything_is_written(monkeypatch, tmp_path):
    def backend(graph, inputs):
        raise ValueError("no such operation\n\nCommand: g++")

    monkeypatch.setattr(compiled, "COMPILER", {"backend": backend})
    assert refused(tmp_path / "run") == ("compile=true: torch.compile fails: ValueError: no such operation\nUse compile=false.")


@pytest.mark.long
def test_a_missing_compiler_is_named(tmp_path):
    from torch._inductor import config

    with config.patch({"fx_graph_cache": False, "cpp.cxx": ("no-such-compiler",)}):
        line = refused(tmp_path / "run")
    assert line.startswith("compile=true: torch.compile fails: InvalidCxxCompiler: No working C++ compiler found")


@pytest.mark.long
def test_two_processes_compile_the_run_of_one(tmp_path):
    cfg = configs.config("dataset=ring", f"compile=true {QUIET}")
    for count in (1, 2):
        train(cfg, tmp_path / str(count), f"processes={count}")
    assert largest_difference(*(state(tmp_path / name)["game"] for name in "12")) < 1e-4


def test_players_are_compiled_in_losses_alone():
    game = build(configs.config("dataset=ring"), CPU).game
    players = CompiledPlayers(game)
    generator, discriminator = game.generator, game.discriminator
    with players.called_for([*generator.parameters()]):
        assert all("forward" in vars(player) for player in (generator, discriminator))
        assert not any(parameter.requires_grad for parameter in discriminator.parameters())
        assert all(parameter.requires_grad for parameter in generator.parameters())
    assert not any("forward" in vars(player) for player in (generator, discriminator))
    assert all(parameter.requires_grad for parameter in game.parameters())


@pytest.mark.long
def test_a_dry_run_compiles(backend, tmp_path, capsys):
    dry_run(configs.config("dataset=ring", "compile=true"), tmp_path / "run")
    said = " ".join(capsys.readouterr().out.split())
    assert "compiled in " in said
    assert "activations at the peak of a round" in said
