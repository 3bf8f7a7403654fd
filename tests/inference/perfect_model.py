"""A clip model that sees planted or annotated objects, in any slot in every clip."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from pycocotools import mask as mask_utils
from torch import Tensor

from mmttsrn.formats.ground_truth import Video
from mmttsrn.models import ClipLinker, InstanceQueryPostProcessor
from mmttsrn.models.task_modules import PostProcessor
from mmttsrn.structures import FrameSizes, InstanceSequences, SequenceResults

LOGIT = 8.0
NUM_STATES = 64


@dataclass
class PlantedVideo:
    """Objects of a video.

    Attributes:
        masks: (n, T, H, W) bool.
        labels: n classes.
        num_classes: K.
    """

    masks: np.ndarray
    labels: list[int]
    num_classes: int

    @classmethod
    def of_annotations(
        cls, videos: Sequence[Video], category_ids: Sequence[int], shrink: int
    ) -> "PlantedVideo":
        """Several annotated videos of one size, one after the other, every ``shrink``th pixel."""
        size = (videos[0].height, videos[0].width)
        rows = [sequence for video in videos for sequence in video.sequences]
        small = np.zeros(size, bool)[::shrink, ::shrink].shape
        masks = np.zeros((len(rows), sum(video.length for video in videos), *small), bool)
        row = start = 0
        for video in videos:
            for sequence in video.sequences:
                for index, counts in enumerate(sequence.counts):
                    if counts is not None:
                        rle = {"size": list(size), "counts": counts}
                        masks[row, start + index] = mask_utils.decode(rle)[::shrink, ::shrink]
                row += 1
            start += video.length
        labels = [list(category_ids).index(row.category_id) for row in rows]
        return cls(masks, labels, len(category_ids))

    def ground_truth(self) -> dict[str, Any]:
        """The same in YouTube-VIS format, as video 1."""
        (height, width), length = self.masks.shape[-2:], self.num_frames
        video = dict(height=height, width=width, length=length, file_names=[""] * length)
        annotations = [
            dict(
                id=row,
                video_id=1,
                category_id=label + 1,
                segmentations=[c and dict(size=[height, width], counts=c) for c in counts],
            )
            for row, (label, counts) in enumerate(zip(self.labels, self.counts(), strict=True), 1)
        ]
        categories = [dict(id=i + 1, name=str(i)) for i in range(self.num_classes)]
        return dict(videos=[dict(id=1, **video)], categories=categories, annotations=annotations)

    @property
    def num_frames(self) -> int:
        return self.masks.shape[1]

    @property
    def sizes(self) -> FrameSizes:
        height, width = self.masks.shape[-2:]
        return FrameSizes((height, width), (height, width), (height, width))

    def counts(self) -> list[list[str | None]]:
        """RLE of the masks, None where there is no pixel."""
        return [
            [
                mask_utils.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
                if mask.any()
                else None
                for mask in masks
            ]
            for masks in self.masks
        ]

    def frames(self) -> list[Tensor]:
        """Frames that hold nothing but their number."""
        return [torch.full((3, 1, 1), float(number)) for number in range(self.num_frames)]


@dataclass
class PerfectModel:
    """Predicts the true masks of the objects that are visible in a clip.

    Args:
        video: What there is to see.
        clip_length: Frames of a clip.
        clip_overlap: Frames that neighbouring clips share.
        memory: Of the linker.
        noise: Share of the objects whose mask is lost in a frame, of the pixels at which masks are
            moved, of the classes that are wrong, and the spread of the states.
    """

    video: PlantedVideo
    clip_length: int = 8
    clip_overlap: int = 4
    memory: int = 10**6
    noise: float = 0.0
    fill_clips: bool = True
    has_memory: bool = False
    propagates: bool = False
    gives: frozenset[str] = frozenset({"masks"})
    seed: int = 0
    post_processor: PostProcessor = field(default_factory=InstanceQueryPostProcessor)
    clips: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clip_linker = ClipLinker(memory=self.memory)
        self.random = np.random.default_rng(self.seed)
        generator = torch.Generator().manual_seed(self.seed)
        self.looks = torch.randn(len(self.video.masks), NUM_STATES, generator=generator)

    def frame_maps(self, frames: Tensor) -> list[int]:
        return [int(frame[0, 0, 0]) for frame in frames]

    def predict_clip(
        self,
        maps: Sequence[int],
        padding_mask: Tensor,
        with_masks: bool = True,
        previous: Tensor | None = None,
    ) -> InstanceSequences:
        self.clips.append(list(maps))
        masks = self.video.masks[:, list(maps)].copy()  # n, T, H, W
        for mask in masks:
            for frame in mask:
                if self.random.random() < self.noise:
                    frame[:] = False
                elif self.noise:
                    frame[:] = np.roll(frame, self.random.integers(-1, 2), self.random.integers(2))
        order = self.random.permutation(masks.any((1, 2, 3)).nonzero()[0])
        logits = torch.zeros(len(order), len(maps), self.video.num_classes + 1)
        for slot, row in enumerate(order):
            wrong = self.random.random() < self.noise
            label = (
                self.random.integers(self.video.num_classes) if wrong else self.video.labels[row]
            )
            logits[slot, :, label] = LOGIT
        states = self.looks[order]
        states = states + 2 * self.noise * torch.randn_like(states)
        return InstanceSequences(
            logits,
            None,
            torch.where(torch.from_numpy(masks[order]), LOGIT, -LOGIT),
            torch.ones(logits.shape[:2], dtype=torch.bool),
            F.normalize(states, dim=-1)[:, None].expand(-1, len(maps), -1),
        )


def assert_perfect(results: SequenceResults, video: PlantedVideo) -> None:
    """One sequence for each object, with its class and all of its pixels."""
    assert len(results) == len(video.masks)
    order = [results.counts.index(counts) for counts in video.counts()]
    assert results.labels[order].tolist() == video.labels


def switches(results: SequenceResults, video: PlantedVideo) -> int:
    """How often the sequence that covers an object best changes between frames."""
    last: dict[int, int] = {}
    count = 0
    for frame in range(video.num_frames):
        found = results.frame_masks(frame).reshape(len(results), -1).astype(np.float32)
        true = video.masks[:, frame].reshape(len(video.masks), -1).astype(np.float32)
        shared = true @ found.T
        ious = shared / np.maximum(true.sum(1)[:, None] + found.sum(1) - shared, 1)
        for row in true.any(1).nonzero()[0]:
            if not len(results) or ious[row].max() < 0.5:
                continue
            best = int(ious[row].argmax())
            count += last.get(row, best) != best
            last[row] = best
    return count
