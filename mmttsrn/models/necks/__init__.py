"""Necks."""

from .spatio_temporal_encoder import SpatioTemporalEncoder

__all__ = ["SpatioTemporalEncoder"]
