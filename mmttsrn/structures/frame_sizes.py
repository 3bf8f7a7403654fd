"""Sizes of the frames of a video."""

from typing import NamedTuple


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
