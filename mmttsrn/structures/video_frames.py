"""Sizes and order of the frames of a video."""

from typing import NamedTuple

import numpy as np


class FrameSizes(NamedTuple):
    """Heights and widths in pixels.

    Attributes:
        padded: As the model sees the frames.
        unpadded: The same without padding.
        original: As they are in the video.
    """

    padded: tuple[int, int]
    unpadded: tuple[int, int]
    original: tuple[int, int]


def reflect_frames(frames: np.ndarray, num_frames: int) -> np.ndarray:
    """Fold any frame numbers into a video by playing it back and forth: 0 1 2 1 0 1 ...

    Args:
        frames: (T,) integers.
        num_frames: Length of the video.

    Returns:
        (T,) numbers from 0 to ``num_frames - 1``.
    """
    if num_frames == 1:
        return np.zeros_like(frames)
    period = 2 * (num_frames - 1)
    folded = frames % period
    return np.minimum(folded, period - folded)
