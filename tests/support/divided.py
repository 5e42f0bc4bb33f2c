"""Games whose batches are divided: played in double precision by one process or by two, of which ``main`` is the second."""

import sys
from collections.abc import Iterator, Sequence

import torch
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.distributed import TCPStore

from gan_cli.build import build
from gan_cli.data.stream import Stream
from gan_cli.parallel.ranks import Ranks, among
from gan_cli.randomness import seed_all
from gan_cli.types import Batch
from support import configs

CPU = torch.device("cpu")


def doubled(batches: Iterator[Batch]) -> Iterator[Batch]:
    for x, y in batches:
        yield Batch(x.double(), y.double() if y is not None and y.is_floating_point() else y)


def config(words: str) -> DictConfig:
    return configs.config(words, "train.batch_size=8")


def play(cfg: DictConfig, parts: int, rounds: int, norms: bool = False) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Return the parameters, buffers and last numbers of a game in double precision.

    Args:
        cfg: The config.
        parts: Number of parts that each process computes.
        rounds: Number of rounds.
        norms: True if batch norm looks at the batch.
    """
    cfg.train.accumulate, cfg.train.n_critic = parts, 1  # rounding grows with every turn
    torch.set_default_dtype(torch.float64)
    try:
        seed_all(0)
        built = build(cfg, CPU)
        game = built.game.double()
        for module in game.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and not norms:
                module.eval()
        stream = Stream(built.data.train, cfg.train.batch_size, 0)
        batches, stats = doubled(stream), {}
        for step in range(1, rounds + 1):
            game.begin_round(step)
            stats |= built.solver.round(built.schedule(step), batches)
        stream.close()
    finally:
        torch.set_default_dtype(torch.float32)
    return flat(game.parameters()), flat(game.buffers()), stats


def first_gradients(cfg: DictConfig) -> Tensor:
    """Return the gradients of all turns on the first batch, in float32."""
    seed_all(0)
    built = build(cfg, CPU)
    stream = Stream(built.data.train, cfg.train.batch_size, 0)
    gradients: list[Tensor] = []
    for name, turn in built.solver.turns.items():
        built.solver.gradients(name, next(stream))
        gradients += [parameter.grad for parameter in turn.parameters if parameter.grad is not None]
    stream.close()
    return flat(gradients)


def flat(tensors: Iterator[Tensor] | Sequence[Tensor]) -> Tensor:
    return torch.cat([torch.zeros(1, dtype=torch.float64), *(tensor.detach().double().flatten() for tensor in tensors)])


def played(words: str) -> tuple[Tensor, Tensor, dict[str, Tensor]] | Tensor:
    """Return what ``words``, numbers of rounds and parts and overrides, ask for; no rounds: the first gradients."""
    rounds, parts, overrides = words.split(" ", 2)
    cfg = config(overrides)
    return play(cfg, int(parts), int(rounds), norms=True) if int(rounds) else first_gradients(cfg)


def main(port: int) -> None:
    """Play everything that process 0 says."""
    store, ranks = TCPStore("127.0.0.1", port, is_master=False), Ranks(1, 2)
    ranks.store = store
    try:
        ranks.connect(store, CPU)
        with among(ranks):
            while words := ranks.pass_on().decode():
                played(words)
    except Exception as error:
        ranks.report_failure(f"{type(error).__name__}: {error}")
        raise


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(int(sys.argv[1]))
