"""Datasets and transforms of video instance segmentation."""

from . import transforms
from .youtube_vis import YouTubeVISDataset

__all__ = ["YouTubeVISDataset", "transforms"]
