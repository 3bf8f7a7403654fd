"""Mask heads."""

from .sequence_mask_head import SequenceMaskHead

__all__ = ["SequenceMaskHead"]
