"""Layers shared by backbones, necks and heads."""

from mmttsrn.models.layers.normalization import fix_batch_norms
from mmttsrn.models.layers.position_encoding import SinePositionEncoding3D
from mmttsrn.models.layers.resizing import cell_shares, resize_padding_mask
from mmttsrn.models.layers.siren import SineLayer
from mmttsrn.models.layers.transformer import (
    MaskedAttentionLayer,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
    init_xavier,
    run_layer,
)

__all__ = [
    "MaskedAttentionLayer",
    "SineLayer",
    "SinePositionEncoding3D",
    "TransformerDecoderLayer",
    "TransformerEncoderLayer",
    "cell_shares",
    "fix_batch_norms",
    "init_xavier",
    "resize_padding_mask",
    "run_layer",
]
