"""Model parts, each a registry module."""

from mmttsrn.models.backbones import EfficientNetLite, TwinsSVT
from mmttsrn.models.heads import InstanceSequenceHead, MaskedAttentionHead, MLPBranch, SirenBranch
from mmttsrn.models.layers import SineLayer, SinePositionEncoding3D
from mmttsrn.models.losses import SequenceSetLoss, SmoothedGIoULoss
from mmttsrn.models.mask_heads import SequenceMaskHead
from mmttsrn.models.necks import SpatioTemporalEncoder
from mmttsrn.models.pixel_decoders import FPNPixelDecoder, FramePixelDecoder
from mmttsrn.models.task_modules import (
    ClipLinker,
    InstanceQueryPostProcessor,
    InstanceSequenceMatcher,
    SequencePostProcessor,
)
from mmttsrn.models.vis import SequenceModel

__all__ = [
    "ClipLinker",
    "EfficientNetLite",
    "FPNPixelDecoder",
    "FramePixelDecoder",
    "InstanceQueryPostProcessor",
    "InstanceSequenceHead",
    "InstanceSequenceMatcher",
    "MLPBranch",
    "MaskedAttentionHead",
    "SequenceMaskHead",
    "SequenceModel",
    "SequencePostProcessor",
    "SequenceSetLoss",
    "SineLayer",
    "SinePositionEncoding3D",
    "SirenBranch",
    "SmoothedGIoULoss",
    "SpatioTemporalEncoder",
    "TwinsSVT",
]
