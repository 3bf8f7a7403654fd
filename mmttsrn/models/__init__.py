"""Model parts, each a registry module."""

from .backbones import TwinsSVT
from .heads import InstanceSequenceHead, MLPBranch, SirenBranch
from .layers import SineLayer, SinePositionEncoding3D
from .losses import SequenceSetLoss, SmoothedGIoULoss
from .mask_heads import SequenceMaskHead
from .necks import SpatioTemporalEncoder
from .task_modules import ClipLinker, InstanceSequenceMatcher, SequencePostProcessor
from .vis import TTSRN

__all__ = [
    "TTSRN",
    "ClipLinker",
    "InstanceSequenceHead",
    "InstanceSequenceMatcher",
    "MLPBranch",
    "SequenceMaskHead",
    "SequencePostProcessor",
    "SequenceSetLoss",
    "SineLayer",
    "SinePositionEncoding3D",
    "SirenBranch",
    "SmoothedGIoULoss",
    "SpatioTemporalEncoder",
    "TwinsSVT",
]
