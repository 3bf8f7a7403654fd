import numpy as np
import pytest

from mmttsrn.datasets.transforms import ClipSample


def video(length: int) -> dict:
    images = [
        {"img_id": 10 + frame, "frame_id": frame, "instances": [{"instance_id": 1}]}
        for frame in range(length)
    ]
    return {"video_id": 7, "video_length": length, "images": images}


@pytest.mark.parametrize("length", [1, 2, 4, 5, 9, 30])
@pytest.mark.parametrize("num_frames", [1, 2, 5, 8])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_clips_are_consecutive_and_near_the_key_frame(
    length: int, num_frames: int, stride: int
) -> None:
    np.random.seed(0)
    sampler = ClipSample(num_frames, stride=stride)
    span = (num_frames - 1) * stride + 1
    for key in range(length):
        for _ in range(5):
            frames = sampler.sample_frames(length, key)
            assert len(frames) == num_frames
            assert min(frames) >= 0
            assert max(frames) < length
            if span <= length:
                assert np.all(np.diff(frames) == stride)
                assert frames[0] - stride < key < frames[-1] + stride
            if stride == 1:
                assert key in frames
                assert set(np.abs(np.diff(frames)).tolist()) <= ({1} if length > 1 else {0})
                assert len(set(frames)) == min(length, num_frames)


def test_the_key_frame_stands_at_every_place() -> None:
    np.random.seed(0)
    sampler = ClipSample(4)
    places = {10 - sampler.sample_frames(30, 10)[0] for _ in range(200)}
    assert places == {0, 1, 2, 3}


def test_short_videos_are_played_back_and_forth() -> None:
    sampler = ClipSample(8, test_mode=True)
    assert sampler.sample_frames(3) == [0, 1, 2, 1, 0, 1, 2, 1]
    assert sampler.sample_frames(1) == [0] * 8


def test_test_mode_is_deterministic_and_centred() -> None:
    sampler = ClipSample(5, stride=(1, 4), reverse_prob=1.0, test_mode=True)
    assert sampler.sample_frames(30) == [0, 1, 2, 3, 4]
    assert sampler.sample_frames(30, 10) == [8, 9, 10, 11, 12]
    assert sampler.sample_frames(30, 29) == [25, 26, 27, 28, 29]


def test_strides_of_a_range_that_fit_are_all_drawn() -> None:
    np.random.seed(0)
    sampler = ClipSample(4, stride=(1, 5))
    strides = {int(np.diff(sampler.sample_frames(11))[0]) for _ in range(200)}
    assert strides == {1, 2, 3}  # a stride of 4 needs 13 frames


def test_reversal() -> None:
    np.random.seed(0)
    backwards = ClipSample(4, reverse_prob=1.0).sample_frames(9, 4)
    assert np.all(np.diff(backwards) == -1)
    directions = {np.diff(ClipSample(4, reverse_prob=0.5).sample_frames(9))[0] for _ in range(50)}
    assert directions == {-1, 1}


def test_seeding_numpy_repeats_the_draws() -> None:
    sampler = ClipSample(4, stride=(1, 3), reverse_prob=0.5)
    draws = []
    for _ in range(2):
        np.random.seed(5)
        draws.append([sampler.sample_frames(40) for _ in range(20)])
    assert draws[0] == draws[1]


def test_frames_are_collated_without_shared_state() -> None:
    content = video(2)
    results = ClipSample(4, test_mode=True)(content)
    assert results["frame_id"] == [0, 1, 0, 1]
    assert results["video_id"] == [7] * 4
    assert results["video_length"] == [4] * 4
    assert results["ori_video_length"] == [2] * 4
    results["instances"][0][0]["ignore_flag"] = 1
    assert results["instances"][2] == [{"instance_id": 1}]
    assert content == video(2)


@pytest.mark.parametrize("stride", [0, -1, (3, 2)])
def test_impossible_strides(stride: object) -> None:
    with pytest.raises(ValueError, match="stride"):
        ClipSample(4, stride)
