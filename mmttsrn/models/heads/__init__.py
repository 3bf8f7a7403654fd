"""Heads."""

from mmttsrn.models.heads.branches import MLPBranch, SirenBranch
from mmttsrn.models.heads.instance_sequence_head import InstanceSequenceHead

__all__ = ["InstanceSequenceHead", "MLPBranch", "SirenBranch"]
