"""Masks of an instance sequence as a file gives them, in a small and uniform form."""

from typing import Any, NamedTuple

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

    What is not a list of RLE dicts of one size and nulls is returned with compressed counts, as far
    as these are valid.
    """
    if not isinstance(segmentations, list):
        return segmentations
    segmentations = [_compressed(segmentation) for segmentation in segmentations]
    masks = [segmentation for segmentation in segmentations if segmentation]
    for mask in masks:
        if not isinstance(mask, dict) or mask.keys() != {"size", "counts"}:
            return segmentations
        if mask["size"] != masks[0]["size"] or not isinstance(mask["counts"], str):
            return segmentations
    size = masks[0]["size"] if masks else None
    return EncodedMasks(size, [mask["counts"] if mask else None for mask in segmentations])


def _compressed(mask: Any) -> Any:
    """Compress an uncompressed RLE; :func:`mask_counts` reports one that is not valid."""
    if not isinstance(mask, dict) or not isinstance(mask.get("counts"), list):
        return mask
    try:
        return encode_segmentation(mask, *mask["size"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return mask
