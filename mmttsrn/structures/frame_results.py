"""What is seen in one frame of a video."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from pycocotools import mask as mask_utils
from torch import Tensor


@dataclass(frozen=True)
class FrameResults:
    """The n instances that are visible in a frame: what is drawn, written and given to programs.

    Predicted instances come best first.

    Attributes:
        index: Number of the frame, from 0.
        instance_ids: (n,) int64 ids from 1. An instance has the same id in all frames, in files
            and in pictures.
        scores: (n,) float32 scores of their sequences as far as the video is known; None for
            ground truth.
        labels: (n,) int64 classes, likewise.
        boxes: (n, 4) float32 as (x1, y1, x2, y2) in pixels.
        size: Height and width H, W of the frame.
        counts: n masks as compressed RLE; None for a model without masks.
        classes: Names of the K classes; empty where nobody named them.
        image: The frame, RGB (H, W, 3), uint8; None where only the results are known.
    """

    index: int
    instance_ids: Tensor
    scores: Tensor | None
    labels: Tensor
    boxes: Tensor
    size: tuple[int, int]
    counts: Sequence[str] | None
    classes: Sequence[str] = ()
    image: np.ndarray | None = None

    @classmethod
    def from_masks(
        cls,
        instance_ids: Any,
        labels: Any,
        masks: np.ndarray,
        scores: Any = None,
        boxes: Any = None,
        classes: Sequence[str] = (),
    ) -> "FrameResults":
        """Take over n instances with dense masks (n, H, W); one without a pixel is left out.

        By default, boxes are those of the masks.
        """
        rows = np.flatnonzero(masks.any((1, 2)))
        encoded = mask_utils.encode(np.asfortranarray(masks[rows].transpose(1, 2, 0), np.uint8))
        counts = [rle["counts"].decode() for rle in encoded]
        ids, labels, scores, boxes = (
            None if values is None else torch.as_tensor(values)[rows]
            for values in (instance_ids, labels, scores, boxes)
        )
        frame = cls.from_counts(ids, labels, counts, masks.shape[1:], scores, classes)
        return frame if boxes is None else replace(frame, boxes=boxes.float())

    @classmethod
    def from_counts(
        cls,
        instance_ids: Any,
        labels: Any,
        counts: Sequence[str],
        size: tuple[int, int],
        scores: Any = None,
        classes: Sequence[str] = (),
    ) -> "FrameResults":
        """Take over n instances with masks as compressed RLE, whose boxes are measured."""
        return cls(
            index=0,
            instance_ids=torch.as_tensor(instance_ids).long(),
            scores=None if scores is None else torch.as_tensor(scores),
            labels=torch.as_tensor(labels).long(),
            boxes=boxes_of_rles([{"size": list(size), "counts": text} for text in counts]),
            size=size,
            counts=counts,
            classes=classes,
        )

    def __len__(self) -> int:
        return len(self.instance_ids)

    @property
    def names(self) -> list[str]:
        """Class names of the n instances."""
        labels = self.labels.tolist()
        return [self.classes[label] if self.classes else f"class {label}" for label in labels]

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

    def of_classes(self, labels: Collection[int] | None) -> "FrameResults":
        """Keep the instances of some classes, or all."""
        if labels is None:
            return self
        rows = [row for row, label in enumerate(self.labels.tolist()) if label in labels]
        return replace(
            self,
            instance_ids=self.instance_ids[rows],
            scores=None if self.scores is None else self.scores[rows],
            labels=self.labels[rows],
            boxes=self.boxes[rows],
            counts=None if self.counts is None else [self.counts[row] for row in rows],
        )

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
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "instance_id": int(self.instance_ids[row]),
            }
            if self.scores is not None:
                entry["score"] = self.scores[row].item()
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
            confidence=None if self.scores is None else self.scores.numpy(),
            class_id=self.labels.numpy(),
            tracker_id=self.instance_ids.numpy(),
            data={"class_name": np.array(self.names)},
        )


def boxes_of_rles(rles: Sequence[Any]) -> Tensor:
    """Boxes (n, 4) as (x1, y1, x2, y2) in pixels around n masks in compressed RLE."""
    boxes = mask_utils.toBbox(list(rles)) if len(rles) else np.zeros((0, 4))
    boxes[:, 2:] += boxes[:, :2]
    return torch.from_numpy(boxes).float()
