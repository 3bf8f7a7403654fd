"""Backbones."""

from mmttsrn.models.backbones.twins_svt import TwinsSVT

__all__ = ["TwinsSVT"]
