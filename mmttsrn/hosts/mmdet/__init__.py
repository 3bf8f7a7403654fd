"""MMDetection as host: what takes its samples or extends its classes."""

from mmttsrn.hosts.mmdet.dataset import YouTubeVISDataset
from mmttsrn.hosts.mmdet.model import TTSRN, Mask2FormerVideo
from mmttsrn.hosts.mmdet.transforms import ClipPhotoMetricDistortion
from mmttsrn.hosts.mmdet.visualizer import VISLocalVisualizer

__all__ = [
    "TTSRN",
    "ClipPhotoMetricDistortion",
    "Mask2FormerVideo",
    "VISLocalVisualizer",
    "YouTubeVISDataset",
]
