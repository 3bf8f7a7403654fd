"""Masks of an instance sequence as a file gives them, in a small and uniform form."""

from array import array
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as mask_utils

from mmttsrn.errors import UserInputError, input_errors
from mmttsrn.formats.rle import encode_segmentation

Counts = list[str | None]


class EncodedMasks(NamedTuple):
    """Masks of T frames that share one size.

    Attributes:
        size: Height and width as the file gives them.
        counts: Compressed RLE counts, which are not checked; None where there is no mask.
    """

    size: list[Any] | None
    counts: Counts


def mask_counts(masks: Any, num_frames: int, size: tuple[int, int], place: str) -> Counts:
    """Compressed RLE counts of the T frames of a sequence, which are checked when decoded.

    Args:
        masks: Masks as :func:`pack_masks` gives them.
        num_frames: T.
        size: Height and width of the frames.
        place: The sequence, for messages.

    Raises:
        UserInputError: They are not masks of so many frames of this size.
    """
    frames = masks.counts if isinstance(masks, EncodedMasks) else masks
    if not isinstance(frames, list) or len(frames) != num_frames:
        found = len(frames) if isinstance(frames, list) else f"a {type(frames).__name__}"
        expected = f"a list with one mask or null per frame, {num_frames}"
        raise UserInputError(f"{place}segmentations: expected {expected}, got {found}")
    if isinstance(masks, EncodedMasks) and masks.size in (None, [*size]):
        return masks.counts
    counts: Counts = [None] * len(frames)
    for frame, mask in enumerate(frames):
        if isinstance(masks, EncodedMasks):
            mask = mask and {"size": masks.size, "counts": mask}
        if mask:
            with input_errors(f"{place}segmentations[{frame}]"):
                counts[frame] = encode_segmentation(mask, *size)["counts"]
    return counts


def pack_masks(segmentations: Any) -> EncodedMasks | Any:
    """Put the masks of a sequence into the small form.

    What is not a list of RLE dicts of one size and nulls is returned as it is.
    """
    segmentations = compress_masks(segmentations)
    if not isinstance(segmentations, list):
        return segmentations
    masks = [segmentation for segmentation in segmentations if segmentation]
    for mask in masks:
        if not isinstance(mask, dict) or mask.keys() != {"size", "counts"}:
            return segmentations
        if mask["size"] != masks[0]["size"] or not isinstance(mask["counts"], str):
            return segmentations
    size = masks[0]["size"] if masks else None
    return EncodedMasks(size, [mask["counts"] if mask else None for mask in segmentations])


def compress_masks(segmentations: Any) -> Any:
    """Compress the uncompressed RLE among the masks of a sequence.

    If any of them is not valid, or they are of several sizes, they are left as they are.
    """
    if not isinstance(segmentations, list):
        return segmentations
    chosen = [
        index
        for index, segmentation in enumerate(segmentations)
        if isinstance(segmentation, dict) and isinstance(segmentation.get("counts"), list)
    ]
    if not chosen:
        return segmentations
    size = segmentations[chosen[0]].get("size")
    if not _is_size(size) or any(segmentations[i].get("size") != size for i in chosen):
        return segmentations
    runs = _valid_runs([segmentations[i]["counts"] for i in chosen], size[0] * size[1])
    if runs is None:
        return segmentations
    compressed = mask_utils.frPyObjects([{"size": size, "counts": r} for r in runs], *size)
    segmentations = list(segmentations)
    for index, rle in zip(chosen, compressed, strict=True):
        segmentations[index] = {"size": size, "counts": rle["counts"].decode()}
    return segmentations


def _valid_runs(counts: list[list[Any]], num_pixels: int) -> list[np.ndarray] | None:
    """Return the counts as arrays; None if any are not run lengths of so many pixels."""
    joined = array("q")  # takes in a list far faster than NumPy does
    stops = []
    for numbers in counts:
        try:
            joined.fromlist(numbers)
        except (TypeError, OverflowError):
            return None
        stops.append(len(joined))
    starts = [0, *stops[:-1]]
    if any(start == stop for start, stop in zip(starts, stops, strict=True)):
        return None
    runs = np.frombuffer(joined, np.int64)
    if runs.min() < 0 or runs.max() > num_pixels:
        return None
    if (np.add.reduceat(runs, starts) != num_pixels).any():
        return None
    return [runs[start:stop] for start, stop in zip(starts, stops, strict=True)]


def _is_size(size: Any) -> bool:
    """Whether a value is the height and width of a frame."""
    return isinstance(size, list) and len(size) == 2 and all(type(n) is int and n > 0 for n in size)
