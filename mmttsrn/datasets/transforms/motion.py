"""Motion of the whole picture: clips of videos or of photographs as a moving camera sees them."""

from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmttsrn.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ClipMotion(BaseTransform):
    """Rotates, scales and shifts the frames of a clip, evenly from its first frame to its last.

    Of the repeated frame of a photograph it makes a clip with motion. Where a frame ends its mirror
    image goes on, also of the masks. It stands where :class:`ClipCopyPaste` does; boxes are taken
    from the masks, and an instance without pixels left is for :class:`DropInvisibleInstances`.

    Required keys, lists of length T: img, gt_masks, gt_bboxes. Modified keys: these.

    Args:
        max_rotation: Greatest angle of the first and the last frame, in degrees.
        scale: Lowest and highest scale of the first and the last frame.
        max_shift: Greatest shift of the first and the last frame along each axis, in widths and
            heights of the frame.

    Source: pseudo-clips of photographs, as in the joint training of SeqFormer (ECCV 2022).
    """

    def __init__(
        self,
        max_rotation: float = 10.0,
        scale: Sequence[float] = (0.8, 1.25),
        max_shift: float = 0.1,
    ) -> None:
        self.max_rotation = max_rotation
        self.scale = (scale[0], scale[1])
        self.max_shift = max_shift

    def transform(self, results: dict[str, list]) -> dict[str, list]:
        """Move one clip."""
        ends = np.stack([self._draw_pose(), self._draw_pose()])  # 2, 4
        num_frames = len(results["img"])
        for t in range(num_frames):
            share = t / max(num_frames - 1, 1)
            angle, log_scale, right, down = (1 - share) * ends[0] + share * ends[1]
            height, width = results["img"][t].shape[:2]
            center = ((width - 1) / 2, (height - 1) / 2)
            matrix = cv2.getRotationMatrix2D(center, angle, float(np.exp(log_scale)))
            matrix[:, 2] += right * width, down * height
            self._move(results, t, matrix)
        return results

    def _draw_pose(self) -> np.ndarray:
        """Angle in degrees, logarithm of the scale, and shift to the right and down."""
        low, high = np.log(self.scale)
        return np.array(
            [
                np.random.uniform(-self.max_rotation, self.max_rotation),
                np.random.uniform(low, high),
                *np.random.uniform(-self.max_shift, self.max_shift, 2),
            ]
        )

    def _move(self, results: dict[str, list], t: int, matrix: np.ndarray) -> None:
        height, width = results["img"][t].shape[:2]
        results["img"][t] = cv2.warpAffine(
            results["img"][t], matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101
        )
        frame_masks = results["gt_masks"][t]
        masks = np.zeros_like(frame_masks.masks, order="C")  # n H W; decoded ones are not
        for moved, mask in zip(masks, frame_masks.masks, strict=True):
            cv2.warpAffine(
                mask,
                matrix,
                (width, height),
                dst=moved,
                flags=cv2.INTER_NEAREST,
                borderMode=cv2.BORDER_REFLECT_101,
            )
        results["gt_masks"][t] = type(frame_masks)(masks, height, width)
        boxes = results["gt_masks"][t].get_bboxes("hbox").numpy()
        results["gt_bboxes"][t] = boxes.astype(np.float32)
