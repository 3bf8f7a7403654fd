"""Losses."""

from .sequence_set_loss import SequenceSetLoss
from .smoothed_giou_loss import SmoothedGIoULoss

__all__ = ["SequenceSetLoss", "SmoothedGIoULoss"]
