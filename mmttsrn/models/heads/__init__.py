"""Heads."""

from .branches import MLPBranch, SirenBranch
from .instance_sequence_head import InstanceSequenceHead

__all__ = ["InstanceSequenceHead", "MLPBranch", "SirenBranch"]
