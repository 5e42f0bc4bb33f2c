"""Schedules over training: the order of turns in each round, learning rates, averages, and laws of any other number."""

from typing import TYPE_CHECKING

from gan_cli.lazy import lazy_exports

if TYPE_CHECKING:
    from gan_cli.schedules.averages import Averaging as Averaging
    from gan_cli.schedules.averages import Decay as Decay
    from gan_cli.schedules.averages import HalfLife as HalfLife
    from gan_cli.schedules.laws import Cosine as Cosine
    from gan_cli.schedules.laws import Law as Law
    from gan_cli.schedules.laws import Linear as Linear
    from gan_cli.schedules.laws import Progress as Progress
    from gan_cli.schedules.laws import Steps as Steps
    from gan_cli.schedules.learning_rates import Constant as Constant
    from gan_cli.schedules.learning_rates import LearningRateSchedule as LearningRateSchedule
    from gan_cli.schedules.learning_rates import LinearDecay as LinearDecay
    from gan_cli.schedules.learning_rates import SecondHalf as SecondHalf
    from gan_cli.schedules.learning_rates import WarmUp as WarmUp
    from gan_cli.schedules.turns import AlternatingOrder as AlternatingOrder
    from gan_cli.schedules.turns import FixedOrder as FixedOrder
    from gan_cli.schedules.turns import Phases as Phases
    from gan_cli.schedules.turns import Schedule as Schedule
else:
    __getattr__, __dir__ = lazy_exports(__name__)
