"""Final predictions for a video."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pycocotools import mask as mask_utils
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.structures.encoded_frames import Counts, EncodedFrames, SequenceScores
from mmttsrn.structures.frame_results import FrameResults

# Under which a host's sample has the results of its video.
RESULTS_FIELD = "pred_sequences"


@dataclass(frozen=True)
class SequenceResults:
    """The n instance sequences of a video of T frames: small, on the CPU, sequence by sequence.

    Attributes:
        ids: (n,) int64 ids from 1, which the linker gave. A sequence that is given as several
            classes has the same id in each.
        scores: (n,) float32 scores of the sequences.
        labels: (n,) int64 classes.
        frame_scores: (n, T) float32 scores in each frame.
        visible: (n, T) bool, false where the sequence is hidden or has no prediction.
        boxes: (n, T, 4) float32 as (x1, y1, x2, y2) in pixels of the original frame.
        size: Height and width H, W of the original frame.
        counts: Masks as compressed RLE: ``counts`` of each sequence and frame, None where it is
            not visible; None for a model without masks.
        video_id: Id of the video, where it is known.
        video_length: Frames of the whole video, where it is known; more than T for a part of it.
        frame_paths: T files of the frames, where they are known.
    """

    ids: Tensor
    scores: Tensor
    labels: Tensor
    frame_scores: Tensor
    visible: Tensor
    boxes: Tensor
    size: tuple[int, int]
    counts: Sequence[Sequence[str | None]] | None
    video_id: int | str | None = None
    video_length: int | None = None
    frame_paths: Sequence[str] | None = None

    @classmethod
    def join(
        cls, parts: Sequence[EncodedFrames], sequences: SequenceScores, size: tuple[int, int]
    ) -> "SequenceResults":
        """Put all parts of a video together, at least one; ``sequences`` are its results."""
        rows = {identity: row for row, identity in enumerate(sequences.ids.unique().tolist())}
        n, t = len(rows), sum(part.num_frames for part in parts)
        frame_scores, boxes = torch.zeros(n, t), torch.zeros(n, t, 4)
        visible = torch.zeros(n, t, dtype=torch.bool)
        counts: Counts = [[None] * t for _ in rows]
        start = 0
        for part in parts:
            stop = start + part.num_frames
            for index, identity in enumerate(part.ids.tolist()):
                row = rows.get(identity)
                if row is None:
                    continue
                frame_scores[row, start:stop] = part.frame_scores[index]
                visible[row, start:stop] = part.visible[index]
                boxes[row, start:stop] = part.boxes[index]
                if part.counts is not None:
                    counts[row][start:stop] = part.counts[index]
            start = stop
        order = torch.tensor([rows[identity] for identity in sequences.ids.tolist()]).long()
        with_masks = parts[0].counts is not None
        return cls(
            ids=sequences.ids,
            scores=sequences.scores,
            labels=sequences.labels,
            frame_scores=frame_scores[order],
            visible=visible[order],
            boxes=boxes[order],
            size=size,
            counts=[counts[row] for row in order.tolist()] if with_masks else None,
        )

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def num_frames(self) -> int:
        """T."""
        return self.frame_scores.shape[1]

    def segmentations(self, index: int) -> list[dict[str, Any] | None]:
        """Masks of a sequence as the YouTube-VIS format has them: T RLE dicts or None.

        Raises:
            ValueError: If there are only boxes.
        """
        if self.counts is None:
            raise ValueError("these results have boxes only, no masks")
        size = list(self.size)
        return [
            None if text is None else {"size": size, "counts": text} for text in self.counts[index]
        ]

    def to_ytvis(self, category_ids: Sequence[int]) -> list[dict[str, Any]]:
        """Entries of the official results format, one for each sequence, with its ``id`` besides.

        Args:
            category_ids: Category id of each class.
        """
        return [
            {
                "video_id": self.video_id,
                "category_id": category_ids[label],
                "score": score,
                "id": identity,
                "segmentations": self.segmentations(index),
            }
            for index, (identity, label, score) in enumerate(
                zip(self.ids.tolist(), self.labels.tolist(), self.scores.tolist(), strict=True)
            )
        ]

    def frame(
        self, index: int, classes: Sequence[str] | None = None, score_thr: float = 0.0
    ) -> FrameResults:
        """Take what is visible in one frame, of sequences whose score reaches ``score_thr``."""
        rows = (self.visible[:, index] & (self.scores >= score_thr)).nonzero()[:, 0]
        counts = None
        if self.counts is not None:
            counts = [self.counts[row][index] or "" for row in rows.tolist()]
        return FrameResults(
            index=index,
            instance_ids=self.ids[rows],
            scores=self.scores[rows],
            labels=self.labels[rows],
            boxes=self.boxes[rows, index],
            size=self.size,
            counts=counts,
            classes=classes or (),
        )

    def frame_masks(self, frame: int) -> np.ndarray | None:
        """Decode the masks of one frame: (n, H, W) bool, empty where hidden; None without masks."""
        if self.counts is None:
            return None
        masks = np.zeros((len(self), *self.size), bool)
        for mask, counts in zip(masks, self.counts, strict=True):
            text = counts[frame]
            if text is not None:
                mask[:] = mask_utils.decode({"size": list(self.size), "counts": text})
        return masks


def video_results(samples: Iterable[Any]) -> list[SequenceResults]:
    """Take the results of videos out of a batch of a host's samples, objects or dicts.

    A host that has a sample for each frame gives one of a video's samples its results.

    Raises:
        UserInputError: None of the samples has results.
    """
    found = [results for s in samples if (results := s.get(RESULTS_FIELD)) is not None]
    if not found:
        raise UserInputError(f"the samples have no {RESULTS_FIELD}; expected a model of mmttsrn")
    return found
