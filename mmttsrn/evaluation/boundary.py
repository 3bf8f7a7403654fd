"""Boundary regions of masks, for the boundary variant of the IoU (Cheng et al., CVPR 2021)."""

import cv2
import numpy as np
from pycocotools import mask as mask_utils

from mmttsrn.formats.encoded_masks import Counts

# Width of the boundary by the diagonal of the frame, as in the paper.
DILATION_RATIO = 0.02


def boundary_counts(counts: Counts, height: int, width: int) -> Counts:
    """Cut the boundary regions out of masks: foreground that is near to background.

    The outside of the frame counts as background.

    Args:
        counts: Valid compressed RLE counts of T frames; None where there is no mask.
        height: H of the frames.
        width: W of the frames.

    Returns:
        Compressed RLE counts of the T regions.
    """
    distance = max(1, round(DILATION_RATIO * float(np.hypot(height, width))))
    return [text and _boundary(text, height, width, distance) for text in counts]


def _boundary(counts: str, height: int, width: int, distance: int) -> str:
    mask = mask_utils.decode({"size": [height, width], "counts": counts.encode()})
    kernel = np.ones((3, 3), np.uint8)
    inner = cv2.erode(
        mask, kernel, iterations=distance, borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    return mask_utils.encode(np.asfortranarray(mask - inner))["counts"].decode()
