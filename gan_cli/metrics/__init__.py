"""Metrics: distances between generated and real samples, and the features in which they are measured."""

from typing import TYPE_CHECKING

from gan_cli.lazy import lazy_exports

if TYPE_CHECKING:
    from gan_cli.metrics.auto import Auto as Auto
    from gan_cli.metrics.base import Metric as Metric
    from gan_cli.metrics.base import NoMetric as NoMetric
    from gan_cli.metrics.base import Picture as Picture
    from gan_cli.metrics.base import Value as Value
    from gan_cli.metrics.combined import AllImageMetrics as AllImageMetrics
    from gan_cli.metrics.combined import AllPointMetrics as AllPointMetrics
    from gan_cli.metrics.combined import AllTranslationMetrics as AllTranslationMetrics
    from gan_cli.metrics.images.authenticity import Authenticity as Authenticity
    from gan_cli.metrics.images.class_accuracy import ClassAccuracy as ClassAccuracy
    from gan_cli.metrics.images.class_diversity import ClassDiversity as ClassDiversity
    from gan_cli.metrics.images.classification_score import ClassificationScore as ClassificationScore
    from gan_cli.metrics.images.cmmd import CMMD as CMMD
    from gan_cli.metrics.images.data_copying import DataCopying as DataCopying
    from gan_cli.metrics.images.feature_likelihood import FeatureLikelihood as FeatureLikelihood
    from gan_cli.metrics.images.frechet import Frechet as Frechet
    from gan_cli.metrics.images.frechet_infinity import FrechetInfinity as FrechetInfinity
    from gan_cli.metrics.images.inception_score import InceptionScore as InceptionScore
    from gan_cli.metrics.images.intra_frechet import IntraFrechet as IntraFrechet
    from gan_cli.metrics.images.kid import KID as KID
    from gan_cli.metrics.images.memorisation import Memorisation as Memorisation
    from gan_cli.metrics.images.mind import MIND as MIND
    from gan_cli.metrics.images.precision_recall import PrecisionRecall as PrecisionRecall
    from gan_cli.metrics.images.reconstruction import Reconstruction as Reconstruction
    from gan_cli.metrics.images.vendi import Vendi as Vendi
    from gan_cli.metrics.points.histogram import Histogram as Histogram
    from gan_cli.metrics.points.mmd import MMD as MMD
    from gan_cli.metrics.points.modes import ModeCoverage as ModeCoverage
    from gan_cli.metrics.points.sliced_wasserstein import SlicedWassersteinDistance as SlicedWassersteinDistance
    from gan_cli.metrics.points.wasserstein import WassersteinDistance as WassersteinDistance
    from gan_cli.metrics.sequences.correlations import Correlations as Correlations
    from gan_cli.metrics.sequences.discriminative import DiscriminativeScore as DiscriminativeScore
    from gan_cli.metrics.sequences.marginals import Marginals as Marginals
    from gan_cli.metrics.sequences.predictive import PredictiveScore as PredictiveScore
    from gan_cli.metrics.sequences.sequence_distances import SequenceDistances as SequenceDistances
    from gan_cli.metrics.sequences.sequences import AllSequenceMetrics as AllSequenceMetrics
    from gan_cli.metrics.several import combine as combine
else:
    __getattr__, __dir__ = lazy_exports(__name__)
