"""Videos and transforms of video instance segmentation, for the data sets of any host."""

from mmttsrn.datasets import transforms
from mmttsrn.datasets.youtube_vis import YouTubeVISVideos

__all__ = ["YouTubeVISVideos", "transforms"]
