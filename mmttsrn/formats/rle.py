"""Segmentations of YouTube-VIS json files as compressed COCO run-length encodings."""

from array import array
from reprlib import repr as short_repr
from typing import Any

import numpy as np
from pycocotools import mask as mask_utils

from mmttsrn.formats.intervals import RunLengthError, decode_intervals

# Boxes and polygons may leave the frame by some times its longer side. What is farther away is a
# mistake, and pycocotools draws its way there in memory.
MAX_SIDES_AWAY = 10


def encode_segmentation(segmentation: Any, height: int, width: int) -> dict[str, Any]:
    """Turn one frame's segmentation into compressed RLE and check it on the way.

    Args:
        segmentation: Polygons ``[[x1, y1, x2, y2, ...], ...]`` or an RLE dict ``{size, counts}``
            whose counts are a list (uncompressed) or a string (compressed).
        height: Height of the frame in pixels.
        width: Width of the frame in pixels.

    Returns:
        ``{"size": [height, width], "counts": str}``.

    Raises:
        ValueError: It does not describe a ``height x width`` mask. A wrong type or missing key
            raises what Python raises.
    """
    if isinstance(segmentation, list):
        rle = _encode_polygons(segmentation, height, width)
    elif isinstance(segmentation, dict):
        rle = _encode_rle(segmentation, height, width)
    else:
        raise ValueError(
            f"is a {type(segmentation).__name__}, expected polygons, an RLE dict or null"
        )
    counts = rle["counts"]
    return {
        "size": [height, width],
        "counts": counts.decode() if isinstance(counts, bytes) else counts,
    }


def coordinate_limit(height: int, width: int) -> int:
    """Return how far from 0 the coordinates of boxes and polygons may be."""
    return MAX_SIDES_AWAY * max(height, width)


def _encode_polygons(polygons: list, height: int, width: int) -> dict[str, Any]:
    limit = coordinate_limit(height, width)
    outlines = []
    if not polygons:
        raise ValueError("is an empty list, expected polygons, an RLE dict or null")
    for index, polygon in enumerate(polygons):
        if len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(
                f"polygon {index} has {len(polygon)} coordinates, expected an even number >= 6"
            )
        outline = np.frombuffer(array("d", polygon))
        # The sum of squares, which is fast, clears most polygons, and none with NaN.
        with np.errstate(over="ignore", invalid="ignore"):
            is_near = outline.dot(outline) <= limit**2
        if not is_near:
            wrong = outline[~(abs(outline) <= limit)]
            if len(wrong):
                raise ValueError(
                    f"polygon {index} has the coordinate {wrong[0]:g}, expected pixels from"
                    f" {-limit} to {limit} in frames of {width}x{height}"
                )
        outlines.append(outline)
    rles = mask_utils.frPyObjects(outlines, height, width)
    return rles[0] if len(rles) == 1 else mask_utils.merge(rles)


def _encode_rle(rle: dict, height: int, width: int) -> dict[str, Any]:
    if list(rle["size"]) != [height, width]:
        raise ValueError(
            f"RLE size is {short_repr(rle['size'])}, expected [height, width] of its video,"
            f" [{height}, {width}]"
        )
    counts = rle["counts"]
    if isinstance(counts, str):
        try:
            decode_intervals([[counts]], 1, height * width)
        except RunLengthError as error:
            raise ValueError(error.problem) from error
        return rle
    if not isinstance(counts, list):
        raise ValueError(f"RLE counts is a {type(counts).__name__}, expected a list or a string")
    if not set(map(type, counts)) == {int} or min(counts) < 0:
        raise ValueError("RLE counts must be non-negative integers")
    if sum(counts) != height * width:
        raise ValueError(
            f"RLE counts sum to {sum(counts)} pixels, expected {height * width} (height x width)"
        )
    return mask_utils.frPyObjects(rle, height, width)
