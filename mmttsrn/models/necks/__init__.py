"""Necks."""

from mmttsrn.models.necks.spatio_temporal_encoder import SpatioTemporalEncoder

__all__ = ["SpatioTemporalEncoder"]
