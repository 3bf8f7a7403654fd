"""Layers shared by necks and heads."""

from mmttsrn.models.layers.position_encoding import SinePositionEncoding3D
from mmttsrn.models.layers.siren import SineLayer
from mmttsrn.models.layers.transformer import TransformerDecoderLayer, TransformerEncoderLayer

__all__ = [
    "SineLayer",
    "SinePositionEncoding3D",
    "TransformerDecoderLayer",
    "TransformerEncoderLayer",
]
