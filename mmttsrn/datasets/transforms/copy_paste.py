"""Copy-paste augmentation of clips: moving objects of other videos are pasted on a clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from pycocotools import mask as mask_utils

from mmttsrn.datasets.transforms.clip_sample import ClipSample
from mmttsrn.datasets.transforms.loading import LoadVideoFrame
from mmttsrn.errors import UserInputError
from mmttsrn.registry import DATASETS, TRANSFORMS

_INSIDE = 128  # of 255, the least coverage of a pixel that belongs to the mask


class Videos(Protocol):
    """A data set of videos, as :class:`~mmttsrn.datasets.YouTubeVISVideos`."""

    def __len__(self) -> int: ...

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return a video with its annotations."""


@dataclass(frozen=True, slots=True)
class _MovingObject:
    """An object of another video during T frames."""

    label: int
    images: list[np.ndarray | None]  # T times (H', W', 3) uint8, None where it has no mask
    masks: list[np.ndarray | None]  # T times (H', W') uint8 of 0 and 255
    center: tuple[float, float]  # x, y of its box in one of the frames


@TRANSFORMS.register_module()
class ClipCopyPaste(BaseTransform):
    """Pastes objects of other videos on a clip, each as a whole sequence.

    It stands between two :class:`ClipBroadcaster` of the pipeline of a
    :class:`~mmttsrn.hosts.mmdet.YouTubeVISDataset`, after the frames and annotations are loaded;
    the data set hands itself over as :attr:`videos`, unless ``source`` names another one. An
    object keeps the motion that it has in its own video, and moves on a straight path besides. It
    hides what is below, also objects pasted before it: their masks lose those pixels, all boxes
    are taken from the masks, and an instance without pixels in a frame is not listed there. Pasted
    objects get new instance ids. Crowd is never pasted.

    Required keys, lists of length T: img, video_id, gt_masks, gt_bboxes, gt_bboxes_labels,
    gt_instances_ids, gt_ignore_flags, as ``mmdet.LoadTrackAnnotations`` leaves them. Modified keys:
    img and every ``gt_*`` list.

    Args:
        max_objects: Most objects to paste; the number is drawn from 0 to it.
        scale: Lowest and highest size of an object, as a multiple of its size in relation to the
            height of its own frame.
        flip_prob: Probability of a left-right flip.
        max_shift: Longest way of the path along each axis, in widths and heights of the frame. The
            path starts anywhere in the frame and may leave it.
        brightness: Greatest change of all channels of an object, as a part of their values.
        color: The same of each channel by itself.
        edge_blur: Standard deviation in pixels of the blur of an object's outline; 0 for none.
        stride: Distance of neighbouring frames of the other video, or a pair (low, high), as of
            :class:`ClipSample`.
        source: Config of a data set that objects are taken from. By this, videos or photographs
            without annotations are backgrounds for the objects of another data set, whose labels
            they get.
        backend_args: Arguments of the mmengine file backend that reads frames.
    """

    def __init__(
        self,
        max_objects: int = 2,
        scale: Sequence[float] = (0.5, 1.5),
        flip_prob: float = 0.5,
        max_shift: float = 0.2,
        brightness: float = 0.2,
        color: float = 0.1,
        edge_blur: float = 0.7,
        stride: int | Sequence[int] = 1,
        source: dict | None = None,
        backend_args: dict | None = None,
    ) -> None:
        ClipSample(1, stride)  # checks the stride
        self.source = None if source is None else DATASETS.build(source)
        self.videos: Videos | None = None if self.source is None else self.source.whole_videos()
        self.max_objects = max_objects
        self.scale = (scale[0], scale[1])
        self.flip_prob = flip_prob
        self.max_shift = max_shift
        self.brightness = brightness
        self.color = color
        self.edge_blur = edge_blur
        self.stride = stride
        self._load_frame = LoadVideoFrame(backend_args=backend_args)

    def transform(self, results: dict[str, list]) -> dict[str, list]:
        """Paste on one clip.

        Raises:
            UserInputError: There is no other video to take objects from.
        """
        if self.videos is None or len(self.videos) < (2 if self.source is None else 1):
            raise UserInputError(
                "ClipCopyPaste: expected a YouTubeVISDataset of two or more videos, or a source"
            )
        for _ in range(np.random.randint(self.max_objects + 1)):
            pasted = self._draw_object(results["video_id"][0], len(results["img"]))
            if pasted is not None:
                self._paste(results, pasted)
        return results

    def _draw_object(self, video_id: Any, num_frames: int) -> _MovingObject | None:
        """Draw another video, an object and T frames around one where it is visible."""
        assert self.videos is not None
        video = self.videos.get_data_info(np.random.randint(len(self.videos)))
        while self.source is None and video["video_id"] == video_id:
            video = self.videos.get_data_info(np.random.randint(len(self.videos)))
        found: dict[int, dict[int, dict]] = {}  # instance id, frame
        for frame, image in enumerate(video["images"]):
            for instance in image["instances"]:
                if not instance["ignore_flag"]:
                    found.setdefault(instance["instance_id"], {})[frame] = instance
        if not found:
            return None
        visible = list(found.values())[np.random.randint(len(found))]
        key_frame = list(visible)[np.random.randint(len(visible))]
        frames = ClipSample(num_frames, self.stride).sample_frames(len(video["images"]), key_frame)
        images: list[np.ndarray | None] = [None] * num_frames
        masks: list[np.ndarray | None] = [None] * num_frames
        for t, frame in enumerate(frames):
            if frame in visible:
                images[t] = self._load_frame.transform(dict(video["images"][frame]))["img"]
                masks[t] = mask_utils.decode(visible[frame]["mask"]) * np.uint8(255)
        x1, y1, x2, y2 = visible[key_frame]["bbox"]
        label = visible[key_frame]["bbox_label"]
        return _MovingObject(label, images, masks, ((x1 + x2) / 2, (y1 + y2) / 2))

    def _paste(self, results: dict[str, list], pasted: _MovingObject) -> None:
        """Paste an object on the frames of a clip, of one size, on a random path."""
        num_frames = len(results["img"])
        height, width = results["img"][0].shape[:2]
        scale = np.random.uniform(*self.scale)
        mirror = -1 if np.random.rand() < self.flip_prob else 1
        start = np.random.rand(2) * (width, height)
        way = np.random.uniform(-self.max_shift, self.max_shift, 2) * (width, height)
        gain = (1 + np.random.uniform(-self.brightness, self.brightness)) * (
            1 + np.random.uniform(-self.color, self.color, 3)
        )
        ids = np.concatenate([[0], *results["gt_instances_ids"]])
        for t, (image, mask) in enumerate(zip(pasted.images, pasted.masks, strict=True)):
            if image is None or mask is None:
                continue
            x, y = start + way * t / max(num_frames - 1, 1)
            zoom = scale * height / image.shape[0]
            matrix = np.array([[mirror * zoom, 0, x], [0, zoom, y]])
            matrix[:, 2] -= matrix[:, :2] @ pasted.center
            cover = cv2.warpAffine(mask, matrix, (width, height))
            inside = (cover >= _INSIDE).astype(np.uint8)
            if inside.any():
                image = cv2.warpAffine(
                    image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE
                )
                results["img"][t] = self._blend(results["img"][t], image, cover, gain)
                _add_instance(results, t, inside, pasted.label, int(ids.max()) + 1)

    def _blend(
        self, below: np.ndarray, above: np.ndarray, cover: np.ndarray, gain: np.ndarray
    ) -> np.ndarray:
        """Lay the covered part of one frame (H, W, 3) on a copy of another."""
        if self.edge_blur > 0:
            cover = cv2.GaussianBlur(cover, (0, 0), self.edge_blur)
        x, y, width, height = cv2.boundingRect(cover)
        place = np.s_[y : y + height, x : x + width]
        weight = cover[place][..., None] / np.float32(255)
        bright = np.minimum(above[place] * gain.astype(np.float32), 255)
        blended = below.copy()
        blended[place] = np.rint(below[place] + weight * (bright - below[place]))
        return blended


def _add_instance(
    results: dict[str, list], t: int, mask: np.ndarray, label: int, instance_id: int
) -> None:
    """List an instance on top of those of a frame, with its mask (H, W) uint8 of 0 and 1."""
    frame_masks = results["gt_masks"][t]
    masks = np.concatenate([frame_masks.masks * (1 - mask), mask[None]])  # n H W
    visible = masks.any(axis=(1, 2))  # n
    masks = masks[visible]
    results["gt_masks"][t] = type(frame_masks)(masks, *mask.shape)
    corners = np.array([cv2.boundingRect(one) for one in masks], np.float32)  # n 4, xywh
    corners[:, 2:] += corners[:, :2]
    results["gt_bboxes"][t] = corners
    added = {"gt_bboxes_labels": label, "gt_instances_ids": instance_id, "gt_ignore_flags": False}
    for key, value in added.items():
        values = results[key][t]
        results[key][t] = np.append(values, np.array(value, values.dtype))[visible]
