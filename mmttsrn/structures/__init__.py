"""Data that flows between the parts of the model, each a frozen dataclass of tensors."""

from mmttsrn.structures.clip_features import ClipFeatures
from mmttsrn.structures.encoded_frames import Counts, EncodedFrames, SequenceScores
from mmttsrn.structures.frame_results import FrameResults
from mmttsrn.structures.instance_sequences import FinishedFrames, InstanceSequences
from mmttsrn.structures.sequence_predictions import (
    MaskFunction,
    SequencePredictions,
    dense_masks,
)
from mmttsrn.structures.sequence_results import (
    RESULTS_FIELD,
    SequenceResults,
    video_results,
)
from mmttsrn.structures.sequence_targets import SequenceTargets
from mmttsrn.structures.video_frames import FrameSizes, reflect_frames

__all__ = [
    "RESULTS_FIELD",
    "ClipFeatures",
    "Counts",
    "EncodedFrames",
    "FinishedFrames",
    "FrameResults",
    "FrameSizes",
    "InstanceSequences",
    "MaskFunction",
    "SequencePredictions",
    "SequenceResults",
    "SequenceScores",
    "SequenceTargets",
    "dense_masks",
    "reflect_frames",
    "video_results",
]
