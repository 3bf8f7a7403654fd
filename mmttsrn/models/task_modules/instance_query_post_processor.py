"""From the sequences of instance queries to scored, classified masks without duplicates."""

import math
from collections.abc import Iterable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.models.task_modules.mask_encoding import (
    Counts,
    MaskEncoder,
    boxes_of_masks,
    logit_threshold,
)
from mmttsrn.registry import TASK_UTILS
from mmttsrn.structures import FinishedFrames, FrameSizes, InstanceSequences, SequenceResults


class _VideoTotals:
    """Sums over the frames of a video, for n sequences that grow in number.

    Args:
        num_classes: Real classes K.
        logit_thr: A pixel belongs to the mask when its logit is above this.

    Attributes:
        class_sums: (n, K) class probabilities, over the frames with a mask pixel.
        num_frames: (n,) these frames.
        probability: (n,) sums of mask probabilities over the mask pixels.
        overlap: (n, n) pixels that two masks share; its diagonal has the pixels of the masks.
    """

    def __init__(self, num_classes: int, logit_thr: float) -> None:
        self.logit_thr = logit_thr
        self.class_sums = torch.zeros(0, num_classes)
        self.num_frames = torch.zeros(0)
        self.probability = torch.zeros(0)
        self.overlap = torch.zeros(0, 0, dtype=torch.float64)

    def __len__(self) -> int:
        return len(self.num_frames)

    def grow(self, count: int) -> None:
        """Make room for ``count`` sequences."""
        more = count - len(self)
        if more <= 0:
            return
        self.class_sums = F.pad(self.class_sums, (0, 0, 0, more))
        self.num_frames = F.pad(self.num_frames, (0, more))
        self.probability = F.pad(self.probability, (0, more))
        self.overlap = F.pad(self.overlap, (0, more, 0, more))

    def add(self, ids: Tensor, sequences: InstanceSequences) -> None:
        """Add frames of the sequences ``ids`` (S,), without padding."""
        if not len(ids):
            return
        self.grow(int(ids[-1]) + 1)
        logits = sequences.mask_logits
        assert logits is not None
        masks = (logits > self.logit_thr) & sequences.covered[..., None, None]  # S, t, h, w
        seen = masks.flatten(2).any(2).float()  # S, t
        probabilities = sequences.logits.float().softmax(-1)[..., :-1]
        self.class_sums[ids] += (probabilities * seen[..., None]).sum(1).cpu()
        self.num_frames[ids] += seen.sum(1).cpu()
        self.probability[ids] += (logits.float().sigmoid() * masks).sum((1, 2, 3)).cpu()
        pixels = masks.flatten(1).float()
        with torch.autocast(pixels.device.type, enabled=False):  # counts have to be exact
            overlap = pixels @ pixels.T
        self.overlap[ids[:, None], ids] += overlap.double().cpu()

    def class_probabilities(self) -> Tensor:
        """(n, K), zero for a sequence without a mask pixel."""
        return self.class_sums / self.num_frames.clamp(min=1)[:, None]

    def mask_quality(self) -> Tensor:
        """(n,) mean probability of the mask pixels."""
        return self.probability / self.overlap.diagonal().clamp(min=1).float()

    def iou(self) -> Tensor:
        """(n, n) of the masks over the whole video."""
        area = self.overlap.diagonal()
        return self.overlap / (area[:, None] + area - self.overlap).clamp(min=1)


@TASK_UTILS.register_module()
class InstanceQueryPostProcessor:
    """Score = class probability x mean probability of the mask pixels; duplicates are dropped.

    The class probabilities of a sequence are means over the frames in which it has a mask pixel. A
    frame is hidden when there is none, or when no class reaches ``null_frame_score`` there.

    Args:
        mask_thr: A pixel belongs to the mask when its probability is above this.
        null_frame_score: A frame is hidden when its best class probability is below this.
        nms_iou: Of two sequences whose masks overlap by more than this IoU over the video, the one
            with the lower score is dropped; None keeps all.
        top_k: Keep only the best pairs of a sequence and a class, so that a sequence may be given
            as several classes; None gives each sequence as its best class.
        mask_quality: Multiply by the mean probability of the mask pixels.
        max_pixels: Most mask pixels resized at a time; bounds the memory.

    Source: score and ``top_k`` of Mask2Former (CVPR 2022); Mask2Former for video (2021) has no
    ``mask_quality`` and hides no frame.
    """

    def __init__(
        self,
        mask_thr: float = 0.5,
        null_frame_score: float = 0.01,
        nms_iou: float | None = None,
        top_k: int | None = None,
        mask_quality: bool = True,
        max_pixels: int = 2**25,
    ) -> None:
        self.logit_thr = logit_threshold(mask_thr, "InstanceQueryPostProcessor")
        if nms_iou is not None and not 0 < nms_iou <= 1:
            raise UserInputError(
                f"InstanceQueryPostProcessor: nms_iou={nms_iou} must be above 0 and at most 1, or "
                "None"
            )
        if top_k is not None and top_k < 1:
            raise UserInputError(
                f"InstanceQueryPostProcessor: top_k={top_k} must be at least 1, or None for all"
            )
        self.null_frame_score = null_frame_score
        self.nms_iou = nms_iou
        self.top_k = top_k
        self.mask_quality = mask_quality
        self.max_pixels = max_pixels

    def __call__(self, parts: Iterable[FinishedFrames], sizes: FrameSizes) -> SequenceResults:
        """Finish the predictions of one video.

        Args:
            parts: Its frames in order, as they become final; each part is consumed before the next
                one is asked for, and its masks become RLE.
            sizes: Sizes of its frames.

        Returns:
            The sequences that have a mask pixel in some frame, best first.

        Raises:
            UserInputError: The model gives no masks.
        """
        encoder = MaskEncoder(sizes, self.logit_thr, self.max_pixels)
        totals: _VideoTotals | None = None
        done: list[tuple[Tensor, Tensor, Counts]] = []
        for part in parts:
            sequences = part.sequences
            if sequences.mask_logits is None:
                raise UserInputError(
                    "InstanceQueryPostProcessor: needs masks, which this model does not give; set "
                    "model.post_processor to mmttsrn.SequencePostProcessor or choose another head"
                )
            if totals is None:
                totals = _VideoTotals(sequences.logits.shape[-1] - 1, self.logit_thr)
            totals.add(part.ids, _without_padding(sequences, sizes))
            frame_scores = sequences.logits.float().softmax(-1)[..., :-1].amax(-1)
            visible = sequences.covered & (frame_scores >= self.null_frame_score)
            shown = replace(sequences, covered=visible)
            counts, has_pixel = encoder.encode(shown, visible)
            assert counts is not None
            scores = frame_scores.cpu() * has_pixel
            done.append((part.ids, scores, counts))
        assert totals is not None
        frame_scores, all_counts = _join(done, len(totals))
        return self._results(totals, frame_scores, all_counts, sizes)

    def _results(
        self, totals: _VideoTotals, frame_scores: Tensor, counts: Counts, sizes: FrameSizes
    ) -> SequenceResults:
        scores = totals.class_probabilities()  # n, K
        if self.mask_quality:
            scores = scores * totals.mask_quality()[:, None]
        rows = self._keep(scores.amax(1), totals.iou(), (frame_scores > 0).any(1))
        if self.top_k is None:
            kept_scores, labels = scores[rows].max(1)
        else:
            flat = scores[rows].flatten()
            kept_scores, index = flat.topk(min(self.top_k, len(flat)))
            labels, rows = index % scores.shape[1], rows[index // scores.shape[1]]
        kept = [
            [
                text if score > 0 else None
                for text, score in zip(counts[row], per_frame, strict=True)
            ]
            for row, per_frame in zip(rows.tolist(), frame_scores[rows].tolist(), strict=True)
        ]
        boxes = boxes_of_masks(kept, sizes.original)
        if not kept:
            boxes = boxes.new_zeros(0, frame_scores.shape[1], 4)
        return SequenceResults(
            scores=kept_scores,
            labels=labels,
            frame_scores=frame_scores[rows],
            visible=frame_scores[rows] > 0,
            boxes=boxes,
            size=sizes.original,
            counts=kept,
        )

    def _keep(self, scores: Tensor, iou: Tensor, has_pixel: Tensor) -> Tensor:
        """Rows that are not dropped, best first."""
        kept: list[int] = []
        for row in scores.argsort(descending=True, stable=True).tolist():
            duplicate = self.nms_iou is not None and bool((iou[row, kept] > self.nms_iou).any())
            if has_pixel[row] and not duplicate:
                kept.append(row)
        return torch.tensor(kept, dtype=torch.int64)


def _without_padding(sequences: InstanceSequences, sizes: FrameSizes) -> InstanceSequences:
    """View the cells of the masks that show a part of the frame."""
    logits = sequences.mask_logits
    assert logits is not None
    height, width = (
        math.ceil(cells * unpadded / padded)
        for cells, unpadded, padded in zip(
            logits.shape[-2:], sizes.unpadded, sizes.padded, strict=True
        )
    )
    return replace(sequences, mask_logits=logits[..., :height, :width])


def _join(done: list[tuple[Tensor, Tensor, Counts]], count: int) -> tuple[Tensor, Counts]:
    """Frame scores (n, T), 0 where hidden, and RLE of the whole video from its parts."""
    num_frames = sum(scores.shape[1] for _, scores, _ in done)
    frame_scores = torch.zeros(count, num_frames)
    counts: Counts = [[None] * num_frames for _ in range(count)]
    start = 0
    for ids, scores, part_counts in done:
        stop = start + scores.shape[1]
        frame_scores[ids, start:stop] = scores
        for row, texts in zip(ids.tolist(), part_counts, strict=True):
            counts[row][start:stop] = texts
        start = stop
    return frame_scores, counts
