"""Vis."""

from .ttsrn import TTSRN

__all__ = ["TTSRN"]
