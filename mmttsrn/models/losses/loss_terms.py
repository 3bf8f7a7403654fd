"""Terms of the set loss: each names what it needs of a decoder layer and gives one loss."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmttsrn.models.layers import cell_shares
from mmttsrn.registry import MODELS
from mmttsrn.structures import SequencePredictions, SequenceTargets


@dataclass(frozen=True)
class MatchedLayer:
    """A decoder layer and the true sequences that its predictions are matched with.

    Attributes:
        predictions: Predictions for N clips.
        targets: True sequences of each clip.
        matches: (M, 3) int64 rows (clip, predicted, true), by rising clip.
        normalizer: Scalar that sums over frames are divided by.
    """

    predictions: SequencePredictions
    targets: Sequence[SequenceTargets]
    matches: Tensor
    normalizer: Tensor

    @cached_property
    def valid(self) -> Tensor:
        """(M, T) bool, whether the true sequence is visible."""
        return self.true("valid")

    @property
    def num_sequences(self) -> Tensor:
        """Scalar that sums over sequences are divided by: the normalizer by clip length."""
        return self.normalizer / self.valid.shape[1]

    def true(self, field: str) -> Tensor:
        """Rows of a field of the true sequences, in the order of the matches."""
        clip, _, true = self.matches.unbind(1)
        fields = (
            getattr(targets, field)[true[clip == i]] for i, targets in enumerate(self.targets)
        )
        return torch.cat(list(fields))

    @cached_property
    def boxes(self) -> tuple[Tensor, Tensor]:
        """Predicted and true boxes (P, 4), (P, 4) of the visible frames."""
        assert self.predictions.boxes is not None
        clip, predicted, _ = self.matches.unbind(1)
        boxes = self.predictions.boxes[clip, :, predicted][self.valid]
        return boxes, self.true("boxes")[self.valid]

    @cached_property
    def masks(self) -> tuple[Tensor, Tensor]:
        """Mask logits at the size of the padded frames and true masks of the visible frames.

        Returns:
            (P, H*W) logits and (P, H*W) bool.
        """
        assert self.predictions.masks is not None
        mask_logits = self.predictions.masks(self.matches[:, :2])[self.valid]  # P, h, w
        true_masks = self.true("masks")[self.valid]  # P, H, W
        logits = F.interpolate(
            mask_logits[:, None], size=true_masks.shape[-2:], mode="bilinear", align_corners=False
        )
        return logits.flatten(1), true_masks.flatten(1)

    @cached_property
    def mask_volumes(self) -> tuple[Tensor, Tensor]:
        """Mask logits (M, T, h, w) float32 and true masks (M, T, H, W) bool of the matches."""
        assert self.predictions.masks is not None
        return self.predictions.masks(self.matches[:, :2]).float(), self.true("masks")

    @cached_property
    def mask_cells(self) -> tuple[Tensor, Tensor]:
        """Mask logits and the share of the true mask in each of their cells, (M, T*h*w) each."""
        logits, masks = self.mask_volumes
        return logits.flatten(1), cell_shares(masks, logits).flatten(1)

    def cached(self, key: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        """Return what was computed under a key, so that terms share it."""
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key]

    @cached_property
    def _cache(self) -> dict[Hashable, Tensor]:
        return {}

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
    """Class of every query in every frame: that of its match, no-object for all others.

    Args:
        loss: Config of the class loss.
        num_classes: Real classes K.
        no_object_weight: Weight of the no-object class.
    """

    def __init__(self, loss: dict, num_classes: int, no_object_weight: float) -> None:
        self.num_classes = num_classes
        self.class_weight = [1.0] * num_classes + [no_object_weight]
        super().__init__(dict(loss, class_weight=self.class_weight))

    def forward(self, layer: MatchedLayer) -> Tensor:
        """Weighted mean over all queries and frames."""
        logits = layer.predictions.logits  # N, T, Q, K+1
        clip, predicted, _ = layer.matches.unbind(1)
        classes = logits.new_full(logits.shape[:-1], self.num_classes, dtype=torch.int64)
        labels = layer.true("labels")[:, None].expand_as(layer.valid)
        classes[clip, :, predicted] = torch.where(layer.valid, labels, self.num_classes)
        flat = classes.flatten()
        weight_sum = logits.new_tensor(self.class_weight)[flat].sum()
        return self.loss(logits.flatten(0, 2), flat, avg_factor=weight_sum)


class BoxTerm(LossTerm):
    """Boxes (cx, cy, w, h) in 0..1 of the visible frames, by a loss of pairs."""

    needs = frozenset({"boxes"})

    def forward(self, layer: MatchedLayer) -> Tensor:
        """Sum over the boxes, divided by the normalizer."""
        return self.loss(*layer.boxes, avg_factor=layer.normalizer)


class _MaskTerm(LossTerm):
    """Base of the terms on masks.

    Args:
        loss: Config of the mask loss.
        ignore_padding: Leave padded pixels out instead of counting them as background.
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


class PixelMaskTerm(_MaskTerm):
    """Masks of the visible frames by a loss of pixels, averaged over the pixels of a frame."""

    def forward(self, layer: MatchedLayer) -> Tensor:
        """Sum over the frames, divided by the normalizer."""
        logits, true_masks = self._masks(layer)
        pixels = logits.new_full((len(logits), 1), logits.shape[1])
        if self.ignore_padding:
            pixels = layer.inside.sum(1, keepdim=True)
        return self.loss(
            logits, true_masks.long(), weight=1 / pixels.float(), avg_factor=layer.normalizer
        )


class RegionMaskTerm(_MaskTerm):
    """Masks of the visible frames by a loss of whole regions, such as dice."""

    def forward(self, layer: MatchedLayer) -> Tensor:
        """Sum over the frames, divided by the normalizer."""
        logits, true_masks = self._masks(layer)
        return self.loss(logits, true_masks.float(), avg_factor=layer.normalizer)
