"""Data sets in memory, mapped or decoded on the fly, and the stream of batches that training draws from them."""

from typing import TYPE_CHECKING

from gan_cli.lazy import lazy_exports

if TYPE_CHECKING:
    from gan_cli.data.base import Data as Data
    from gan_cli.data.base import Dataset as Dataset
    from gan_cli.data.base import DatasetWrapper as DatasetWrapper
    from gan_cli.data.images.fashion_mnist_mini import fashion_mnist_mini as fashion_mnist_mini
    from gan_cli.data.images.published import celeba as celeba
    from gan_cli.data.images.published import cifar10 as cifar10
    from gan_cli.data.images.published import fashion_mnist as fashion_mnist
    from gan_cli.data.images.published import image_folder as image_folder
    from gan_cli.data.images.published import lsun as lsun
    from gan_cli.data.images.published import mnist as mnist
    from gan_cli.data.images.published import stl10 as stl10
    from gan_cli.data.points.nothing import nothing as nothing
    from gan_cli.data.points.toy import gaussians_1d as gaussians_1d
    from gan_cli.data.points.toy import grid25 as grid25
    from gan_cli.data.points.toy import parallel_lines as parallel_lines
    from gan_cli.data.points.toy import ring as ring
    from gan_cli.data.points.toy import spiral as spiral
    from gan_cli.data.points.toy import swiss_roll as swiss_roll
    from gan_cli.data.ready import from_arrays as from_arrays
    from gan_cli.data.record import DataRecord as DataRecord
    from gan_cli.data.scaling import Scaling as Scaling
    from gan_cli.data.scaling import Series as Series
    from gan_cli.data.sequences.processes import ar1 as ar1
    from gan_cli.data.sequences.processes import sines as sines
    from gan_cli.data.sequences.series import csv as csv
    from gan_cli.data.sequences.series import energy as energy
    from gan_cli.data.sequences.series import stocks as stocks
    from gan_cli.data.sequences.waves import waves as waves
    from gan_cli.data.stream import Stream as Stream
    from gan_cli.data.translation.degradations import Degradation as Degradation
    from gan_cli.data.translation.degradations import Grey as Grey
    from gan_cli.data.translation.degradations import Hole as Hole
    from gan_cli.data.translation.degradations import Shrink as Shrink
    from gan_cli.data.translation.degradations import Sobel as Sobel
    from gan_cli.data.translation.paired import degraded_bundled as degraded_bundled
    from gan_cli.data.translation.paired import degraded_folder as degraded_folder
    from gan_cli.data.translation.paired import side_by_side as side_by_side
    from gan_cli.data.translation.unpaired import unpaired_bundled as unpaired_bundled
    from gan_cli.data.translation.unpaired import unpaired_folder as unpaired_folder
else:
    __getattr__, __dir__ = lazy_exports(__name__)
