"""Backbones."""

from mmttsrn.models.backbones.efficientnet_lite import EfficientNetLite
from mmttsrn.models.backbones.twins_svt import TwinsSVT

__all__ = ["EfficientNetLite", "TwinsSVT"]
