"""Transforms of clips: sampling, loading, augmentation."""

from .augmentation import ClipBroadcaster, ClipPhotoMetricDistortion, DropInvisibleInstances
from .clip_sample import ClipSample
from .loading import LoadVideoFrame

__all__ = [
    "ClipBroadcaster",
    "ClipPhotoMetricDistortion",
    "ClipSample",
    "DropInvisibleInstances",
    "LoadVideoFrame",
]
