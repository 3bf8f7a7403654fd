"""Loss terms of decoders that give one class and one mask volume for each sequence."""

import torch
import torch.nn.functional as F
from mmcv.ops import point_sample
from torch import Tensor

from mmttsrn.models.layers import cell_shares
from mmttsrn.models.losses.loss_terms import ClassTerm, LossTerm, MatchedLayer
from mmttsrn.registry import MODELS
from mmttsrn.structures import SequenceTargets

# Standard deviation of the middle of an object, in widths and heights of its box.
SEED_SPREAD = 0.15


@MODELS.register_module()
class SequenceClassTerm(ClassTerm):
    """Class of every query: that of its match, no-object for all others.

    In clips that are not annotated completely, a query has no loss whose box, or mask in a decoder
    without boxes, overlaps no annotated object.

    Args:
        loss: Config of the class loss of logits (P, K+1).
        no_object_weight: Weight of the no-object class.

    Source: DETR (ECCV 2020) and Mask2Former (CVPR 2022).
    """

    def forward(self, layer: MatchedLayer) -> Tensor:
        """Weighted mean over all queries."""
        logits = layer.predictions.logits.mean(1)  # N, Q, K+1
        classes = logits.new_full(logits.shape[:-1], logits.shape[-1] - 1, dtype=torch.int64)
        clip, predicted, _ = layer.matches.unbind(1)
        classes[clip, predicted] = layer.true("labels")
        return self._mean(logits, classes, layer.unknown)


@MODELS.register_module()
class SequenceQualityTerm(LossTerm):
    """Quality of every mask: its IoU with the annotated object that it overlaps most.

    In clips that are not annotated completely, a query whose mask overlaps none has no loss.

    Args:
        loss: Config of a loss of logits (P,) with targets (P,) in 0..1, such as binary
            cross-entropy.

    Source: localisation quality in place of a class, as in "Learning Open-World Object Proposals
    without Learning to Classify" (RA-L 2022); mask IoU as in Mask Scoring R-CNN (CVPR 2019).
    """

    needs = frozenset({"masks", "quality"})

    def forward(self, layer: MatchedLayer) -> Tensor:
        """Mean over the queries."""
        assert layer.predictions.quality is not None
        logits = layer.predictions.quality.mean(1)  # N, Q
        known = (~layer.unknown).flatten().float()
        return self.loss(
            logits.flatten(),
            layer.ious.flatten(),
            weight=known,
            avg_factor=known.sum().clamp(min=1),
        )


class _SequenceMaskTerm(LossTerm):
    """Base of the terms on the masks of all frames as one volume, empty where absent.

    Args:
        loss: Config of the mask loss.
        num_points: Points of each frame that the loss is taken at; None for all cells of the
            predicted masks, to whose size the true ones are averaged down.
        oversample_ratio: Random points that are drawn for each that is taken.
        importance_ratio: Share of the points that are the most uncertain of those drawn.

    Source: Mask2Former (CVPR 2022), section 3.3: points as in PointRend (CVPR 2020).
    """

    needs = frozenset({"masks"})

    def __init__(
        self,
        loss: dict,
        num_points: int | None = None,
        oversample_ratio: float = 3.0,
        importance_ratio: float = 0.75,
    ) -> None:
        super().__init__(loss)
        self.num_points = num_points
        self.oversample_ratio = oversample_ratio
        self.importance_ratio = importance_ratio

    def _masks(self, layer: MatchedLayer) -> tuple[Tensor, Tensor]:
        """Mask logits and true masks 0..1 of the matches, (M, T*P) each."""
        if self.num_points is None:
            return layer.mask_cells
        logits, masks = layer.mask_volumes
        kind = (self.num_points, self.oversample_ratio, self.importance_ratio)
        if kind not in layer.points:
            layer.points[kind] = self._choose_points(logits.detach(), self.num_points)
        points = layer.points[kind]
        volumes = (logits, masks.to(logits.dtype))
        at_points = (point_sample(volume.flatten(0, 1)[:, None], points) for volume in volumes)
        # Written out, because a batch without true sequences has no element to infer a size from.
        width = logits.shape[1] * self.num_points
        first, second = (values.reshape(len(logits), width) for values in at_points)
        return first, second

    def _choose_points(self, logits: Tensor, num_points: int) -> Tensor:
        """Draw points (M*T, P, 2) xy in 0..1, most of them where masks (M, T, h, w) are unsure."""
        frames = logits.flatten(0, 1)
        num_drawn = int(num_points * self.oversample_ratio)
        drawn = frames.new_empty(len(frames), num_drawn, 2).uniform_()
        num_important = int(num_points * self.importance_ratio)
        certainty = point_sample(frames[:, None], drawn)[:, 0].abs()
        important = certainty.topk(num_important, dim=1, largest=False).indices
        chosen = drawn.gather(1, important[..., None].expand(-1, -1, 2))
        rest = frames.new_empty(len(frames), num_points - num_important, 2).uniform_()
        return torch.cat([chosen, rest], 1)


@MODELS.register_module()
class SequencePixelTerm(_SequenceMaskTerm):
    """Mask volumes by a loss of pixels, averaged over the pixels of a volume."""

    def forward(self, layer: MatchedLayer) -> Tensor:
        """Mean over the pixels and true sequences."""
        logits, masks = self._masks(layer)
        pixels = max(logits.shape[1], 1)
        return self.loss(logits, masks, avg_factor=layer.num_sequences * pixels)


@MODELS.register_module()
class SequenceRegionTerm(_SequenceMaskTerm):
    """Mask volumes by a loss of whole regions, such as dice."""

    def forward(self, layer: MatchedLayer) -> Tensor:
        """Mean over the true sequences."""
        logits, masks = self._masks(layer)
        return self.loss(logits, masks, avg_factor=layer.num_sequences)


@MODELS.register_module()
class PixelClassTerm(ClassTerm):
    """Class of every cell of the maps that a head classifies: of the largest share in the cell.

    Cells without an annotated object have no loss in clips that are not annotated completely.

    Args:
        loss: Config of the class loss of logits (P, K+1).
        background_weight: Weight of a cell that belongs to no instance.
    """

    needs = frozenset({"pixel_logits"})

    def __init__(self, loss: dict, background_weight: float = 1.0) -> None:
        super().__init__(loss, background_weight)

    def forward(self, layer: MatchedLayer) -> Tensor:
        """Weighted mean over the cells, mean over the maps."""
        losses = []
        for logits in layer.predictions.pixel_logits:  # N, T, K+1, h, w
            classes = torch.stack([_cell_classes(logits, t.masks, t.labels) for t in layer.targets])
            unknown = classes == logits.shape[2] - 1
            unknown[[i for i, targets in enumerate(layer.targets) if targets.complete]] = False
            losses.append(self._mean(logits.movedim(2, -1), classes, unknown))
        return torch.stack(losses).mean()


@MODELS.register_module()
class SeedTerm(LossTerm):
    """Whether a cell is the middle of an object, in single frames.

    The target is 1 at the centroid of a mask and falls inside it by a Gaussian of ``SEED_SPREAD``
    of its box. A cell weighs the square of its error. In frames that are not annotated completely,
    cells without an annotated object have no loss.

    Args:
        loss: Config of a loss of logits (P,) with targets (P,) in 0..1.

    Source: middles as in CenterNet ("Objects as Points", 2019), weights as in "Generalized Focal
    Loss" (NeurIPS 2020).
    """

    needs = frozenset({"seed_logits"})

    def forward(self, layer: MatchedLayer) -> Tensor:
        """Weighted sum over the cells, divided by the sum of the targets."""
        logits = layer.predictions.seed_logits  # N, h, w
        assert logits is not None
        targets = torch.stack([_middles(t, logits) for t in layer.targets])
        weights = (logits.detach().sigmoid() - targets).square()
        complete = weights.new_tensor([t.complete for t in layer.targets], dtype=torch.bool)
        weights = weights * (complete[:, None, None] | (targets > 0))
        return self.loss(
            logits.flatten(),
            targets.flatten(),
            weight=weights.flatten(),
            avg_factor=targets.sum().clamp(min=1),
        )


def _middles(targets: SequenceTargets, logits: Tensor) -> Tensor:
    """How near cells (h, w) of (N, h, w) are to the middle of an object of a frame, in 0..1."""
    assert targets.masks is not None
    shares = cell_shares(targets.masks, logits)[:, 0]  # n, h, w
    total = shares.sum((1, 2), keepdim=True).clamp(min=1e-6)
    distance = torch.zeros_like(shares)
    for axis, (cells, padded, pixels) in enumerate(
        zip(shares.shape[1:], targets.masks.shape[2:], targets.frame_size, strict=True)
    ):
        places = torch.arange(cells, device=logits.device) + 0.5
        places = places[:, None] if axis == 0 else places
        center = (shares * places).sum((1, 2), keepdim=True) / total
        size = targets.boxes[:, 0, 3 - axis, None, None] * pixels / padded * cells
        distance = distance + ((places - center) / (SEED_SPREAD * size).clamp(min=0.5)).square()
    heat = torch.exp(-distance / 2) * shares
    heat = heat / heat.amax((1, 2), keepdim=True).clamp(min=1e-6)
    return F.pad(heat, (0, 0, 0, 0, 0, 1)).amax(0)  # a frame may have no object


def _cell_classes(logits: Tensor, masks: Tensor | None, labels: Tensor) -> Tensor:
    """Classes (T, h, w) of the cells of (N, T, K+1, h, w) from masks (n, T, H, W)."""
    assert masks is not None
    t, classes, h, w = logits.shape[1:]
    shares = logits.new_zeros(classes, t, h, w)
    shares.index_add_(0, labels, cell_shares(masks, logits))
    shares[-1] = 1 - shares.sum(0)
    return shares.argmax(0)
