"""Backbones that come from timm, an extra of the package.

Importing this does not import timm, which may not be installed: building a backbone does.
"""

from mmttsrn.hosts.timm.backbone import TimmBackbone
from mmttsrn.hosts.timm.weights import TimmWeights

__all__ = ["TimmBackbone", "TimmWeights"]
