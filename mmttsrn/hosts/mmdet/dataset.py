"""Data set of videos for MMDetection's samplers and transforms."""

from mmdet.datasets.base_video_dataset import BaseVideoDataset

from mmttsrn.datasets.youtube_vis import YouTubeVISVideos
from mmttsrn.registry import DATASETS


@DATASETS.register_module()
class YouTubeVISDataset(YouTubeVISVideos, BaseVideoDataset):
    """Videos of an official YouTube-VIS json; see :class:`~mmttsrn.datasets.YouTubeVISVideos`."""
