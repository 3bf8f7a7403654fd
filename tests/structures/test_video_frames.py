import numpy as np
import pytest

from mmttsrn.structures import reflect_frames


@pytest.mark.parametrize(
    ("start", "length", "num_frames", "expected"),
    [
        (0, 3, 1, [0, 0, 0]),
        (0, 5, 2, [0, 1, 0, 1, 0]),
        (0, 7, 3, [0, 1, 2, 1, 0, 1, 2]),
        (0, 3, 3, [0, 1, 2]),
        (4, 3, 7, [4, 5, 6]),
        (-2, 4, 3, [2, 1, 0, 1]),
    ],
)
def test_a_video_is_played_back_and_forth(
    start: int, length: int, num_frames: int, expected: list[int]
) -> None:
    frames = np.arange(start, start + length)
    assert reflect_frames(frames, num_frames).tolist() == expected
