"""Transforms of clips: sampling, loading, augmentation."""

from mmttsrn.datasets.transforms.augmentation import ClipBroadcaster, DropInvisibleInstances
from mmttsrn.datasets.transforms.clip_sample import ClipSample
from mmttsrn.datasets.transforms.copy_paste import ClipCopyPaste
from mmttsrn.datasets.transforms.loading import LoadVideoFrame
from mmttsrn.datasets.transforms.motion import ClipMotion

__all__ = [
    "ClipBroadcaster",
    "ClipCopyPaste",
    "ClipMotion",
    "ClipSample",
    "DropInvisibleInstances",
    "LoadVideoFrame",
]
