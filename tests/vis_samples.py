"""Small annotated clips in the form that the data pipeline gives to the model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData
from torch import Tensor


@dataclass(frozen=True)
class Rectangle:
    """An instance that fills a box (x1, y1, x2, y2) of whole pixels in each frame; None: absent."""

    instance_id: int
    label: int
    boxes: Sequence[tuple[int, int, int, int] | None]

    @classmethod
    def moving(
        cls, instance_id: int, label: int, box: tuple[int, int, int, int], num_frames: int = 3
    ) -> "Rectangle":
        """A rectangle that moves right by 2 pixels a frame."""
        x1, y1, x2, y2 = box
        return cls(
            instance_id, label, [(x1 + 2 * t, y1, x2 + 2 * t, y2) for t in range(num_frames)]
        )


def clip_sample(
    rectangles: Sequence[Rectangle],
    num_frames: int = 3,
    size: tuple[int, int] = (64, 96),
    original_size: tuple[int, int] | None = None,
) -> TrackDataSample:
    """Annotations of a clip of frames (H, W); a frame lists the instances that it shows."""
    frames = []
    for t in range(num_frames):
        shown = [r for r in rectangles if r.boxes[t] is not None]
        masks = np.zeros((len(shown), *size), np.uint8)
        for mask, rectangle in zip(masks, shown, strict=True):
            x1, y1, x2, y2 = rectangle.boxes[t]
            mask[y1:y2, x1:x2] = 1
        frame = DetDataSample(
            metainfo=dict(
                img_id=t,
                frame_id=t,
                video_id=1,
                video_length=num_frames,
                ori_video_length=num_frames,
                img_shape=size,
                ori_shape=original_size or size,
                batch_input_shape=size,
            )
        )
        frame.gt_instances = InstanceData(
            bboxes=torch.tensor([r.boxes[t] for r in shown], dtype=torch.float32).view(-1, 4),
            labels=torch.tensor([r.label for r in shown], dtype=torch.int64),
            instances_ids=torch.tensor([r.instance_id for r in shown], dtype=torch.int64),
            masks=BitmapMasks(masks, *size),
        )
        frames.append(frame)
    sample = TrackDataSample()
    sample.video_data_samples = frames
    return sample


def random_frames(num_frames: int = 3, size: tuple[int, int] = (64, 96), seed: int = 0) -> Tensor:
    """Random images (T, 3, H, W) uint8."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (num_frames, 3, *size), generator=generator, dtype=torch.uint8)
