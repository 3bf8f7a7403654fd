"""From raw sequences to scored, classified masks at the original size."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmttsrn.models.task_modules.mask_encoding import (
    MaskEncoder,
    boxes_of_masks,
    logit_threshold,
    to_pixels,
)
from mmttsrn.models.task_modules.post_processor import PostProcessor, VideoScoring
from mmttsrn.registry import TASK_UTILS
from mmttsrn.structures import EncodedFrames, FinishedFrames, FrameSizes, SequenceScores


@TASK_UTILS.register_module()
class SequencePostProcessor(PostProcessor):
    """Score = mean over frames, class = majority over frames, masks at the original size.

    An instance without a single mask pixel is dropped; the others stay whatever their score. A
    frame with a score below ``null_frame_score`` is hidden: it has no mask, but counts in the mean
    and in the vote.

    Args:
        mask_thr: A pixel belongs to the mask when its probability is above this.
        null_frame_score: A frame is hidden when its score is below this.
        max_pixels: Most mask pixels resized at a time; bounds the memory.

    Source: behaviour of the VisTR inference loop; frames that no clip predicts (possible only in
    videos longer than a clip) are hidden, have score 0 and no vote.
    """

    def __init__(
        self, mask_thr: float = 0.5, null_frame_score: float = 0.001, max_pixels: int = 2**25
    ) -> None:
        self.logit_thr = logit_threshold(mask_thr, "SequencePostProcessor")
        self.null_frame_score = null_frame_score
        self.max_pixels = max_pixels

    def start(self, sizes: FrameSizes) -> VideoScoring:
        """Begin a video; see the base class."""
        return _MeanOverFrames(self, sizes)


class _MeanOverFrames(VideoScoring):
    """Sums over the frames so far, for n sequences that grow in number."""

    state_names = ("num_frames", "score_sums", "votes", "is_result")

    def __init__(self, settings: SequencePostProcessor, sizes: FrameSizes) -> None:
        self.sizes = sizes
        self.null_frame_score = settings.null_frame_score
        self.encoder = MaskEncoder(sizes, settings.logit_thr, settings.max_pixels)
        self.num_frames = 0
        self.score_sums = torch.zeros(0, dtype=torch.float64)  # n
        self.votes: Tensor | None = None  # n, K frames by class
        self.is_result = torch.zeros(0, dtype=torch.bool)  # n

    def add(self, part: FinishedFrames) -> EncodedFrames:
        """Take the next frames in."""
        sequences, boxes = part.sequences, part.sequences.boxes
        probabilities = sequences.logits.float().softmax(-1)[..., :-1]  # S, t, K
        frame_scores, frame_labels = probabilities.max(-1)
        frame_scores = frame_scores * sequences.covered
        votes = F.one_hot(frame_labels, probabilities.shape[-1]) * sequences.covered[..., None]
        visible = sequences.covered & (frame_scores >= self.null_frame_score)
        counts, has_pixel = self.encoder.encode(sequences, visible)
        is_result = has_pixel.any(1) if counts is not None else has_pixel.new_ones(len(part.ids))
        self._count(part.ids, frame_scores.cpu(), votes.sum(1).cpu(), is_result)
        if boxes is not None:
            pixels = to_pixels(boxes.float(), self.sizes.original).cpu()
        else:
            assert counts is not None, "decoders give boxes or masks"
            pixels = boxes_of_masks(counts, self.sizes.original, frame_scores.shape)
        return EncodedFrames(part.ids, frame_scores.cpu(), visible.cpu(), pixels, counts)

    def _count(self, ids: Tensor, frame_scores: Tensor, votes: Tensor, is_result: Tensor) -> None:
        self.num_frames += frame_scores.shape[1]
        if self.votes is None:
            self.votes = votes.new_zeros(0, votes.shape[1])
        more = max(int(ids.max()) + 1 - len(self.votes), 0) if len(ids) else 0
        self.score_sums = F.pad(self.score_sums, (0, more))
        self.votes = F.pad(self.votes, (0, 0, 0, more))
        self.is_result = F.pad(self.is_result, (0, more))
        self.score_sums[ids] += frame_scores.double().sum(1)
        self.votes[ids] += votes
        self.is_result[ids] |= is_result

    def scores(self, ids: Tensor | None = None) -> SequenceScores:
        """Results as they are now."""
        assert self.votes is not None, "no frames yet"
        if ids is None:
            ids = torch.arange(len(self.votes))
        ids = ids[self.is_result[ids]]
        means = (self.score_sums[ids] / self.num_frames).float()
        # argmax takes the first of equal counts, which is the smallest class.
        return SequenceScores(ids, means, self.votes[ids].argmax(-1))
