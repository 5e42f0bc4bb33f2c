"""Checks that a part of your own keeps the contract of its base class; the project's own parts pass the same ones.

Each check raises an AssertionError that says what the contract demands. They draw from torch's default generators.
"""

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import repeat

import torch
from torch import Tensor, nn

from gan_cli.data.base import Data, Dataset, seeded_generator
from gan_cli.data.record import DataRecord
from gan_cli.errors import UserError
from gan_cli.games.base import Game, differentiable_in_all_players
from gan_cli.games.gan import GAN
from gan_cli.games.objective import Objective
from gan_cli.games.sampling import generate
from gan_cli.losses.base import Loss
from gan_cli.losses.non_saturating import NonSaturating
from gan_cli.metrics.base import Metric
from gan_cli.metrics.features.base import Encoded
from gan_cli.models.base import Generator
from gan_cli.models.mlp import MLPDiscriminator, MLPGenerator
from gan_cli.parallel.division import Division
from gan_cli.parallel.share import NeedsWholeBatch
from gan_cli.regularizers.base import Judged, Regularizer
from gan_cli.solvers.alternating import Alternating
from gan_cli.solvers.base import Problem, Solver
from gan_cli.types import Batch

CPU = torch.device("cpu")


def check_loss(loss: Loss) -> None:
    """Check a loss on logits of several shapes and sizes."""
    real = torch.linspace(-1.5, 2, 12, dtype=torch.float64)
    fake = torch.linspace(-2, 1, 12, dtype=torch.float64).flip(0)
    methods = ("discriminator_loss", "generator_loss")
    for name in methods:
        value = _loss(loss, name, real, fake)
        _require(value.shape == (), f"{name} must return a scalar, not shape {tuple(value.shape)}")
        for shape in ((12, 1), (3, 4), (2, 1, 2, 3)):
            same = torch.allclose(_loss(loss, name, real.reshape(shape), fake.reshape(shape)), value)
            _require(same, f"{name} must average over logits of any shape, batch first: {shape} differs from [12]")
        twice = _loss(loss, name, torch.cat([real, real]), torch.cat([fake, fake]))
        _require(torch.allclose(twice, value), f"{name} must be a mean over the batch, not a sum")
        for size in (100.0, 1e4):
            for sign in (1, -1):
                sure = [torch.tensor([sign * side * size], requires_grad=True) for side in (1, -1)]
                value = _loss(loss, name, *sure)
                gradients = torch.autograd.grad(value, sure, allow_unused=True)
                finite = all(part is None or bool(part.isfinite()) for part in (value, *gradients))
                _require(finite, f"{name} and its gradient must be finite for logits of ±{size:g}")
    _check_directions(loss)
    logits = real.clone().requires_grad_()
    value = _loss(loss, "generator_loss", logits, fake.clone().requires_grad_())
    (gradient,) = torch.autograd.grad(value, logits, allow_unused=True)
    _require((gradient is not None) == loss.looks_at_real, "looks_at_real must say whether generator_loss uses real")
    if not loss.looks_at_real:
        ignores = torch.equal(_loss(loss, "generator_loss", real[:0], fake), _loss(loss, "generator_loss", real, fake))
        _require(ignores, "generator_loss must not use real unless looks_at_real is True")
    for name, estimate in deepcopy(loss).estimate(real, fake).items():
        _require("/" not in name, f"estimate {name!r} must be named without a slash")
        _require(estimate.shape == () and bool(estimate.isfinite()), f"estimate {name!r} must be a finite scalar")
        shaped = deepcopy(loss).estimate(real.reshape(3, 4), fake.reshape(3, 4))[name]
        _require(torch.allclose(shaped, estimate), f"estimate {name!r} must average over logits of any shape")
    if loss.never_negative:
        grid = torch.cartesian_prod(*[torch.linspace(-9, 9, 13, dtype=torch.float64)] * 2)
        least = min(float(_loss(loss, name, a, b)) for a, b in grid for name in methods)
        _require(least >= 0, f"never_negative is True, but a loss of {least:g} was found")
    if loss.boundary is not None:
        _check_boundary(loss, loss.boundary)


def check_regularizer(regularizer: Regularizer) -> None:
    """Check a regularizer on the discriminator of a small GAN in the plane: its change, its penalty and its constraint."""
    torch.manual_seed(0)
    x, fake = torch.randn(8, 2), torch.randn(8, 2)
    network = regularizer.transform(MLPDiscriminator((2,), 0, 16, 3))
    logits = network(x)
    _require(isinstance(network, nn.Module) and logits.shape == (8,), "transform must return a network of the same outputs")
    before = torch.random.get_rng_state()
    penalty = regularizer.penalty(network, network, Judged(x, fake, logits, network(fake)))
    _require(penalty.shape == () and bool(penalty.isfinite()), "penalty must return a finite scalar")
    if regularizer.penalizes:
        gradients = torch.autograd.grad(penalty, list(network.parameters()), allow_unused=True)
        finite = [bool(gradient.isfinite().all()) for gradient in gradients if gradient is not None]
        _require(bool(finite) and all(finite), "penalty must have a finite gradient with respect to the player's parameters")
        torch.random.set_rng_state(before)
        again = regularizer.penalty(network, network, Judged(x, fake, logits, network(fake)))
        _require(torch.allclose(again, penalty), "penalty must repeat itself on the same samples and random numbers")
    regularizer.constrain(network)
    weights = [parameter.detach().clone() for parameter in network.parameters()]
    regularizer.constrain(network)
    same = all(torch.equal(a, b) for a, b in zip(weights, network.parameters(), strict=True))
    _require(same, "constrain must leave weights alone that it has just constrained")
    check_game(points_gan(regularizer=regularizer), Batch(torch.randn(8, 2)))


def check_network(network: nn.Module, shape: Sequence[int], classes: int = 0) -> None:
    """Check a generator, or a discriminator, of samples of ``shape`` with ``classes`` labels (0 without labels)."""
    y = torch.arange(4) % classes if classes else None
    if isinstance(network, Generator):
        x = torch.randn(4, *network.latent_shape)
        _require(network(x, y).shape == (4, *shape), f"a generator must return samples of shape {(4, *shape)}")
    else:
        x = torch.randn(4, *shape)
        _require(network(x, y).shape[:1] == (4,), "a discriminator must return logits, batch first")
    out = network(x, y)
    _require(bool(out.isfinite().all()), "the outputs must be finite")
    gradients = torch.autograd.grad(out.square().sum(), list(network.parameters()), allow_unused=True)
    unused = [name for (name, _), one in zip(network.named_parameters(), gradients, strict=True) if one is None]
    _require(not unused, f"the outputs must depend on every parameter, but not on {', '.join(unused)}")
    network.eval()
    copy = deepcopy(network)
    copy.load_state_dict(network.state_dict())
    _require(torch.equal(network(x, y), copy(x, y)), "in eval mode equal states must give equal outputs")
    network.train()


def check_game(game: Game, batch: Batch) -> None:
    """Check the turns of a game on a batch, and that its samples repeat themselves."""
    turns = game.turns()
    for name, turn in turns.items():
        unknown = set(turn.players) - set(game.players())
        _require(not unknown, f"turn {name!r} moves {', '.join(unknown)}, which players() does not list")
        for in_all in (False, True):
            torch.manual_seed(0)
            if in_all:
                with differentiable_in_all_players():
                    loss, stats = turn.loss(batch)
            else:
                loss, stats = turn.loss(batch)
            _require(loss.shape == () and bool(loss.isfinite()), f"the loss of turn {name!r} must be a finite scalar")
            gradients = torch.autograd.grad(loss, list(turn.parameters), allow_unused=True)
            _require(any(g is not None for g in gradients), f"the loss of turn {name!r} must depend on its own players")
            scalars = all(value.shape == () for value in stats.values())
            _require(scalars, f"the numbers that turn {name!r} reports must be scalars")
        _check_parts(game, name, batch)
    samples = generate(deepcopy(game), 3, 0, None if batch.y is None else batch.y[:3])
    again = generate(deepcopy(game), 3, 0, None if batch.y is None else batch.y[:3])
    _require(len(samples) == 3 and bool(samples.isfinite().all()), "sample must return one finite sample for each latent")
    _require(torch.equal(samples, again), "equal seeds must give equal samples")


def check_solver(make: Callable[[Problem], Solver]) -> None:
    """Check a solver, made by ``make(problem)``, on a small GAN in the plane: its numbers, its moves and its state."""
    torch.manual_seed(0)
    batch, game = Batch(torch.randn(8, 2)), points_gan()

    def played(game: Game, state: dict[str, object] | None = None) -> Solver:
        turns = game.turns()
        optimizers = {name: torch.optim.Adam(turn.parameters, lr=0.01) for name, turn in turns.items()}
        solver = make(Problem(turns, optimizers))
        if state is not None:
            solver.load_state_dict(state)
        torch.manual_seed(1)
        stats = solver.round(list(turns), repeat(batch))
        missing = {f"{kind}/{name}" for kind in ("loss", "grad_norm") for name in turns} - set(stats)
        _require(not missing, f"round must report {', '.join(sorted(missing))}")
        plain = all(value.shape == () and not value.requires_grad for value in stats.values())
        _require(plain, "round must report scalars that are no part of a graph")
        return solver

    before = [parameter.detach().clone() for parameter in game.parameters()]
    solver = played(game)
    moved = any(not torch.equal(a, b) for a, b in zip(before, game.parameters(), strict=True))
    _require(moved, "a round must move the players")
    resumed, state = deepcopy(game), deepcopy(solver.state_dict())
    torch.manual_seed(1)
    solver.round(list(solver.turns), repeat(batch))
    played(resumed, state)
    equal = all(torch.equal(a, b) for a, b in zip(game.parameters(), resumed.parameters(), strict=True))
    _require(equal, "a solver that loads the state of another one must continue as that one does, to the bit")
    try:
        solver.check(["nobody"])
    except UserError:
        return
    raise AssertionError("check must refuse a turn that the game does not have")


def check_dataset(data: Data) -> None:
    """Check both parts of a data set: shapes, labels, that reading repeats itself, and the record of it."""
    for name, part in (("train", data.train), ("heldout", data.heldout)):
        _require((part.shape, part.classes) == (data.shape, data.classes), "both parts must have the same shape and classes")
        if not part.unlimited:
            _check_part(name, part)
    _check_record(data)


def check_metric(metric: Metric, data: Data) -> None:
    """Check a metric between the training part of ``data`` and its held-out part."""
    metric = metric.fitted(data, CPU)
    n = min(len(data.train), len(data.heldout), metric.n_samples or 1)
    real, fake = (metric.features.encode(part.batch(torch.arange(n)).x) for part in (data.train, data.heldout))
    check_numbers(metric, real, fake)


def check_numbers(metric: Metric, real: Encoded, fake: Encoded) -> None:
    """Check the numbers of a metric between encoded samples: the primary one, the errors, and what is stored with them."""
    values = metric.measure(real, fake)
    _require(next(iter(values)) == metric.name, "measure must return the primary number first, under the metric's name")
    primary = values[metric.name].higher_is_better
    _require(primary == metric.higher_is_better, "the primary number must say higher_is_better as the metric does")
    repeated = repr(metric.measure(real, fake)) == repr(values)  # as text, because NaN is not equal to itself
    _require(repeated, "measure must repeat itself to the bit")
    _require(metric.with_errors(real, fake).keys() == values.keys(), "with_errors must return the numbers of measure")
    json.dumps([metric.settings(), metric.details(real, fake)])  # raises unless both are plain data


def points_gan(loss: Loss | None = None, regularizer: Regularizer | None = None) -> GAN:
    """Return a GAN of two small perceptrons in the plane."""
    players = MLPGenerator((2,), 0, 3, 16, 3), MLPDiscriminator((2,), 0, 16, 3)
    return GAN(*players, Objective(loss or NonSaturating(), {} if regularizer is None else {"mine": regularizer}))


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _check_parts(game: Game, name: str, batch: Batch) -> None:
    """Check that the parts of a batch give the loss of the whole one, unless the game refuses them or has batch norm."""
    if len(batch.x) % 2 or any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in game.modules()):
        return
    losses = []
    for parts in (1, 2):
        copy = deepcopy(game)
        solver = Alternating(Problem(copy.turns(), {}, division=Division(parts, copy)))
        torch.manual_seed(0)
        try:
            losses.append(solver.value(name, batch))
        except NeedsWholeBatch:
            return
        except UserError as error:
            raise AssertionError(f"turn {name!r}: {error}") from error
    _require(
        torch.allclose(losses[0], losses[1], 1e-5, 1e-6),
        f"the loss of turn {name!r} is no mean over samples: where it looks at the whole batch, call need_whole_batch",
    )


def _loss(loss: Loss, method: str, real: Tensor, fake: Tensor) -> Tensor:
    """Return one loss of a copy, so that a loss that remembers something begins afresh."""
    value: Tensor = getattr(deepcopy(loss), method)(real, fake)
    return value


def _check_directions(loss: Loss) -> None:
    real, fake = torch.tensor([-0.5, 0.2], requires_grad=True), torch.tensor([0.1, 0.6], requires_grad=True)
    up, down = torch.autograd.grad(_loss(loss, "discriminator_loss", real, fake), (real, fake))
    _require(bool((up < 0).all()), "a smaller discriminator_loss must raise the logits of the data")
    _require(bool((down > 0).all()), "a smaller discriminator_loss must lower the logits of the fakes")
    (pull,) = torch.autograd.grad(_loss(loss, "generator_loss", real.detach(), fake), fake)
    _require(bool((pull < 0).all()), "a smaller generator_loss must raise the logits of the fakes")


def _check_boundary(loss: Loss, boundary: float) -> None:
    v = torch.linspace(-6, 6, 241, dtype=torch.float64)
    cost = torch.stack([_loss(loss, "discriminator_loss", one[None], one[None]) for one in v])
    here = torch.tensor([boundary], dtype=torch.float64)
    least = bool(_loss(loss, "discriminator_loss", here, here) <= cost.min() + 1e-12)
    ratio = loss.log_ratio(here)
    _require(ratio is None or abs(float(ratio)) < 1e-9, f"log_ratio must be 0 at boundary={boundary:g}")
    flat = v[cost <= cost.min() + 1e-9]  # the hinge's is flat between -1 and 1
    message = f"boundary={boundary:g} must be the middle of the logits v with the least discriminator_loss(v, v)"
    _require(least and abs(float(flat.mean()) - boundary) < 1e-6, message)


def _check_part(name: str, part: Dataset) -> None:
    rows = part.order(seeded_generator("check"))
    _require(torch.equal(rows, part.order(seeded_generator("check"))), f"{name}: order must follow its generator alone")
    x, y = part.batch(rows[:4])
    _require(x.dtype == torch.float32 and x.shape[1:] == part.shape, f"{name}: x must be float32 [B, *{tuple(part.shape)}]")
    _require(bool(x.isfinite().all()), f"{name}: samples must be finite")
    _require(torch.equal(x, part.batch(rows[:4]).x), f"{name}: equal indices must give equal samples")
    if len(part.shape) == 3:
        _require(bool((x.abs() <= 1).all()), f"{name}: images must lie in [-1, 1]")
    if part.classes:
        _require(y is not None and y.dtype == torch.int64, f"{name}: labels must be int64 [B]")
        _require(y is not None and 0 <= int(y.min()) <= int(y.max()) < part.classes, f"{name}: labels must be below classes")


def _check_record(data: Data) -> None:
    before = torch.random.get_rng_state()
    record = DataRecord.of(data)
    _require(torch.equal(before, torch.random.get_rng_state()), "reading all samples must not draw from torch's generator")
    _require(DataRecord.of(data) == record, "samples and origins must be the same whenever they are read")
    plain = record.to_dict()
    _require(DataRecord.from_dict(json.loads(json.dumps(plain))).to_dict() == plain, "origins must be plain data")
    _require((record.train, record.heldout) == (len(data.train), len(data.heldout)), "the record must count all samples")
    for name, part in (("train", data.train), ("heldout", data.heldout)):
        counts = [getattr(one, name) for one in record.classes]
        _require(not counts or None in counts or sum(counts) == len(part), f"{name}: known_labels must label every sample")
