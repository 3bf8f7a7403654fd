"""Segmentations of YouTube-VIS json files as compressed COCO run-length encodings."""

from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools import mask as mask_utils

_MAX_CHARS_PER_COUNT = 7  # 5 bits each: more than any frame has pixels
NOT_COMPRESSED = "RLE counts string is not a compressed COCO RLE"
CUT_OFF = "RLE counts string is empty or cut off"
NEGATIVE_RUN = "RLE counts string holds a negative run"


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
        TypeError, ValueError: The segmentation does not describe a ``height x width`` mask; the
            message says what was found and what was expected.
    """
    if isinstance(segmentation, list):
        rle = _encode_polygons(segmentation, height, width)
    elif isinstance(segmentation, dict):
        rle = _encode_rle(segmentation, height, width)
    else:
        raise TypeError(
            f"is a {type(segmentation).__name__}, expected polygons, an RLE dict or null"
        )
    counts = rle["counts"]
    return {
        "size": [height, width],
        "counts": counts.decode() if isinstance(counts, bytes) else counts,
    }


def _encode_polygons(polygons: list, height: int, width: int) -> dict[str, Any]:
    if not polygons:
        raise ValueError("is an empty list, expected polygons, an RLE dict or null")
    for index, polygon in enumerate(polygons):
        if not isinstance(polygon, list):
            raise TypeError(f"polygon {index} is a {type(polygon).__name__}, expected a list")
        if len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(
                f"polygon {index} has {len(polygon)} coordinates, expected an even number >= 6"
            )
    try:
        return mask_utils.merge(mask_utils.frPyObjects(polygons, height, width))
    except (TypeError, ValueError) as error:
        raise ValueError(f"polygon coordinates must be numbers ({error})") from error


def _encode_rle(rle: dict, height: int, width: int) -> dict[str, Any]:
    for key in ("size", "counts"):
        if key not in rle:
            raise ValueError(f"RLE has no key '{key}', expected {{size: [h, w], counts: ...}}")
    if not isinstance(rle["size"], (list, tuple)) or list(rle["size"]) != [height, width]:
        raise ValueError(
            f"RLE size is {rle['size']!r}, expected [height, width] of its video,"
            f" [{height}, {width}]"
        )
    counts = rle["counts"]
    if isinstance(counts, list):
        if not set(map(type, counts)) == {int} or min(counts) < 0:
            raise ValueError("RLE counts must be non-negative integers")
        total = sum(counts)
    elif isinstance(counts, str):
        runs = compressed_runs(counts)
        total = int(runs.sum())
    else:
        raise TypeError(f"RLE counts is a {type(counts).__name__}, expected a list or a string")
    if total != height * width:
        raise ValueError(
            f"RLE counts sum to {total} pixels, expected {height} x {width} = {height * width}"
        )
    return mask_utils.frPyObjects(rle, height, width) if isinstance(counts, list) else rle


def compressed_runs(counts: str) -> np.ndarray:
    """Decode the run lengths of a compressed RLE string, shape (runs,), int64.

    The format is COCO's: 5 bits per character offset by 48, bit 6 means "continues", two's
    complement, and from the fourth run on the difference to the run before the previous one.

    Raises:
        ValueError: The string is not a compressed RLE.
    """
    codes = np.frombuffer(counts.encode("utf-8", "surrogatepass"), np.uint8).astype(np.int64) - 48
    if len(codes) == 0:
        raise ValueError(CUT_OFF)
    if codes.min() < 0 or codes.max() > 63:
        raise ValueError(NOT_COMPRESSED)
    ends = np.flatnonzero((codes & 0x20) == 0)  # last character of each run
    if len(ends) == 0 or ends[-1] != len(codes) - 1:
        raise ValueError(CUT_OFF)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > _MAX_CHARS_PER_COUNT:
        raise ValueError(NOT_COMPRESSED)
    shifts = 5 * (np.arange(len(codes)) - np.repeat(starts, lengths))
    runs = np.add.reduceat((codes & 0x1F) << shifts, starts)
    runs -= ((codes[ends] & 0x10) != 0) * (1 << (5 * lengths))
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    if runs.min() < 0:
        raise ValueError(NEGATIVE_RUN)
    return runs
