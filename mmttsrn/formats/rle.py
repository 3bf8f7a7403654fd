"""Segmentations of YouTube-VIS json files as compressed COCO run-length encodings."""

from array import array
from collections.abc import Sequence
from reprlib import repr as short_repr
from typing import Any

import numpy as np
from pycocotools import mask as mask_utils

_MAX_CHARS_PER_COUNT = 7  # 5 bits each: more than any frame has pixels
# Boxes and polygons may leave the frame by some times its longer side. What is farther away is a
# mistake, and pycocotools draws its way there in memory.
MAX_SIDES_AWAY = 10
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


def coordinate_limit(height: int, width: int) -> int:
    """Return how far from 0 the coordinates of boxes and polygons may be."""
    return MAX_SIDES_AWAY * max(height, width)


def _encode_polygons(polygons: list, height: int, width: int) -> dict[str, Any]:
    limit = coordinate_limit(height, width)
    outlines = []
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
            outline = np.frombuffer(array("d", polygon))
        except (TypeError, OverflowError) as error:
            raise ValueError(
                f"polygon {index}: coordinates must be numbers of pixels ({error})"
            ) from error
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
    for key in ("size", "counts"):
        if key not in rle:
            raise ValueError(f"RLE has no key '{key}', expected {{size: [h, w], counts: ...}}")
    if not isinstance(rle["size"], (list, tuple)) or list(rle["size"]) != [height, width]:
        raise ValueError(
            f"RLE size is {short_repr(rle['size'])}, expected [height, width] of its video,"
            f" [{height}, {width}]"
        )
    counts = rle["counts"]
    if isinstance(counts, list):
        if not set(map(type, counts)) == {int} or min(counts) < 0:
            raise ValueError("RLE counts must be non-negative integers")
        total = sum(counts)
    elif isinstance(counts, str):
        runs, _ = decode_runs([counts])
        total = int(runs.sum())
    else:
        raise TypeError(f"RLE counts is a {type(counts).__name__}, expected a list or a string")
    if total != height * width:
        raise ValueError(
            f"RLE counts sum to {total} pixels, expected {height} x {width} = {height * width}"
        )
    return mask_utils.frPyObjects(rle, height, width) if isinstance(counts, list) else rle


class BrokenRunsError(ValueError):
    """A compressed RLE that is not valid.

    Attributes:
        index: Which one of those that were decoded together.
    """

    def __init__(self, index: int, problem: str) -> None:
        self.index = index
        super().__init__(problem)


def decode_runs(counts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Decode compressed RLE strings, all together.

    The format is COCO's: 5 bits per character offset by 48, bit 6 means "continues", two's
    complement, and from the fourth run on the difference to the run before the previous one.

    Args:
        counts: One or more strings.

    Returns:
        Lengths of background and of the foreground after it, (n, 2) int64, where the last
        foreground may be 0; and the index of each string's first row, then n.

    Raises:
        BrokenRunsError: A string is not a compressed RLE.
    """
    lengths = np.fromiter(map(len, counts), np.int64, len(counts))
    _refuse(lengths == 0, CUT_OFF)
    text = "".join(counts)
    if not text.isascii():
        _refuse(np.array([not string.isascii() for string in counts]), NOT_COMPRESSED)
    codes = np.frombuffer(text.encode(), np.uint8) - np.uint8(48)
    stops = np.cumsum(lengths)
    _refuse(np.maximum.reduceat(codes, stops - lengths) > 63, NOT_COMPRESSED)
    _refuse(codes[stops - 1] >= 32, CUT_OFF)
    last = np.flatnonzero(codes < 32)  # character of each number
    heads = np.append(0, last[:-1] + 1)
    sizes = last - heads + 1
    first = np.searchsorted(last, stops - lengths)  # number of each string
    _refuse(np.maximum.reduceat(sizes, first) > _MAX_CHARS_PER_COUNT, NOT_COMPRESSED)
    shifts = 5 * (np.arange(len(codes)) - np.repeat(heads, sizes))
    numbers = np.add.reduceat((codes & 31).astype(np.int64) << shifts, heads)
    numbers -= ((codes[last] & 16) != 0) * (1 << (5 * sizes))
    return _runs_of_numbers(numbers, np.append(first, len(numbers)))


def _runs_of_numbers(numbers: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum up the differences in the numbers of each string, in rows of two."""
    amounts = np.diff(first)
    odd = amounts % 2 == 1
    runs = np.insert(numbers, first[1:][odd], 0).reshape(-1, 2)
    rows = np.append(0, np.cumsum((amounts + 1) // 2))
    starts = rows[:-1]
    third = starts[amounts > 2] + 1
    runs[third, 0] -= runs[third - 1, 0]  # which is no difference yet
    for column in runs.T:
        sums = np.add.reduceat(column, starts)
        column[starts[1:]] -= sums[:-1]  # where the sum goes on from the string before
        np.cumsum(column, out=column)
    runs[rows[1:][odd] - 1, 1] = 0
    _refuse(np.minimum.reduceat(np.minimum(*runs.T), starts) < 0, NEGATIVE_RUN)
    return runs, rows


def _refuse(broken: np.ndarray, problem: str) -> None:
    if broken.any():
        raise BrokenRunsError(int(broken.argmax()), problem)
