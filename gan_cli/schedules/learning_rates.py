"""constant, linear, second_half, warm_up: schedules of the learning rate."""

from dataclasses import dataclass

from gan_cli import checks


@dataclass(frozen=True)
class LearningRateSchedule:
    """Factor on every player's learning rate: 1, always. A schedule of rates overrides the call."""

    def __call__(self, step: int) -> float:
        return 1.0


@dataclass(frozen=True)
class LinearDecay(LearningRateSchedule):
    """1 up to step ``start``, then linearly down to 0 after step ``end`` (WGAN-GP, SNGAN and CycleGAN, each with its own)."""

    start: int
    end: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            checks.count(name, value, least=0)

    def __call__(self, step: int) -> float:
        if step <= self.start:
            return 1.0
        return max(0.0, 1 - (step - 1 - self.start) / max(1, self.end - self.start))


@dataclass(frozen=True)
class WarmUp(LearningRateSchedule):
    """Linearly up to 1 in step ``steps``, and 1 from there on: ``step`` / ``steps`` (Ho et al., 2020, published code)."""

    steps: int

    def __post_init__(self) -> None:
        checks.count("steps", self.steps)

    def __call__(self, step: int) -> float:
        return min(1.0, step / self.steps)


@dataclass(frozen=True)
class SecondHalf(LearningRateSchedule):
    """1 up to the middle, then linearly down to 0 after step ``end``, as pix2pix's and CycleGAN's published code has it."""

    end: int

    def __post_init__(self) -> None:
        checks.count("end", self.end, least=0)

    def __call__(self, step: int) -> float:
        return LinearDecay(self.end // 2, self.end)(step)
