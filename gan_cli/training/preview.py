"""A preview of a run for ``--dry-run``: parameters, shapes, memory, and the time of a round, found by playing some rounds."""

import time
import weakref
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from gan_cli.config.budget import in_words
from gan_cli.files import bytes_in_words
from gan_cli.games.calls import first_calls
from gan_cli.schedules.length import FORESEEN
from gan_cli.training.callbacks import tensors_in
from gan_cli.training.run import Run


class Saved:
    """A tensor that the backward pass needs, counted in a ``Saving`` for as long as it is kept."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


class Saving:
    """The memory of the tensors that backward passes need.

    Args:
        parameters: Tensors that are there anyway.

    Attributes:
        peak: The largest number of bytes that was kept at a time.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self.known = {parameter.untyped_storage().data_ptr() for parameter in parameters}
        self.uses: Counter[int] = Counter()
        self.now = self.peak = 0

    def pack(self, tensor: Tensor) -> Saved:
        """Count a tensor, whose storage others may share."""
        saved, storage = Saved(tensor), tensor.untyped_storage()
        place, size = storage.data_ptr(), storage.nbytes()
        if place not in self.known:
            self.now += 0 if self.uses[place] else size
            self.uses[place] += 1
            self.peak = max(self.peak, self.now)
            weakref.finalize(saved, self.free, place, size)
        return saved

    def free(self, place: int, size: int) -> None:
        """Stop counting a tensor that is no longer kept."""
        self.uses[place] -= 1
        if not self.uses[place]:
            self.now -= size


def preview(run: Run) -> list[str]:
    """Play some rounds of ``run``, which is thrown away afterwards, and return lines about them.

    Args:
        run: A run that has been built, and is not continued after this.

    Returns:
        A line for each player, and lines about memory and time; only the players' parameters if no turn is left to play.
    """
    steps = run.end.last if run.end.last is not None else FORESEEN
    step = min(run.step + 1 + ((run.last or run.step) - run.step) // 2, steps)
    usual, orders = list(run.schedule(max(step, 1))), [list(order) for order in run.schedule.orders(steps) if order]
    players = run.game.players()
    if not usual or not orders or steps <= run.step:
        return [_described(name, network, "") for name, network in players.items()]
    saving = Saving(run.game.parameters())
    with first_calls(players, _shapes) as shapes:
        counted = [_counted(run, order, saving) for order in orders]
    start = time.perf_counter()
    play(run, usual)
    _wait(run.device)
    seconds = time.perf_counter() - start
    return [
        *(_described(name, network, shapes.get(name, "")) for name, network in players.items()),
        memory(run, saving.peak if all(counted) else None),
        f"round: {_turns(usual)}; {_time(seconds)} each, {_length(run, seconds)} without measurements and pictures",
    ]


def play(run: Run, order: Sequence[str]) -> None:
    """Play one round in this order of turns."""
    run.game.begin_round(run.step + 1)
    with run.computing():
        run.solver.round(order, run.batches)
    run.watched.clear()


def memory(run: Run, activations: int | None) -> str:
    """Return the memory of the parts in one line.

    Args:
        run: A run that has played a round, so that the optimizers have their states.
        activations: Bytes that backward passes kept at most. None: they could not be counted.
    """
    moving = run.solver.parameters()
    parts = {
        "parameters": _bytes(run.game.state_dict().values()),
        "gradients": _bytes(moving),
        "optimizer states": _bytes(tensor for _, tensor in tensors_in(run.solver.state_dict())),
        "averages": _bytes(run.ema.game.state_dict().values()),
        **({} if activations is None else {"activations at the peak of a round": activations}),
    }
    listed = ", ".join(f"{bytes_in_words(size)} {name}" for name, size in parts.items() if size)
    unknown = "; activations could not be counted" if activations is None else ""
    return f"memory: {listed}; {bytes_in_words(sum(parts.values()))} in all, beside libraries and data{unknown}"


def _counted(run: Run, order: Sequence[str], saving: Saving) -> bool:
    """Play a round and count what backward passes need; return False where such tensors cannot be followed."""
    try:
        with saved_tensors_hooks(saving.pack, lambda saved: saved.tensor):
            play(run, order)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        if "saved tensor hooks" not in str(error):
            raise
        play(run, order)
        return False
    return True


def _shapes(player: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> str | None:
    """Return the shapes of the first input and the first output of a call in words, None if one of them is no tensor."""
    shapes = [_shape((*args, *kwargs.values())), _shape(output)]
    return f", {shapes[0]} -> {shapes[1]}" if all(shapes) else None


def _shape(value: Any) -> str:
    """Return the shape of the first tensor in an input or output."""
    tensor = next((one for one in (value if isinstance(value, tuple | list) else [value]) if isinstance(one, Tensor)), None)
    return "" if tensor is None else str([*tensor.shape])


def _described(name: str, network: nn.Module, shapes: str) -> str:
    count = sum(parameter.numel() for parameter in network.parameters())
    return f"{name}: {type(network).__name__}, {count:,} parameters{shapes}"


def _length(run: Run, seconds: float) -> str:
    """Return the time and the number of the rounds that are left in words, where a round takes these seconds."""
    if run.last is None:
        return f"about {run.time_limit.seconds_left() / seconds:.0f} rounds for {in_words(run.cfg.train)}"
    return f"{_time(seconds * (run.last - run.step))} for {run.last - run.step} rounds"


def _turns(order: Sequence[str]) -> str:
    counts = Counter(order)
    return ", ".join(f"{name} {counts[name]} times" if counts[name] > 1 else name for name in counts)


def _bytes(tensors: Iterable[Any]) -> int:
    """Return the memory of distinct tensors in bytes."""
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in tensors
        if isinstance(tensor, Tensor)
    }
    return sum(storages.values())


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.{0 if seconds > 0.01 else 1}f} ms"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
