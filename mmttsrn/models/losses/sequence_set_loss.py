"""Set prediction loss of instance sequences."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.utils import reduce_mean
from mmengine.model import BaseModule
from torch import Tensor

from mmttsrn.registry import MODELS, TASK_UTILS
from mmttsrn.structures import SequencePredictions, SequenceTargets


@MODELS.register_module()
class SequenceSetLoss(BaseModule):
    """Criterion: match sequences, then class, box and mask losses on the matched ones.

    Only frames where a matched instance is visible enter the box and mask losses and count as its
    class; every other query is no-object. Box and mask losses are divided by the number of target
    frames n*T, absent ones included, averaged over ranks. Every decoder layer is matched anew and
    gets class and box losses; masks belong to the last layer.

    Args:
        num_classes: Real classes K.
        no_object_weight: Weight of the no-object class in the class loss.
        matcher: Config of the matcher.
        loss_cls: Config of the class loss.
        loss_bbox: Config of the L1 loss on boxes (cx, cy, w, h) in 0..1.
        loss_giou: Config of the generalised-IoU loss on the same boxes.
        loss_mask: Config of the pixel-wise mask loss.
        loss_dice: Config of the region mask loss.
        ignore_padding: Leave padded pixels out of the mask losses instead of counting them as
            background (the reference).

    Source: VisTR (CVPR 2021), section 3.3.
    """

    def __init__(
        self,
        num_classes: int,
        no_object_weight: float = 0.1,
        matcher: dict | None = None,
        loss_cls: dict | None = None,
        loss_bbox: dict | None = None,
        loss_giou: dict | None = None,
        loss_mask: dict | None = None,
        loss_dice: dict | None = None,
        ignore_padding: bool = False,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.matcher = TASK_UTILS.build(matcher or dict(type="mmttsrn.InstanceSequenceMatcher"))
        self.class_weight = [1.0] * num_classes + [no_object_weight]
        self.loss_cls = MODELS.build(dict(loss_cls or LOSS_CLS, class_weight=self.class_weight))
        self.loss_bbox = MODELS.build(loss_bbox or LOSS_BBOX)
        self.loss_giou = MODELS.build(loss_giou or LOSS_GIOU)
        self.loss_mask = MODELS.build(loss_mask or LOSS_MASK)
        self.loss_dice = MODELS.build(loss_dice or LOSS_DICE)
        self.ignore_padding = ignore_padding

    def match(self, logits: Tensor, boxes: Tensor, targets: Sequence[SequenceTargets]) -> Tensor:
        """Match one decoder layer.

        Args:
            logits: Class logits (N, T, Q, K+1).
            boxes: Boxes (N, T, Q, 4).
            targets: True sequences of each clip.

        Returns:
            (M, 3) int64 rows (clip, predicted, true).
        """
        rows = [
            F.pad(self.matcher.match(logits[i], boxes[i], clip), (1, 0), value=i)
            for i, clip in enumerate(targets)
        ]
        return torch.cat(rows)

    def forward(
        self,
        predictions: SequencePredictions,
        targets: Sequence[SequenceTargets],
        matches: Tensor,
        mask_logits: Tensor | None,
    ) -> dict[str, Tensor]:
        """Compute all losses.

        Args:
            predictions: Predictions of L decoder layers.
            targets: True sequences of each of the N clips.
            matches: ``match()`` of the last layer, (M, 3).
            mask_logits: (M, T, h, w) of the matched instances; None without a mask head.

        Returns:
            Losses by name; those of layer l < L-1 are called ``d<l>.loss_*``.
        """
        normalizer = self._normalizer(targets, predictions.logits)
        last = len(predictions.logits) - 1
        losses = self._layer_losses(predictions, last, targets, matches, normalizer)
        if mask_logits is not None:
            losses.update(self._mask_losses(mask_logits, targets, matches, normalizer))
        for layer in range(last):
            layer_matches = self.match(
                predictions.logits[layer].detach(), predictions.boxes[layer].detach(), targets
            )
            layer_losses = self._layer_losses(
                predictions, layer, targets, layer_matches, normalizer
            )
            losses.update({f"d{layer}.{name}": value for name, value in layer_losses.items()})
        return losses

    def _normalizer(self, targets: Sequence[SequenceTargets], like: Tensor) -> Tensor:
        frames = sum(clip.valid.numel() for clip in targets)
        return reduce_mean(like.new_tensor(float(frames))).clamp(min=1)

    def _layer_losses(
        self,
        predictions: SequencePredictions,
        layer: int,
        targets: Sequence[SequenceTargets],
        matches: Tensor,
        normalizer: Tensor,
    ) -> dict[str, Tensor]:
        logits = predictions.logits[layer]  # N, T, Q, K+1
        clip, predicted, _ = matches.unbind(1)
        valid = _gather(targets, matches, "valid")  # M, T
        classes = logits.new_full(logits.shape[:-1], self.num_classes, dtype=torch.int64)
        true_classes = _gather(targets, matches, "labels")[:, None].expand_as(valid)
        classes[clip, :, predicted] = torch.where(valid, true_classes, self.num_classes)
        flat = classes.flatten()
        weight_sum = logits.new_tensor(self.class_weight)[flat].sum()
        boxes = predictions.boxes[layer][clip, :, predicted][valid]  # P, 4
        true_boxes = _gather(targets, matches, "boxes")[valid]
        return dict(
            loss_cls=self.loss_cls(logits.flatten(0, 2), flat, avg_factor=weight_sum),
            loss_bbox=self.loss_bbox(boxes, true_boxes, avg_factor=normalizer),
            loss_giou=self.loss_giou(boxes, true_boxes, avg_factor=normalizer),
        )

    def _mask_losses(
        self,
        mask_logits: Tensor,
        targets: Sequence[SequenceTargets],
        matches: Tensor,
        normalizer: Tensor,
    ) -> dict[str, Tensor]:
        valid = _gather(targets, matches, "valid")
        true_masks = _gather(targets, matches, "masks")[valid].flatten(1)  # P, H*W
        size = targets[0].masks.shape[-2:]  # type: ignore[union-attr]
        logits = F.interpolate(
            mask_logits[valid][:, None], size=size, mode="bilinear", align_corners=False
        ).flatten(1)
        pixels = logits.new_full((len(logits), 1), logits.shape[1])
        if self.ignore_padding:
            inside = _inside_frame(targets, size)[matches[:, 0]]  # M, H, W
            inside = inside[:, None].expand(-1, valid.shape[1], -1, -1)[valid].flatten(1)
            pixels = inside.sum(1, keepdim=True)
            # A very negative logit is background with certainty: no loss and no gradient.
            logits = logits.masked_fill(~inside, -1e4)
        return dict(
            loss_mask=self.loss_mask(
                logits, true_masks.long(), weight=1 / pixels.float(), avg_factor=normalizer
            ),
            loss_dice=self.loss_dice(logits, true_masks.float(), avg_factor=normalizer),
        )


def _gather(targets: Sequence[SequenceTargets], matches: Tensor, field: str) -> Tensor:
    """Rows of a field of the true sequences, in the order of the matches (clips rise)."""
    return torch.cat(
        [getattr(clip, field)[matches[matches[:, 0] == i, 2]] for i, clip in enumerate(targets)]
    )


def _inside_frame(targets: Sequence[SequenceTargets], size: Sequence[int]) -> Tensor:
    """(N, H, W) bool, false where a pixel is padding."""
    inside = targets[0].valid.new_zeros(len(targets), *size, dtype=torch.bool)
    for i, clip in enumerate(targets):
        inside[i, : clip.frame_size[0], : clip.frame_size[1]] = True
    return inside


LOSS_CLS = dict(type="mmdet.CrossEntropyLoss", loss_weight=1.0)
LOSS_BBOX = dict(type="mmdet.L1Loss", loss_weight=5.0)
LOSS_GIOU = dict(type="mmttsrn.SmoothedGIoULoss", loss_weight=2.0)
LOSS_MASK = dict(type="mmdet.FocalLoss", use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0)
LOSS_DICE = dict(type="mmdet.DiceLoss", use_sigmoid=True, naive_dice=True, eps=1.0, loss_weight=1.0)
