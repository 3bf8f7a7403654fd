"""Heads."""

from mmttsrn.models.heads.branches import MLPBranch, SirenBranch
from mmttsrn.models.heads.encoder_only_head import EncoderOnlyHead
from mmttsrn.models.heads.instance_sequence_head import InstanceSequenceHead
from mmttsrn.models.heads.masked_attention_head import MaskedAttentionHead
from mmttsrn.models.heads.query_seeds import QuerySeeds

__all__ = [
    "EncoderOnlyHead",
    "InstanceSequenceHead",
    "MLPBranch",
    "MaskedAttentionHead",
    "QuerySeeds",
    "SirenBranch",
]
