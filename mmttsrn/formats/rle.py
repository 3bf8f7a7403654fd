"""Segmentations of YouTube-VIS json files as compressed COCO run-length encodings."""

from array import array
from reprlib import repr as short_repr
from typing import Any

import numpy as np
from pycocotools import mask as mask_utils

from mmttsrn.formats.intervals import decode_intervals

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
    encode = _encode_polygons if isinstance(segmentation, list) else _encode_rle
    counts = encode(segmentation, height, width)["counts"]
    return {
        "size": [height, width],
        "counts": counts.decode() if isinstance(counts, bytes) else counts,
    }


def whole_number(value: Any) -> Any:
    """Return the integer that a float of json such as ``160.0`` is; any other value as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def coordinate_limit(height: int, width: int) -> int:
    """Return how far from 0 the coordinates of boxes and polygons may be."""
    return MAX_SIDES_AWAY * max(height, width)


def _encode_polygons(polygons: list, height: int, width: int) -> dict[str, Any]:
    limit = coordinate_limit(height, width)
    outlines = []
    for index, polygon in enumerate(polygons):
        if len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(f"polygon {index}: expected an even number >= 6, got {len(polygon)}")
        outline = np.frombuffer(array("d", polygon))
        # The sum of squares, which is fast, clears most polygons, and none with NaN.
        with np.errstate(over="ignore", invalid="ignore"):
            is_near = outline.dot(outline) <= limit**2
        if not is_near:
            wrong = outline[~(abs(outline) <= limit)]
            if len(wrong):
                raise ValueError(f"polygon {index}: {wrong[0]:g} is not from {-limit} to {limit}")
        outlines.append(outline)
    rles = mask_utils.frPyObjects(outlines, height, width)
    return rles[0] if len(rles) == 1 else mask_utils.merge(rles)


def _encode_rle(rle: dict, height: int, width: int) -> dict[str, Any]:
    if list(rle["size"]) != [height, width]:
        found = short_repr(rle["size"])
        raise ValueError(f"RLE size: expected [height, width], [{height}, {width}], got {found}")
    counts = rle["counts"]
    if isinstance(counts, str):
        decode_intervals([[counts]], 1, height * width)
        return rle
    try:
        numbers = array("q", counts)  # takes in a list far faster than NumPy
    except TypeError:
        numbers = array("q", map(whole_number, counts))
    runs = np.frombuffer(numbers, np.int64)
    total = height * width
    if not len(runs) or runs.min() < 0 or runs.max() > total or runs.sum() != total:
        expected = f"numbers that sum to {total} (height x width)"
        raise ValueError(f"RLE counts: expected {expected}, got {short_repr(counts)}")
    return mask_utils.frPyObjects({**rle, "counts": runs}, height, width)
