"""Frames to draw, from plain lists and arrays."""

from collections.abc import Sequence

import numpy as np
import torch

from mmttsrn.structures import FrameResults


def frame_of(
    ids: Sequence[int],
    names: Sequence[str],
    masks: np.ndarray | None = None,
    boxes: np.ndarray | None = None,
    scores: Sequence[float] | None = None,
) -> FrameResults:
    """One instance of a class of its own for each id."""
    labels = torch.arange(len(ids))
    if masks is not None:
        return FrameResults.from_masks(ids, labels, masks, scores, boxes, names)
    return FrameResults(
        index=0,
        instance_ids=torch.tensor(ids).long(),
        scores=None if scores is None else torch.tensor(scores),
        labels=labels,
        boxes=torch.as_tensor(np.zeros((0, 4)) if boxes is None else boxes).float(),
        size=(1, 1),
        counts=None,
        classes=names,
    )
