"""Results of videos from masks, as a model's post-processor gives them."""

from collections.abc import Sequence

import numpy as np
import torch
from pycocotools import mask as mask_utils

from mmttsrn.structures import SequenceResults


def results_of(
    masks: np.ndarray,
    labels: Sequence[int],
    scores: Sequence[float],
    frame_scores: np.ndarray | None = None,
    video_id: int = 1,
) -> SequenceResults:
    """Results from masks (n, T, H, W); by default a sequence is hidden where its mask is empty."""
    if frame_scores is None:
        frame_scores = masks.any((2, 3)).astype(np.float32)
    visible = frame_scores > 0
    counts = [
        [_counts(mask) if shown else None for mask, shown in zip(*rows, strict=True)]
        for rows in zip(masks, visible, strict=True)
    ]
    n, num_frames, *size = masks.shape
    return SequenceResults(
        ids=torch.arange(1, n + 1),
        scores=torch.tensor(scores, dtype=torch.float32),
        labels=torch.tensor(labels, dtype=torch.int64),
        frame_scores=torch.from_numpy(frame_scores.astype(np.float32)),
        visible=torch.from_numpy(visible),
        boxes=torch.zeros(n, num_frames, 4),
        size=tuple(size),
        counts=counts,
        video_id=video_id,
        video_length=num_frames,
    )


def _counts(mask: np.ndarray) -> str:
    return mask_utils.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"].decode()
