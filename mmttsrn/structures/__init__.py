"""Data that flows between the parts of the model, each a frozen dataclass of tensors."""

from .clip_features import ClipFeatures
from .instance_sequences import InstanceSequences
from .sequence_predictions import SequencePredictions
from .sequence_results import SequenceResults
from .sequence_targets import SequenceTargets, build_sequence_targets

__all__ = [
    "ClipFeatures",
    "InstanceSequences",
    "SequencePredictions",
    "SequenceResults",
    "SequenceTargets",
    "build_sequence_targets",
]
