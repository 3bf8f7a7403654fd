"""From the sequences of instance queries to scored, classified masks without duplicates."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.models.task_modules.mask_encoding import boxes_of_masks
from mmttsrn.models.task_modules.post_processor import PostProcessor, VideoScoring
from mmttsrn.registry import TASK_UTILS
from mmttsrn.structures import (
    EncodedFrames,
    FinishedFrames,
    FrameSizes,
    InstanceSequences,
    SequenceScores,
)


class _ClassTimesMaskQuality(VideoScoring):
    """Sums over the frames so far, for n sequences that grow in number.

    Attributes:
        class_sums: (n, K) class probabilities, over the frames with a mask pixel.
        num_frames: (n,) these frames.
        quality: (n,) sums of the predicted quality over these frames; without, of the mask
            probabilities over the mask pixels.
        by_frame: Whether the quality is a sum over frames.
        area: (n,) mask pixels.
        overlap: Pixels that two masks share, where they share any; the lower id first.
        is_shown: (n,) bool, whether some frame is not hidden.
    """

    state_names = (
        "class_sums",
        "num_frames",
        "quality",
        "by_frame",
        "area",
        "overlap",
        "is_shown",
    )

    def __init__(self, settings: "InstanceQueryPostProcessor", sizes: FrameSizes) -> None:
        super().__init__(settings, sizes)
        self.class_sums = torch.zeros(0, 0)
        self.num_frames = torch.zeros(0)
        self.quality = torch.zeros(0)
        self.by_frame = False
        self.area = torch.zeros(0, dtype=torch.int64)
        self.overlap: dict[tuple[int, int], int] = {}
        self.is_shown = torch.zeros(0, dtype=torch.bool)

    def add(self, part: FinishedFrames) -> EncodedFrames:
        """Take the next frames in.

        Raises:
            UserInputError: The model gives no masks.
        """
        sequences = part.sequences
        if sequences.mask_logits is None:
            raise UserInputError("model.post_processor: expected one for boxes, without masks")
        self._grow(part.ids, sequences.logits.shape[-1] - 1)
        self._count(part.ids, sequences, _without_padding(sequences.mask_logits, self.sizes))
        frame_scores = sequences.logits.float().softmax(-1)[..., :-1].amax(-1)
        if sequences.quality is not None and self.settings.mask_quality:
            frame_scores = frame_scores * sequences.quality.float().sigmoid()
        visible = sequences.covered & (frame_scores >= self.settings.null_frame_score)
        counts, has_pixel = self.encoder.encode(replace(sequences, covered=visible), visible)
        counts = counts or []
        for texts, pixels in zip(counts, has_pixel.tolist(), strict=True):
            texts[:] = [text if seen else None for text, seen in zip(texts, pixels, strict=True)]
        self.is_shown[part.ids] |= has_pixel.any(1)
        boxes = boxes_of_masks(counts, self.sizes.original, has_pixel.shape)
        return EncodedFrames(part.ids, frame_scores.cpu() * has_pixel, has_pixel, boxes, counts)

    def _count(self, ids: Tensor, sequences: InstanceSequences, logits: Tensor) -> None:
        """Add frames of the sequences ``ids`` (S,) with these mask logits."""
        masks = (logits > self.settings.logit_thr) & sequences.covered[..., None, None]
        seen = masks.flatten(2).any(2).float()  # S, t
        probabilities = sequences.logits.float().softmax(-1)[..., :-1]
        self.class_sums[ids] += (probabilities * seen[..., None]).sum(1).cpu()
        self.num_frames[ids] += seen.sum(1).cpu()
        pixels = masks.flatten(1).float()
        self.by_frame = sequences.quality is not None
        if sequences.quality is None:
            quality = logits.float().sigmoid().flatten(1) * pixels
        else:
            quality = sequences.quality.float().sigmoid() * seen
        self.quality[ids] += quality.sum(1).cpu()
        with torch.autocast(pixels.device.type, enabled=False):  # counts have to be exact
            shared = (pixels @ pixels.T).long().cpu()
        self.area[ids] += shared.diagonal()
        for row, column in shared.triu(1).nonzero().tolist():
            low, high = sorted((int(ids[row]), int(ids[column])))
            self.overlap[low, high] = self.overlap.get((low, high), 0) + int(shared[row, column])

    def scores(self, ids: Tensor | None = None) -> SequenceScores:
        """Results as they are now, best first."""
        ids = torch.arange(len(self.area)) if ids is None else ids
        scores = self.class_sums[ids] / self.num_frames[ids].clamp(min=1)[:, None]  # S, K
        if self.settings.mask_quality:
            counts = self.num_frames if self.by_frame else self.area
            scores = scores * (self.quality[ids] / counts[ids].clamp(min=1))[:, None]
        rows = self._best_rows(scores.amax(1), ids)
        top_k = self.settings.top_k
        if top_k is None:
            kept_scores, labels = scores[rows].max(1)
        else:
            flat = scores[rows].flatten()
            kept_scores, index = flat.topk(min(top_k, len(flat)))
            labels, rows = index % scores.shape[1], rows[index // scores.shape[1]]
        return SequenceScores(ids[rows], kept_scores, labels)

    def _best_rows(self, scores: Tensor, ids: Tensor) -> Tensor:
        """Rows that are shown and no duplicates of better ones, best first."""
        kept: dict[int, int] = {}  # rows by id
        for row in scores.argsort(descending=True, stable=True).tolist():
            identity = int(ids[row])
            if self.is_shown[identity] and not any(self._are_alike(identity, i) for i in kept):
                kept[identity] = row
        return torch.tensor(list(kept.values()), dtype=torch.int64)

    def _are_alike(self, a: int, b: int) -> bool:
        """Whether the masks of two sequences are nearly the same over the video."""
        nms_iou, shared = self.settings.nms_iou, self.overlap.get((min(a, b), max(a, b)), 0)
        if nms_iou is None or not shared:
            return False
        return shared > nms_iou * (int(self.area[a] + self.area[b]) - shared)


def _without_padding(logits: Tensor, sizes: FrameSizes) -> Tensor:
    """View the cells of mask logits (..., h, w) that show a part of the frame."""
    height, width = (
        math.ceil(cells * unpadded / padded)
        for cells, unpadded, padded in zip(
            logits.shape[-2:], sizes.unpadded, sizes.padded, strict=True
        )
    )
    return logits[..., :height, :width]


@TASK_UTILS.register_module()
class InstanceQueryPostProcessor(PostProcessor):
    """Score = class probability x quality of the mask; duplicates are dropped.

    The quality is what the model predicts, or the mean probability of the mask pixels where it
    predicts none. Class probabilities and predicted quality of a sequence are means over the frames
    in which it has a mask pixel. A frame is hidden when there is none, or when no class
    probability, times the predicted quality, reaches ``null_frame_score`` there.

    Args:
        mask_thr: See :class:`PostProcessor`, like ``null_frame_score`` and ``max_pixels``.
        nms_iou: Of two sequences whose masks overlap by more than this IoU over the video, the one
            with the lower score is dropped; None keeps all.
        top_k: Keep only the best pairs of a sequence and a class, so that a sequence may be given
            as several classes; None gives each sequence as its best class.
        mask_quality: Multiply by the quality of the mask.

    Source: score and ``top_k`` of Mask2Former (CVPR 2022); Mask2Former for video (2021) has no
    ``mask_quality`` and hides no frame.
    """

    scoring = _ClassTimesMaskQuality
    needs_masks = True

    def __init__(
        self,
        mask_thr: float = 0.5,
        null_frame_score: float = 0.01,
        nms_iou: float | None = None,
        top_k: int | None = None,
        mask_quality: bool = True,
        max_pixels: int = 2**25,
    ) -> None:
        super().__init__(mask_thr, null_frame_score, max_pixels)
        if nms_iou is not None and not 0 < nms_iou <= 1:
            raise UserInputError(f"nms_iou={nms_iou}: expected None, or above 0 and at most 1")
        if top_k is not None and top_k < 1:
            raise UserInputError(f"top_k={top_k}: expected None for all, or at least 1")
        self.nms_iou = nms_iou
        self.top_k = top_k
        self.mask_quality = mask_quality
