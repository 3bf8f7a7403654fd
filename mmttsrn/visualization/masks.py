"""Masks of the forms that hosts and files give them in, as one boolean array."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco_mask


def as_bool_masks(masks: Any, height: int, width: int) -> np.ndarray:
    """Masks as a boolean array.

    Args:
        masks: Tensor or array (n, H, W), ``BitmapMasks`` or ``PolygonMasks`` of mmdet, or a list
            with one compressed RLE dict per instance, None where it is not in the frame.
        height: Height of the frame the masks belong to.
        width: Width of that frame.

    Returns:
        Array (n, H, W), bool.

    Raises:
        ValueError: The masks have another size than the frame.
    """
    if isinstance(masks, torch.Tensor):
        masks = masks.numpy(force=True)
    elif isinstance(masks, Sequence):
        empty = np.zeros((height, width), bool)
        masks = [empty if rle is None else coco_mask.decode(rle) for rle in masks]
    elif hasattr(masks, "to_ndarray"):
        masks = masks.to_ndarray()
    array = np.asarray(masks, bool)
    if len(array) and array.shape[1:] != (height, width):
        raise ValueError(
            f"masks have height x width {array.shape[1]} x {array.shape[2]} but the frame has "
            f"{height} x {width}"
        )
    return array.reshape(len(array), height, width)
