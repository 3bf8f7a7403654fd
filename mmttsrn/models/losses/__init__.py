"""Losses: the set loss, its terms, and a loss function."""

from mmttsrn.models.losses.frame_terms import (
    FrameBoxTerm,
    FrameClassTerm,
    FramePixelTerm,
    FrameRegionTerm,
    SmoothedGIoULoss,
)
from mmttsrn.models.losses.loss_terms import LossTerm, MatchedLayer
from mmttsrn.models.losses.sequence_set_loss import SequenceSetLoss
from mmttsrn.models.losses.sequence_terms import (
    PixelClassTerm,
    SeedTerm,
    SequenceClassTerm,
    SequencePixelTerm,
    SequenceQualityTerm,
    SequenceRegionTerm,
)

__all__ = [
    "FrameBoxTerm",
    "FrameClassTerm",
    "FramePixelTerm",
    "FrameRegionTerm",
    "LossTerm",
    "MatchedLayer",
    "PixelClassTerm",
    "SeedTerm",
    "SequenceClassTerm",
    "SequencePixelTerm",
    "SequenceQualityTerm",
    "SequenceRegionTerm",
    "SequenceSetLoss",
    "SmoothedGIoULoss",
]
