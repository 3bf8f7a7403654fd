"""Masks of an instance sequence as a file gives them, in a small and uniform form."""

from __future__ import annotations

from array import array
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as mask_utils

Counts = list[str | None]


class EncodedMasks(NamedTuple):
    """Masks of T frames that share one size.

    Attributes:
        size: Height and width as the file gives them.
        counts: Compressed RLE counts, which are not checked; None where there is no mask.
    """

    size: list[Any] | None
    counts: Counts


def encode_masks(segmentations: Any) -> EncodedMasks | Any:
    """Put the masks of a sequence into the small form.

    What is not a list of RLE dicts of one size and nulls is returned as it is.
    """
    if not isinstance(segmentations, list):
        return segmentations
    size = None
    counts: Counts = []
    for segmentation in segmentations:
        if not segmentation:
            counts.append(None)
            continue
        if not isinstance(segmentation, dict) or segmentation.keys() != {"size", "counts"}:
            return segmentations
        if size is not None and segmentation["size"] != size:
            return segmentations
        size = segmentation["size"]
        text = compressed_counts(segmentation["counts"], size)
        if text is None:
            return segmentations
        counts.append(text)
    return EncodedMasks(size, counts)


def compressed_counts(counts: Any, size: Any) -> str | None:
    """Compressed form of RLE counts; None where they are not valid counts of that size."""
    if isinstance(counts, str):
        return counts
    if not isinstance(counts, list) or not counts or not is_size(size):
        return None
    try:
        runs = np.frombuffer(array("q", counts), np.int64)  # far faster than np.array
    except (TypeError, OverflowError):
        return None
    if runs.min() < 0 or runs.max() > size[0] * size[1] or runs.sum() != size[0] * size[1]:
        return None
    return mask_utils.frPyObjects({"size": size, "counts": runs}, *size)["counts"].decode()


def is_size(size: Any) -> bool:
    """Whether a value is the height and width of a frame."""
    return isinstance(size, list) and len(size) == 2 and all(type(n) is int and n > 0 for n in size)
