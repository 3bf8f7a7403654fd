"""What is seen in one frame of a video."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pycocotools import mask as mask_utils
from torch import Tensor


@dataclass(frozen=True)
class FrameResults:
    """The n instances that are visible in a frame, best first.

    Attributes:
        index: Number of the frame, from 0.
        instance_ids: (n,) int64; an instance has the same id in all frames.
        scores: (n,) float32 scores of their sequences as far as the video is known.
        labels: (n,) int64 classes, likewise.
        boxes: (n, 4) float32 as (x1, y1, x2, y2) in pixels.
        size: Height and width H, W of the frame.
        counts: n masks as compressed RLE; None for a model without masks.
        classes: Names of the K classes.
        image: The frame, RGB (H, W, 3), uint8.
    """

    index: int
    instance_ids: Tensor
    scores: Tensor
    labels: Tensor
    boxes: Tensor
    size: tuple[int, int]
    counts: Sequence[str] | None
    classes: Sequence[str]
    image: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def names(self) -> list[str]:
        """Class names of the n instances."""
        return [self.classes[label] for label in self.labels.tolist()]

    @cached_property
    def masks(self) -> np.ndarray | None:
        """(n, H, W) bool, decoded when first asked for; None for a model without masks."""
        if self.counts is None:
            return None
        masks = np.zeros((len(self), *self.size), bool)
        for mask, rle in zip(masks, self.rles(), strict=True):
            mask[:] = mask_utils.decode(rle)
        return masks

    def rles(self) -> list[dict[str, Any]]:
        """Masks as COCO has them.

        Raises:
            ValueError: If there are only boxes.
        """
        if self.counts is None:
            raise ValueError("these results have boxes only, no masks")
        return [{"size": list(self.size), "counts": text} for text in self.counts]

    def to_coco(self, category_ids: Sequence[int] | None = None) -> list[dict[str, Any]]:
        """Results of this frame in the format of COCO; ``image_id`` is the number of the frame.

        Args:
            category_ids: Category id of each class; 1, 2, ... by default.
        """
        entries = []
        for row, label in enumerate(self.labels.tolist()):
            x1, y1, x2, y2 = self.boxes[row].tolist()
            entry = {
                "image_id": self.index,
                "category_id": label + 1 if category_ids is None else category_ids[label],
                "score": self.scores[row].item(),
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "instance_id": int(self.instance_ids[row]),
            }
            if self.counts is not None:
                entry["segmentation"] = {"size": list(self.size), "counts": self.counts[row]}
            entries.append(entry)
        return entries

    def to_supervision(self) -> Any:
        """Give detections of the package ``supervision``, which has to be installed."""
        import supervision  # type: ignore[import-not-found]

        return supervision.Detections(
            xyxy=self.boxes.numpy(),
            mask=self.masks,
            confidence=self.scores.numpy(),
            class_id=self.labels.numpy(),
            tracker_id=self.instance_ids.numpy(),
            data={"class_name": np.array(self.names)},
        )
