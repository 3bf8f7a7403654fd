"""Masks of any of the forms in use, as one boolean array."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco_mask


def decode_rle(rle: dict | None, height: int, width: int) -> np.ndarray:
    """Decode one RLE, compressed or not.

    Args:
        rle: ``{"size": [H, W], "counts": str | bytes | list[int]}``; None where the instance is
            not in the frame.
        height: Expected height in pixels.
        width: Expected width in pixels.

    Returns:
        Boolean mask (H, W).

    Raises:
        ValueError: The RLE has another size.
    """
    if rle is None:
        return np.zeros((height, width), dtype=bool)
    if list(rle["size"]) != [height, width]:
        raise ValueError(
            f"mask RLE has size {list(rle['size'])}, expected [height, width] = {[height, width]}"
        )
    if isinstance(rle["counts"], list):
        rle = coco_mask.frPyObjects(rle, height, width)
    return coco_mask.decode(rle).astype(bool)


def as_bool_masks(masks: Any, height: int, width: int) -> np.ndarray:
    """Masks as a boolean array.

    Args:
        masks: Tensor or array (n, H, W), ``BitmapMasks`` or ``PolygonMasks`` of mmdet, or a list
            with one RLE dict or None per instance.
        height: Height of the frame the masks belong to.
        width: Width of that frame.

    Returns:
        Array (n, H, W), bool.

    Raises:
        TypeError: ``masks`` has another type.
        ValueError: The masks have another size than the frame.
    """
    if isinstance(masks, torch.Tensor):
        array = masks.detach().cpu().numpy().astype(bool)
    elif isinstance(masks, np.ndarray):
        array = masks.astype(bool)
    elif hasattr(masks, "to_ndarray"):
        array = masks.to_ndarray().astype(bool)
    elif isinstance(masks, Sequence):
        decoded = [decode_rle(rle, height, width) for rle in masks]
        array = np.stack(decoded) if decoded else np.zeros((0, height, width), dtype=bool)
    else:
        raise TypeError(
            f"masks are {type(masks).__name__}, expected a tensor or array (n, H, W), "
            "BitmapMasks, PolygonMasks or a list of RLE dicts"
        )
    if len(array) and array.shape[1:] != (height, width):
        raise ValueError(
            f"masks have height x width {array.shape[1]} x {array.shape[2]} but the frame has "
            f"{height} x {width}"
        )
    return array.reshape(len(array), height, width)
