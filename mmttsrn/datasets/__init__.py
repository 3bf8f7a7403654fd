"""Datasets and transforms of video instance segmentation."""

from mmttsrn.datasets import transforms
from mmttsrn.datasets.youtube_vis import YouTubeVISDataset

__all__ = ["YouTubeVISDataset", "transforms"]
