"""Layers shared by necks and heads."""

from .position_encoding import SinePositionEncoding3D
from .siren import SineLayer
from .transformer import TransformerDecoderLayer, TransformerEncoderLayer

__all__ = [
    "SineLayer",
    "SinePositionEncoding3D",
    "TransformerDecoderLayer",
    "TransformerEncoderLayer",
]
