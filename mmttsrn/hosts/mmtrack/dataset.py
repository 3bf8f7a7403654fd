"""Data set of videos for MMTracking's samplers and transforms."""

from typing import Any

from mmtrack.datasets import BaseVideoDataset
from mmtrack.registry import DATASETS as MMTRACK_DATASETS

from mmttsrn.datasets.transforms import ClipSample
from mmttsrn.datasets.youtube_vis import YouTubeVISVideos
from mmttsrn.errors import UserInputError
from mmttsrn.registry import DATASETS


class _WholeVideos:
    """The videos of a data set that has frames."""

    def __init__(self, dataset: "MMTrackYouTubeVISDataset") -> None:
        self.dataset = dataset

    @property
    def starts(self) -> list[int]:
        """Numbers of the first frames."""
        self.dataset.full_init()
        return self.dataset.first_frames

    def __len__(self) -> int:
        return len(self.starts)

    def get_data_info(self, index: int) -> dict:
        """One video, as :class:`~mmttsrn.datasets.YouTubeVISVideos` has them."""
        start = self.starts[index]
        first = self.dataset.get_frame(start)
        length = first["video_length"]
        images = [first, *(self.dataset.get_frame(start + frame) for frame in range(1, length))]
        return {"video_id": first["video_id"], "video_length": length, "images": images}


@MMTRACK_DATASETS.register_module()
@DATASETS.register_module()
class MMTrackYouTubeVISDataset(YouTubeVISVideos, BaseVideoDataset):
    """Videos of an official YouTube-VIS json, frame by frame as MMTracking has them.

    MMTracking's own data set reads a json of another layout, to which its converter brings the
    official one. Here no conversion is needed; categories without objects do not matter, and
    ``metainfo`` has the names of classes as ``classes`` and, for parts of MMTracking, ``CLASSES``.

    Args:
        ref_img_sampler: How the other frames of a clip are chosen: the arguments of
            :class:`~mmttsrn.datasets.transforms.ClipSample` (``num_frames``, ``stride``, ...),
            which puts the key frame at its place in time, or MMTracking's (``num_ref_imgs``,
            ``frame_range``, ...). None for a frame alone, as in tests.
        backend_args: Arguments of the mmengine file backend that reads the json.
        **kwargs: Arguments of :class:`~mmttsrn.datasets.YouTubeVISVideos` and of MMTracking's
            ``BaseVideoDataset`` (``key_img_sampler``). ``load_as_video`` has to stay True.

    Raises:
        UserInputError: The json or the frame files are not usable; one line says where and why.
    """

    def __init__(
        self,
        *args: Any,
        ref_img_sampler: dict[str, Any] | None = None,
        backend_args: dict | None = None,
        **kwargs: Any,
    ) -> None:
        if not kwargs.get("load_as_video", True):
            raise UserInputError("load_as_video=False: a YouTube-VIS json holds videos; leave it")
        self.backend_args = backend_args
        self.first_frames: list[int] = []
        self.clip_sample = None
        if ref_img_sampler is not None and "num_frames" in ref_img_sampler:
            self.clip_sample = ClipSample(**ref_img_sampler)
        super().__init__(*args, ref_img_sampler=ref_img_sampler, **kwargs)

    def load_data_list(self) -> tuple[list[dict], list[int]]:  # type: ignore[override]
        """Read ``ann_file``; gives the frames, and which of them are key frames."""
        videos = self.kept_videos(self.read_videos())
        frames = [
            {**image, "video_id": video["video_id"], "video_length": video["video_length"]}
            for video in videos
            for image in video["images"]
        ]
        self.first_frames = [i for i, frame in enumerate(frames) if frame["frame_id"] == 0]
        self._metainfo["CLASSES"] = self._metainfo["classes"]
        interval = (self.key_img_sampler or {}).get("interval", 1)
        keys = [i for i, frame in enumerate(frames) if frame["frame_id"] % interval == 0]
        return frames, keys

    def filter_data(self) -> list[int]:  # type: ignore[override]
        """Give the key frames: videos without instances are left out already."""
        return self.valid_data_indices

    def count_frames(self) -> int:
        """Count the frames of all videos."""
        return len(self)

    def whole_videos(self) -> "_WholeVideos":
        """Return what gives whole videos."""
        return _WholeVideos(self)

    def get_frame(self, index: int) -> dict:
        """Entry of a frame by its number among all, whether it is a key frame or not."""
        return self._get_ori_data_info(index)

    def ref_img_sampling(self, idx: int, data_info: dict, **sampler: Any) -> list[dict]:
        """Choose the frames of a clip around a key frame."""
        if self.clip_sample is None:
            return super().ref_img_sampling(idx, data_info, **sampler)
        key = data_info["frame_id"]
        first = self.valid_data_indices[idx] - key
        numbers = self.clip_sample.sample_frames(data_info["video_length"], key)
        frames = [self.get_frame(first + number) for number in numbers]
        return [{**frame, "sample_idx": data_info["sample_idx"]} for frame in frames]
