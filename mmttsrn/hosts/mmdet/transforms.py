"""Transforms that extend those of MMDetection."""

import numpy as np
from mmdet.datasets.transforms import PhotoMetricDistortion

from mmttsrn.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ClipPhotoMetricDistortion(PhotoMetricDistortion):
    """mmdet's photometric distortion, rounded back to the uint8 range.

    mmdet leaves floats outside [0, 255]; bytes take a quarter of the memory on their way from the
    loader to the model, and keep the pixel range that later frames of a test video have.

    Args:
        **kwargs: Arguments of :class:`mmdet.datasets.transforms.PhotoMetricDistortion`.
    """

    def transform(self, results: dict) -> dict:
        """Distort ``img`` (H, W, 3) uint8."""
        results = super().transform(results)
        results["img"] = np.clip(np.rint(results["img"]), 0, 255).astype(np.uint8)
        return results
