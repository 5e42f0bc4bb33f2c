"""Costs: the real images that a run has seen, and the floating-point operations that it has spent."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from gan_cli.schedules.length import images_of, images_until
from gan_cli.schedules.turns import Schedule
from gan_cli.types import Stats


class Costs:
    """Images and FLOPs of the rounds so far.

    The FLOPs of a round are counted when its turns are played for the first time, in this order: those of convolutions, matrix
    products and attention, as ``torch.utils.flop_counter`` counts them, a multiplication and an addition as two. The round is
    the same to the bit as one that is not counted.

    Args:
        schedule: Step -> the order of turns.
        batch_size: Samples per turn.
        epoch: Number of samples in an epoch. None: there are no epochs.
        processes: Number of processes, each of which computes an equal part of every turn.

    Attributes:
        images: Number of images.
        latest: Number of images of the round that was played last.
        flops: Number of FLOPs.
        of_order: FLOPs of a round by its turns, separated by spaces.
    """

    def __init__(self, schedule: Schedule, batch_size: int, epoch: int | None, processes: int = 1) -> None:
        self.schedule, self.batch_size, self.epoch, self.processes = schedule, batch_size, epoch, processes
        self.images = self.latest = self.flops = 0
        self.of_order: dict[str, int] = {}

    def round(self, order: Sequence[str], play: Callable[[], Stats]) -> Stats:
        """Play a round with these turns, and add what it costs."""
        key = " ".join(order)
        if key in self.of_order:
            stats = play()
        else:
            with _Flops() as counted:
                stats = play()
            self.of_order[key] = counted.flops * self.processes
        self.flops += self.of_order[key]
        self.latest = images_of(order, self.batch_size)
        self.images += self.latest
        return stats

    def numbers(self) -> dict[str, float]:
        """Return the costs by the tags under which they are logged."""
        epochs = {} if self.epoch is None else {"cost/epochs": round(self.images / self.epoch, 4)}
        return {"cost/images": self.images, **epochs, "cost/flops": self.flops}

    def state_dict(self) -> dict[str, Any]:
        """Return the FLOPs so far and those of each round; the images follow from the step."""
        return {"flops": self.flops, "of_order": dict(self.of_order)}

    def load_state_dict(self, state: Mapping[str, Any], step: int) -> None:
        """Go on after ``step`` rounds."""
        self.flops, self.of_order = state["flops"], dict(state["of_order"])
        self.images = images_until(self.schedule, self.batch_size, step)


class _Flops(TorchDispatchMode):
    """Counts the FLOPs of every operation.

    ``torch.utils.flop_counter.FlopCounterMode`` has the same numbers, and hooks in every network beside them, which do not bear
    second derivatives.
    """

    def __init__(self) -> None:
        from torch.utils.flop_counter import flop_registry  # imports triton, where it is installed

        super().__init__()  # type: ignore[no-untyped-call]
        self.flops, self.formulas = 0, flop_registry

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        formula = self.formulas.get(func.overloadpacket)
        if formula is not None:
            self.flops += int(formula(*args, **(kwargs or {}), out_val=result))
        return result
