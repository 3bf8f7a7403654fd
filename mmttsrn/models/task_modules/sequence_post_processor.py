"""From raw sequences to scored, classified masks at the original size."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.registry import TASK_UTILS
from mmttsrn.structures import InstanceSequences, SequenceResults


@TASK_UTILS.register_module()
class SequencePostProcessor:
    """Score = mean over frames, class = majority over frames, masks at the original size.

    An instance without a single mask pixel is dropped; the others stay whatever their score.

    Args:
        mask_thr: A pixel belongs to the mask when its probability is above this.
        max_pixels: Most mask pixels resized at a time; bounds the memory.

    Source: behaviour of the VisTR inference loop; frames that no clip predicts (possible only in
    videos longer than a clip) have score 0 and no vote.
    """

    def __init__(self, mask_thr: float = 0.5, max_pixels: int = 2**26) -> None:
        if not 0 < mask_thr < 1:
            raise UserInputError(
                f"SequencePostProcessor: mask_thr={mask_thr} must be between 0 and 1"
            )
        self.logit_thr = torch.logit(torch.tensor(mask_thr)).item()
        self.max_pixels = max_pixels

    def __call__(
        self,
        sequences: InstanceSequences,
        padded_size: tuple[int, int],
        frame_size: tuple[int, int],
        original_size: tuple[int, int],
    ) -> SequenceResults:
        """Finish the predictions of one video.

        Args:
            sequences: S raw sequences.
            padded_size: Height and width of the frames as the model saw them, in pixels.
            frame_size: The same without padding.
            original_size: Height and width of the video.

        Returns:
            The n sequences that have a mask pixel in some frame.
        """
        probabilities = sequences.logits.float().softmax(-1)[..., :-1]  # S, T, K
        frame_scores, frame_labels = probabilities.max(-1)
        frame_scores = frame_scores * sequences.covered
        votes = F.one_hot(frame_labels, probabilities.shape[-1]) * sequences.covered[..., None]
        # argmax takes the first of equal counts, which is the smallest class.
        labels = votes.sum(1).argmax(-1)
        boxes = _to_pixels(sequences.boxes.float(), original_size)
        masks, keep = None, torch.arange(len(labels))
        if sequences.mask_logits is not None:
            masks = self._full_size_masks(sequences, padded_size, frame_size, original_size)
            keep = masks.flatten(1).any(-1).nonzero().squeeze(1)
            masks = masks[keep]
        return SequenceResults(
            scores=frame_scores.mean(1).cpu()[keep],
            labels=labels.cpu()[keep],
            frame_scores=frame_scores.cpu()[keep],
            boxes=boxes.cpu()[keep],
            masks=masks,
        )

    def _full_size_masks(
        self,
        sequences: InstanceSequences,
        padded_size: tuple[int, int],
        frame_size: tuple[int, int],
        original_size: tuple[int, int],
    ) -> Tensor:
        assert sequences.mask_logits is not None
        num_sequences, num_frames = sequences.covered.shape
        masks = torch.empty(num_sequences, num_frames, *original_size, dtype=torch.bool)
        pixels = max(1, num_sequences) * original_size[0] * original_size[1]
        step = max(1, self.max_pixels // pixels)
        for start in range(0, num_frames, step):
            logits = sequences.mask_logits[:, start : start + step].float()
            full = resize_mask_logits(logits, padded_size, frame_size, original_size)
            seen = sequences.covered[:, start : start + step, None, None]
            masks[:, start : start + step] = ((full > self.logit_thr) & seen).cpu()
        return masks


def resize_mask_logits(
    logits: Tensor,
    padded_size: tuple[int, int],
    frame_size: tuple[int, int],
    out_size: tuple[int, int],
) -> Tensor:
    """Resize the unpadded part of mask logits bilinearly (no corner alignment, no antialiasing).

    Args:
        logits: (..., h, w) over frames of ``padded_size``, padded at the right and bottom.
        padded_size: Height and width that the logits span.
        frame_size: Height and width of the part to keep, in the same pixels.
        out_size: Height and width of the result.

    Returns:
        (..., H, W).
    """
    maps = logits.reshape(1, -1, *logits.shape[-2:])
    if not maps.shape[1]:
        return logits.new_zeros(*logits.shape[:-2], *out_size)
    if frame_size == padded_size:
        full = F.interpolate(maps, size=out_size, mode="bilinear", align_corners=False)
    else:
        sy, sx = (f / p for f, p in zip(frame_size, padded_size, strict=True))
        theta = logits.new_tensor([[[sx, 0, sx - 1], [0, sy, sy - 1]]])
        grid = F.affine_grid(theta, [1, 1, *out_size], align_corners=False)
        full = F.grid_sample(maps, grid, padding_mode="border", align_corners=False)
    return full.view(*logits.shape[:-2], *out_size)


def _to_pixels(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """(cx, cy, w, h) in 0..1 to (x1, y1, x2, y2) in pixels, clipped to the frame."""
    centre, extent = boxes.split(2, dim=-1)
    corners = torch.cat([centre - extent / 2, centre + extent / 2], -1).clamp(0, 1)
    return corners * corners.new_tensor([size[1], size[0], size[1], size[0]])
