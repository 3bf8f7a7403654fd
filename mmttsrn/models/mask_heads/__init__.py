"""Mask heads."""

from mmttsrn.models.mask_heads.sequence_mask_head import SequenceMaskHead

__all__ = ["SequenceMaskHead"]
