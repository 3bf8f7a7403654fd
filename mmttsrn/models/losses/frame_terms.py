"""Loss terms of decoders that give a class, a box and a mask for each sequence in each frame."""

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmttsrn.models.losses.loss_terms import ClassTerm, LossTerm, MatchedLayer
from mmttsrn.models.task_modules.sequence_costs import smoothed_iou
from mmttsrn.registry import MODELS


@MODELS.register_module()
class FrameClassTerm(ClassTerm):
    """Class of every query in every frame: that of its match, no-object for all others.

    In clips that are not annotated completely, a query that overlaps no annotated object has no
    loss.

    Args:
        loss: Config of the class loss of logits (P, K+1).
        no_object_weight: Weight of the no-object class.

    Source: VisTR (CVPR 2021), section 3.3.
    """

    def forward(self, layer: MatchedLayer) -> Tensor:
        """Weighted mean over all queries and frames."""
        logits = layer.predictions.logits  # N, T, Q, K+1
        no_object = logits.shape[-1] - 1
        classes = logits.new_full(logits.shape[:-1], no_object, dtype=torch.int64)
        clip, predicted, _ = layer.matches.unbind(1)
        labels = layer.true("labels")[:, None].expand_as(layer.valid)
        classes[clip, :, predicted] = torch.where(layer.valid, labels, no_object)
        return self._mean(logits, classes, layer.unknown[:, None].expand_as(classes))


@MODELS.register_module()
class FrameBoxTerm(LossTerm):
    """Boxes (cx, cy, w, h) in 0..1 of the visible frames.

    Args:
        loss: Config of a loss of paired boxes (P, 4), such as L1 or GIoU.
    """

    needs = frozenset({"boxes"})

    def forward(self, layer: MatchedLayer) -> Tensor:
        """Sum over the boxes, divided by the number of true frames."""
        return self.loss(*layer.boxes, avg_factor=layer.normalizer)


class _FrameMaskTerm(LossTerm):
    """Base of the terms on masks, at the size of the padded frames.

    Args:
        loss: Config of the mask loss.
        ignore_padding: Leave padded pixels out instead of counting them as background (the
            reference).
    """

    needs = frozenset({"masks"})

    def __init__(self, loss: dict, ignore_padding: bool = False) -> None:
        super().__init__(loss)
        self.ignore_padding = ignore_padding

    def _masks(self, layer: MatchedLayer) -> tuple[Tensor, Tensor]:
        logits, true_masks = layer.masks
        if self.ignore_padding:
            # A very negative logit is background with certainty: no loss and no gradient.
            logits = logits.masked_fill(~layer.inside, -1e4)
        return logits, true_masks


@MODELS.register_module()
class FramePixelTerm(_FrameMaskTerm):
    """Masks of the visible frames by a loss of pixels, averaged over the pixels of a frame."""

    def forward(self, layer: MatchedLayer) -> Tensor:
        """Sum over the frames, divided by the number of true frames."""
        logits, true_masks = self._masks(layer)
        pixels = logits.new_full((len(logits), 1), logits.shape[1])
        if self.ignore_padding:
            pixels = layer.inside.sum(1, keepdim=True)
        return self.loss(
            logits, true_masks.long(), weight=1 / pixels.float(), avg_factor=layer.normalizer
        )


@MODELS.register_module()
class FrameRegionTerm(_FrameMaskTerm):
    """Masks of the visible frames by a loss of whole regions, such as dice."""

    def forward(self, layer: MatchedLayer) -> Tensor:
        """Sum over the frames, divided by the number of true frames."""
        logits, true_masks = self._masks(layer)
        return self.loss(logits, true_masks.float(), avg_factor=layer.normalizer)


@MODELS.register_module()
class SmoothedGIoULoss(BaseModule):
    """``1 - GIoU`` of paired boxes, summed and divided by ``avg_factor``.

    mmdet's ``GIoULoss`` clamps small areas where the VisTR reference adds ``eps``; on boxes in
    0..1 the two differ by more than rounding, so the reference's form is kept here.

    Args:
        loss_weight: Factor of the loss.
        eps: Added to numerators and denominators.
    """

    def __init__(self, loss_weight: float = 2.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.eps = eps

    def forward(self, pred: Tensor, target: Tensor, avg_factor: float) -> Tensor:
        """Loss of boxes (P, 4) against (P, 4), both (cx, cy, w, h) in 0..1; a scalar."""
        _, giou = smoothed_iou(pred, target, self.eps)
        return self.loss_weight * (1 - giou).sum() / avg_factor
