"""Sampling of a clip of consecutive frames out of a video."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmttsrn.errors import UserInputError
from mmttsrn.registry import TRANSFORMS
from mmttsrn.structures import reflect_frames


@TRANSFORMS.register_module()
class ClipSample(BaseTransform):
    """Takes ``num_frames`` consecutive frames around the key frame of a video.

    The key frame is ``key_frame_id`` of the video dict (set by image-level samplers) or drawn at
    random; its place in the clip is random. The clip stays inside the video; with a stride above 1
    it may then pass the key frame by less than a stride. Videos shorter than the clip are played
    back and forth (0 1 2 1 0 1 ...), so motion stays continuous.

    Args:
        num_frames: Frames of the clip, T.
        stride: Distance of neighbouring frames; a pair (low, high) draws it per clip, among the
            values with which the clip fits into the video if there are any.
        reverse_prob: Probability of playing the clip backwards.
        test_mode: No randomness: the lowest stride, the key frame in the middle (or the first
            frames of the video when no key frame is given), forwards.
        collect_video_keys: Keys of the video that are copied to each frame.

    Returns (of ``transform``):
        A dict of lists of length T, one entry per frame; ``video_length`` is T and
        ``ori_video_length`` the length of the video.
    """

    def __init__(
        self,
        num_frames: int,
        stride: int | Sequence[int] = 1,
        reverse_prob: float = 0.0,
        test_mode: bool = False,
        collect_video_keys: Sequence[str] = ("video_id", "video_length"),
    ) -> None:
        low, high = (stride, stride) if isinstance(stride, int) else stride
        if not 1 <= low <= high or num_frames < 1:
            found = f"num_frames={num_frames}, stride={stride}"
            raise UserInputError(f"ClipSample: expected 1 or more, and low <= high, got {found}")
        self.collect_video_keys = list(collect_video_keys)
        self.num_frames = num_frames
        self.stride = (low, high)
        self.reverse_prob = reverse_prob
        self.test_mode = test_mode

    def transform(self, video_infos: dict[str, Any]) -> dict[str, list]:
        """Sample the clip and collate its frame dicts to a dict of lists."""
        length = video_infos["video_length"]
        key_frame = video_infos.get("key_frame_id")
        return self.prepare_data(video_infos, self.sample_frames(length, key_frame))

    def sample_frames(self, video_length: int, key_frame: int | None = None) -> list[int]:
        """Chooses the frame indices of a clip.

        Args:
            video_length: Frames of the video.
            key_frame: Frame that the clip is built around; None draws one.

        Returns:
            T indices in ``[0, video_length)``.
        """
        stride = self._choose_stride(video_length)
        span = (self.num_frames - 1) * stride + 1
        middle = 0 if key_frame is None else (self.num_frames - 1) // 2
        if key_frame is None:
            key_frame = 0 if self.test_mode else np.random.randint(video_length)
        # Places of the key frame in the clip for which the clip lies inside the video or, in a
        # short video, covers all of it.
        low, high = sorted((-((video_length - span - key_frame) // stride), key_frame // stride))
        low, high = max(low, 0), min(high, self.num_frames - 1)
        if self.test_mode:
            place = int(np.clip(middle, low, high))
        else:
            place = np.random.randint(low, high + 1)
        start = key_frame - place * stride
        if span <= video_length:
            start = int(np.clip(start, 0, video_length - span))
        frames = start + stride * np.arange(self.num_frames)  # T
        frames = reflect_frames(frames, video_length)
        if not self.test_mode and np.random.rand() < self.reverse_prob:
            frames = frames[::-1]
        return frames.tolist()

    def prepare_data(
        self, video_infos: dict[str, Any], sampled_inds: Sequence[int]
    ) -> dict[str, list]:
        """Collates the sampled frames; copies them, because a frame may occur twice."""
        results: dict[str, list] = defaultdict(list)
        for index in sampled_inds:
            frame = dict(video_infos["images"][index])
            frame["instances"] = [dict(instance) for instance in frame.get("instances", [])]
            for key in self.collect_video_keys:
                frame[key] = video_infos[key]
            frame["ori_video_length"] = video_infos["video_length"]
            frame["video_length"] = len(sampled_inds)
            for key, value in frame.items():
                results[key].append(value)
        return results

    def _choose_stride(self, video_length: int) -> int:
        low, high = self.stride
        if self.test_mode or low == high:
            return low
        if self.num_frames > 1:
            high = min(high, max(low, (video_length - 1) // (self.num_frames - 1)))
        return int(np.random.randint(low, high + 1))
