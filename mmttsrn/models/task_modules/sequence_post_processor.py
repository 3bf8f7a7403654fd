"""From raw sequences to scored, classified masks at the original size."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmttsrn.models.task_modules.mask_encoding import boxes_of_masks, to_pixels
from mmttsrn.models.task_modules.post_processor import PostProcessor, VideoScoring
from mmttsrn.registry import TASK_UTILS
from mmttsrn.structures import EncodedFrames, FinishedFrames, FrameSizes, SequenceScores


class _MeanOverFrames(VideoScoring):
    """Sums over the frames so far, for n sequences that grow in number."""

    state_names = ("num_frames", "score_sums", "votes", "is_result")

    def __init__(self, settings: "SequencePostProcessor", sizes: FrameSizes) -> None:
        super().__init__(settings, sizes)
        self.num_frames = 0
        self.score_sums = torch.zeros(0, dtype=torch.float64)  # n
        self.votes = torch.zeros(0, 0, dtype=torch.int64)  # n, K frames by class
        self.is_result = torch.zeros(0, dtype=torch.bool)  # n

    def add(self, part: FinishedFrames) -> EncodedFrames:
        """Take the next frames in."""
        ids, sequences, boxes = part.ids, part.sequences, part.sequences.boxes
        probabilities = sequences.logits.float().softmax(-1)[..., :-1]  # S, t, K
        frame_scores, frame_labels = probabilities.max(-1)
        frame_scores = frame_scores * sequences.covered
        votes = F.one_hot(frame_labels, probabilities.shape[-1]) * sequences.covered[..., None]
        visible = sequences.covered & (frame_scores >= self.settings.null_frame_score)
        counts, has_pixel = self.encoder.encode(sequences, visible)
        frame_scores = frame_scores.cpu()
        self._grow(ids, votes.shape[-1])
        self.num_frames += frame_scores.shape[1]
        self.score_sums[ids] += frame_scores.double().sum(1)
        self.votes[ids] += votes.sum(1).cpu()
        self.is_result[ids] |= torch.tensor(counts is None) | has_pixel.any(1)
        if boxes is None:
            pixels = boxes_of_masks(counts or [], self.sizes.original, frame_scores.shape)
        else:
            pixels = to_pixels(boxes.float(), self.sizes.original).cpu()
        return EncodedFrames(ids, frame_scores, visible.cpu(), pixels, counts)

    def scores(self, ids: Tensor | None = None) -> SequenceScores:
        """Results as they are now."""
        ids = torch.arange(len(self.votes)) if ids is None else ids
        ids = ids[self.is_result[ids]]
        means = (self.score_sums[ids] / self.num_frames).float()
        # argmax takes the first of equal counts, which is the smallest class.
        return SequenceScores(ids, means, self.votes[ids].argmax(-1))


@TASK_UTILS.register_module()
class SequencePostProcessor(PostProcessor):
    """Score = mean over frames, class = majority over frames, masks at the original size.

    An instance without a single mask pixel is dropped; the others stay whatever their score. A
    frame with a score below ``null_frame_score`` is hidden: it has no mask, but counts in the mean
    and in the vote.

    Source: behaviour of the VisTR inference loop; frames that no clip predicts (possible only in
    videos longer than a clip) are hidden, have score 0 and no vote.
    """

    scoring = _MeanOverFrames

    def __init__(
        self, mask_thr: float = 0.5, null_frame_score: float = 0.001, max_pixels: int = 2**25
    ) -> None:
        super().__init__(mask_thr, null_frame_score, max_pixels)
