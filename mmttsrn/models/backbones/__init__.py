"""Backbones."""

from .twins_svt import TwinsSVT

__all__ = ["TwinsSVT"]
