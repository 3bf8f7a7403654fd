"""What the terms of the set loss have in common: the layer that they read, and their bases."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmttsrn.models.layers import cell_shares
from mmttsrn.models.task_modules.sequence_costs import smoothed_iou
from mmttsrn.registry import MODELS
from mmttsrn.structures import SequencePredictions, SequenceTargets

# The IoU up to which a prediction and an annotated object have nothing to do with each other;
# that of DropLoss in CutLER (CVPR 2023).
NO_OVERLAP = 0.01


@dataclass(frozen=True)
class MatchedLayer:
    """A decoder layer and the true sequences that its predictions are matched with.

    Attributes:
        predictions: Predictions for N clips.
        targets: True sequences of each clip.
        matches: (M, 3) int64 rows (clip, predicted, true), by rising clip.
        normalizer: Scalar that sums over frames are divided by: the number n*T of true frames,
            absent ones included, averaged over ranks.
        points: Points of the masks by how they are chosen, so that terms share them.
    """

    predictions: SequencePredictions
    targets: Sequence[SequenceTargets]
    matches: Tensor
    normalizer: Tensor
    points: dict[tuple, Tensor] = field(default_factory=dict)

    @cached_property
    def valid(self) -> Tensor:
        """(M, T) bool, whether the true sequence is visible."""
        return self.true("valid")

    @property
    def num_sequences(self) -> Tensor:
        """Scalar that sums over sequences are divided by: the normalizer by clip length."""
        return self.normalizer / self.valid.shape[1]

    def true(self, name: str) -> Tensor:
        """Rows of a field of the true sequences, in the order of the matches."""
        clip, _, true = self.matches.unbind(1)
        rows = [getattr(t, name)[true[clip == i]] for i, t in enumerate(self.targets)]
        return torch.cat(rows)

    @cached_property
    def boxes(self) -> tuple[Tensor, Tensor]:
        """Predicted and true boxes (P, 4), (P, 4) of the visible frames."""
        assert self.predictions.boxes is not None
        clip, predicted, _ = self.matches.unbind(1)
        boxes = self.predictions.boxes[clip, :, predicted][self.valid]
        return boxes, self.true("boxes")[self.valid]

    @cached_property
    def masks(self) -> tuple[Tensor, Tensor]:
        """Mask logits of the visible frames, padding included, and true masks, (P, H*W) each."""
        mask_logits = self._mask_logits[self.valid]  # P, h, w
        true_masks = self.true("masks")[self.valid]  # P, H, W
        logits = F.interpolate(
            mask_logits[:, None], size=true_masks.shape[-2:], mode="bilinear", align_corners=False
        )
        return logits.flatten(1), true_masks.flatten(1)

    @cached_property
    def mask_volumes(self) -> tuple[Tensor, Tensor]:
        """Mask logits (M, T, h, w) float32 and true masks (M, T, H, W) bool of the matches."""
        return self._mask_logits.float(), self.true("masks")

    @cached_property
    def _mask_logits(self) -> Tensor:
        assert self.predictions.masks is not None
        return self.predictions.masks(self.matches[:, :2])  # M, T, h, w

    @cached_property
    def mask_cells(self) -> tuple[Tensor, Tensor]:
        """Mask logits and the share of the true mask in each of their cells, (M, T*h*w) each."""
        logits, masks = self.mask_volumes
        return logits.flatten(1), cell_shares(masks, logits).flatten(1)

    @cached_property
    def ious(self) -> Tensor:
        """(N, Q) largest IoU of each predicted mask volume with one of the true ones."""
        assert self.predictions.masks is not None
        best = []
        with torch.no_grad():
            for index, targets in enumerate(self.targets):
                logits = self.predictions.mask_logits(index)
                assert logits is not None
                assert targets.masks is not None
                pixels = (logits > 0).float().flatten(1)  # Q, T*h*w
                shares = cell_shares(targets.masks, pixels.new_empty(logits.shape[-2:])).flatten(1)
                with torch.autocast(logits.device.type, enabled=False):
                    shared = pixels @ shares.float().T  # Q, n
                union = pixels.sum(1)[:, None] + shares.float().sum(1) - shared
                iou = shared / union.clamp(min=1e-6)
                best.append(F.pad(iou, (0, 1)).amax(1))  # a clip may have no true sequence
        return torch.stack(best)

    @property
    def _box_ious(self) -> Tensor:
        """(N, Q) the same of the boxes, as a mean over the visible frames."""
        assert self.predictions.boxes is not None
        best = []
        for boxes, targets in zip(self.predictions.boxes.detach(), self.targets, strict=True):
            # Q, n, T; tiny boxes that are apart have no overlap.
            ious, _ = smoothed_iou(boxes.float().transpose(0, 1)[:, None], targets.boxes, 1e-12)
            frames = targets.valid.sum(1).clamp(min=1)
            mean = (ious * targets.valid).sum(2) / frames
            best.append(F.pad(mean, (0, 1)).amax(1))
        return torch.stack(best)

    @cached_property
    def unknown(self) -> Tensor:
        """(N, Q) bool, whether a prediction may show an object that nobody annotated."""
        unknown = torch.zeros_like(self.predictions.logits[:, 0, :, 0], dtype=torch.bool)
        incomplete = [i for i, targets in enumerate(self.targets) if not targets.complete]
        if incomplete:
            # By masks where there are no boxes, or where the quality needs their IoUs anyway.
            by_masks = self.predictions.boxes is None or self.predictions.quality is not None
            overlaps = self.ious if by_masks else self._box_ious
            unknown[incomplete] = overlaps[incomplete] <= NO_OVERLAP
            clip, predicted, _ = self.matches.unbind(1)
            unknown[clip, predicted] = False
        return unknown

    @cached_property
    def inside(self) -> Tensor:
        """(P, H*W) bool, false where a pixel of a visible frame is padding."""
        size = self.true("masks").shape[-2:]
        inside = self.valid.new_zeros(len(self.targets), *size)
        for frame, targets in zip(inside, self.targets, strict=True):
            frame[: targets.frame_size[0], : targets.frame_size[1]] = True
        of_match = inside[self.matches[:, 0]][:, None]  # M, 1, H, W
        return of_match.expand(-1, self.valid.shape[1], -1, -1)[self.valid].flatten(1)


class LossTerm(BaseModule):
    """Base of the terms.

    Args:
        loss: Config of the loss function.
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, loss: dict) -> None:
        super().__init__()
        self.loss = MODELS.build(loss)

    def forward(self, layer: MatchedLayer) -> Tensor:
        """Scalar loss of a decoder layer that gives what the term needs."""
        raise NotImplementedError


class ClassTerm(LossTerm):
    """Base of the terms on classes: a mean that weighs one class, the last one, differently.

    Args:
        loss: Config of a loss of logits (P, K+1) that takes ``weight`` and ``avg_factor``.
        no_object_weight: Weight of the last class; the others have 1.
    """

    def __init__(self, loss: dict, no_object_weight: float = 0.1) -> None:
        super().__init__(loss)
        self.no_object_weight = no_object_weight

    def _mean(self, logits: Tensor, classes: Tensor, unknown: Tensor) -> Tensor:
        """Weighted mean loss of logits (..., K+1) with true classes (...), without ``unknown``."""
        no_object = logits.shape[-1] - 1
        weights = torch.where(classes == no_object, self.no_object_weight, 1.0) * ~unknown
        weights = weights.flatten()
        return self.loss(
            logits.flatten(0, -2),
            classes.flatten(),
            weight=weights,
            avg_factor=weights.sum().clamp(min=1e-6),
        )
