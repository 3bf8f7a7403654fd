import math
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmttsrn.models import SequenceSetLoss
from mmttsrn.models.losses import (
    FrameClassTerm,
    MatchedLayer,
    PixelClassTerm,
    SeedTerm,
    SequenceClassTerm,
    SequencePixelTerm,
    SequenceQualityTerm,
    SequenceRegionTerm,
    sequence_set_loss,
)
from mmttsrn.registry import MODELS
from mmttsrn.structures import SequencePredictions, SequenceTargets, dense_masks

T, K, CELLS, SIZE = 2, 3, (4, 6), (16, 24)
CE = dict(type="mmdet.CrossEntropyLoss")
BCE = dict(type="mmdet.CrossEntropyLoss", use_sigmoid=True)
DICE = dict(type="mmdet.DiceLoss", use_sigmoid=True, naive_dice=True, eps=1.0)


@MODELS.register_module()
class RecordedLoss(nn.Module):
    """Keeps what it is called with."""

    def forward(self, pred: Tensor, target: Tensor, **kwargs: object) -> Tensor:
        self.pred, self.target = pred, target
        return pred.sum()


TERMS = [(SequencePixelTerm, BCE), (SequenceRegionTerm, DICE)]
RECORDED = dict(type="mmttsrn.RecordedLoss")


def targets_of(labels: list[int], masks: Tensor | None = None) -> SequenceTargets:
    """True sequences with masks (n, T, H, W); by default random blocks of 4x4 pixels."""
    if masks is None:
        masks = enlarged(torch.rand(len(labels), T, *CELLS) < 0.5)
    n = len(labels)
    valid = masks.flatten(2).any(2)
    return SequenceTargets(
        torch.tensor(labels, dtype=torch.int64), torch.zeros(n, T, 4), valid, masks, SIZE
    )


def enlarged(cells: Tensor) -> Tensor:
    """Masks (..., H, W) from those of cells (..., h, w)."""
    return cells.repeat_interleave(4, -2).repeat_interleave(4, -1)


def layer_of(
    targets: list[SequenceTargets],
    matches: list[list[int]],
    masks: Tensor | None = None,
    logits: Tensor | None = None,
    normalizer: float | None = None,
    **predictions: Any,
) -> MatchedLayer:
    """A matched layer from logits (N, Q, K+1) and mask logits (N, Q, T, h, w) of 3 queries."""
    n = len(targets)
    masks = torch.randn(n, 3, T, *CELLS) if masks is None else masks
    logits = torch.randn(n, 3, K + 1) if logits is None else logits
    frames = float(sum(t.valid.numel() for t in targets)) if normalizer is None else normalizer
    return MatchedLayer(
        SequencePredictions(
            logits[:, None].expand(-1, T, -1, -1), masks=dense_masks(masks), **predictions
        ),
        targets,
        torch.tensor(matches, dtype=torch.int64).view(-1, 3),
        torch.tensor(max(frames, 1.0)),
    )


class TestSequenceClassTerm:
    # Logits of ln(p): softmax gives back the probabilities.
    probabilities = torch.tensor(
        [[[0.5, 0.2, 0.2, 0.1], [0.1, 0.6, 0.1, 0.2], [0.1, 0.25, 0.25, 0.4]]]
    )

    def loss(self, labels: list[int], matches: list[list[int]]) -> float:
        layer = layer_of([targets_of(labels)], matches, logits=self.probabilities.log())
        return SequenceClassTerm(CE, no_object_weight=0.25)(layer).item()

    def test_other_queries_are_no_object(self) -> None:
        expected = -(math.log(0.2) + 0.25 * math.log(0.2) + 0.25 * math.log(0.4)) / 1.5
        assert self.loss([1], [[0, 0, 0]]) == pytest.approx(expected, rel=1e-5)

    def test_matches_decide_which_query_has_which_class(self) -> None:
        expected = -(math.log(0.2) + 0.25 * math.log(0.2) + math.log(0.25)) / 2.25
        assert self.loss([2, 1], [[0, 0, 1], [0, 2, 0]]) == pytest.approx(expected, rel=1e-5)

    def test_without_true_sequences_all_are_no_object(self) -> None:
        assert self.loss([], []) == pytest.approx(-(math.log(0.1 * 0.2 * 0.4)) / 3, rel=1e-5)


def three_queries() -> tuple[Tensor, Tensor]:
    """Mask logits (1, 3, T, h, w) of three queries, and the mask (1, T, H, W) of an object.

    Of the object's 8 cells in each frame, query 0 covers 4 and 4 others, query 1 covers 1 of 1 in
    100, query 2 none.
    """
    cells = torch.zeros(3, T, *CELLS, dtype=torch.bool)
    cells[0, :, 0, :4] = cells[0, :, 2, :4] = True
    cells[1, :, 0, 0] = True
    cells[2, :, 3] = True
    true = torch.zeros(1, T, *CELLS, dtype=torch.bool)
    true[0, :, :2, :4] = True
    return torch.where(cells, 2.0, -2.0)[None], enlarged(true)


class TestIncompleteClips:
    def layer(self, complete: bool, matches: list[list[int]]) -> MatchedLayer:
        logits, mask = three_queries()
        targets = replace(targets_of([1], mask), complete=complete)
        probabilities = TestSequenceClassTerm.probabilities
        quality = torch.tensor([[0.2, -0.3, 0.9]])[:, None].expand(-1, T, -1)
        pixel_logits = torch.zeros(1, T, K + 1, *CELLS)
        pixel_logits[:, :, 1] = 1.0
        return layer_of(
            [targets],
            matches,
            masks=logits,
            logits=probabilities.log(),
            quality=quality,
            pixel_logits=(pixel_logits,),
        )

    def test_overlap_is_the_iou_of_the_volumes(self) -> None:
        ious = self.layer(True, [[0, 0, 0]]).ious
        torch.testing.assert_close(ious, torch.tensor([[4 / 12, 1 / 8, 0.0]]))
        assert layer_of([targets_of([])], []).ious.tolist() == [[0, 0, 0]]

    def test_overlap_counts_shares_of_cells(self) -> None:
        masks = torch.full((1, 3, T, 1, 2), -1.0)
        masks[0, 0, :, 0, 0] = 1.0
        true = torch.zeros(1, T, 4, 8, dtype=torch.bool)
        true[0, :, :2, :4] = True  # half of the first cell
        assert layer_of([targets_of([0], true)], [[0, 0, 0]], masks).ious[0, 0] == 0.5

    def test_masks_say_what_is_known_where_the_quality_needs_them(self) -> None:
        layer = self.layer(False, [[0, 0, 0]])
        boxes = torch.full((1, T, 3, 4), 0.5)  # which do not overlap the empty true ones
        both = replace(layer, predictions=replace(layer.predictions, boxes=boxes))
        assert both.unknown.tolist() == layer.unknown.tolist() == [[False, False, True]]
        only_boxes = replace(both, predictions=replace(both.predictions, quality=None))
        assert only_boxes.unknown.tolist() == [[False, True, True]]

    def test_queries_that_overlap_nothing_have_no_class_loss(self) -> None:
        term = SequenceClassTerm(CE, no_object_weight=0.25)
        complete = -(math.log(0.2) + 0.25 * math.log(0.2) + 0.25 * math.log(0.4)) / 1.5
        known = -(math.log(0.2) + 0.25 * math.log(0.2)) / 1.25
        assert term(self.layer(True, [[0, 0, 0]])).item() == pytest.approx(complete, rel=1e-5)
        assert term(self.layer(False, [[0, 0, 0]])).item() == pytest.approx(known, rel=1e-5)

    def test_a_batch_where_nothing_is_known_has_a_gradient_of_zero(self) -> None:
        logits = torch.randn(1, 3, K + 1, requires_grad=True)
        quality = torch.randn(1, 3, requires_grad=True)
        pixels = torch.randn(1, T, K + 1, *CELLS, requires_grad=True)
        layer = layer_of(
            [replace(targets_of([]), complete=False)],
            [],
            logits=logits,
            quality=quality[:, None].expand(-1, T, -1),
            pixel_logits=(pixels,),
        )
        terms = (SequenceClassTerm(CE), SequenceQualityTerm(BCE), PixelClassTerm(CE))
        loss = sum(term(layer) for term in terms)
        assert loss.item() == 0
        loss.backward()
        for leaf in (logits, quality, pixels):
            assert not leaf.grad.any()

    def test_a_match_has_its_class_whatever_it_overlaps(self) -> None:
        expected = -(0.25 * math.log(0.1) + 0.25 * math.log(0.2) + math.log(0.25)) / 1.5
        loss = SequenceClassTerm(CE, no_object_weight=0.25)(self.layer(False, [[0, 2, 0]]))
        assert loss.item() == pytest.approx(expected, rel=1e-5)

    def test_cells_without_an_object_have_no_loss(self) -> None:
        # The object has class 1, which each cell has a logit of 1 for, and 0 for the other three.
        right = math.log(math.e + 3) - 1
        wrong = math.log(math.e + 3)
        term = PixelClassTerm(CE)
        assert term(self.layer(True, [])).item() == pytest.approx((8 * right + 16 * wrong) / 24)
        assert term(self.layer(False, [])).item() == pytest.approx(right)

    def test_classes_by_frame_go_by_boxes(self) -> None:
        masks = torch.zeros(1, T, *SIZE, dtype=torch.bool)
        targets = replace(
            targets_of([1], masks),
            boxes=torch.tensor([[[0.25, 0.25, 0.5, 0.5]] * T]),
            valid=torch.ones(1, T, dtype=torch.bool),
            complete=False,
        )
        places = [[0.25, 0.25, 0.5, 0.5], [0.9, 0.9, 0.1, 0.1], [0.5, 0.5, 0.5, 0.5]]
        layer = MatchedLayer(
            SequencePredictions(
                TestSequenceClassTerm.probabilities.log()[:, None].expand(-1, T, -1, -1),
                boxes=torch.tensor(places)[None, None].expand(-1, T, -1, -1),
            ),
            [targets],
            torch.tensor([[0, 0, 0]]),
            torch.tensor(float(T)),
        )
        assert layer.unknown.tolist() == [[False, True, False]]
        expected = -(math.log(0.2) + 0.25 * math.log(0.4)) / 1.25
        loss = FrameClassTerm(CE, no_object_weight=0.25)(layer)
        assert loss.item() == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize("complete", [True, False])
    def test_quality_is_the_overlap(self, complete: bool) -> None:
        logits, ious = torch.tensor([0.2, -0.3, 0.9]), torch.tensor([4 / 12, 1 / 8, 0.0])
        each = F.binary_cross_entropy_with_logits(logits, ious, reduction="none")
        loss = SequenceQualityTerm(BCE)(self.layer(complete, [[0, 0, 0]]))
        torch.testing.assert_close(loss, each.mean() if complete else each[:2].mean())


class TestMaskTerms:
    matches = ((0, 1, 1), (0, 2, 0), (1, 0, 0))

    @pytest.fixture
    def targets(self) -> list[SequenceTargets]:
        targets = [targets_of([0, 2]), targets_of([1])]
        targets[0].masks[1, 1] = False  # absent in frame 1
        targets[0].valid[1, 1] = False
        return targets

    def volumes(self, masks: Tensor, targets: list[SequenceTargets]) -> tuple[Tensor, Tensor]:
        """Logits and true cells (M, T*h*w) in the order of the matches."""
        logits = torch.stack([masks[clip, query] for clip, query, _ in self.matches])
        cells = torch.stack([targets[clip].masks[true] for clip, _, true in self.matches])
        return logits.flatten(1), cells[..., ::4, ::4].float().flatten(1)

    def test_pixels_by_pytorchs_bce_with_absent_frames_as_empty(self, targets: list) -> None:
        masks = torch.randn(2, 3, T, *CELLS)
        layer = layer_of(targets, list(map(list, self.matches)), masks)
        expected = F.binary_cross_entropy_with_logits(*self.volumes(masks, targets))
        torch.testing.assert_close(SequencePixelTerm(BCE)(layer), expected)

    def test_regions_by_dice_with_absent_frames_as_empty(self, targets: list) -> None:
        masks = torch.randn(2, 3, T, *CELLS)
        layer = layer_of(targets, list(map(list, self.matches)), masks)
        logits, true = self.volumes(masks, targets)
        found = logits.sigmoid()
        dice = (2 * (found * true).sum(1) + 1) / (found.sum(1) + true.sum(1) + 1)
        torch.testing.assert_close(SequenceRegionTerm(DICE)(layer), (1 - dice).mean())

    @pytest.mark.parametrize("num_points", [None, 50])
    def test_true_cells_are_shares(self, num_points: int | None) -> None:
        """A true mask of the left half of each cell."""
        mask = torch.zeros(1, T, *SIZE, dtype=torch.bool)
        mask.unflatten(-1, (6, 4))[..., :2] = True
        term = SequencePixelTerm(RECORDED, num_points)
        term(layer_of([targets_of([0], mask)], [[0, 0, 0]]))
        if num_points is None:
            assert (term.loss.target == 0.5).all()
        else:
            assert term.loss.target.mean().item() == pytest.approx(0.5, abs=0.2)

    @pytest.mark.parametrize(("term", "loss"), TERMS)
    @pytest.mark.parametrize("num_points", [None, 50])
    def test_sums_are_divided_by_the_normalizer(
        self, term: type, loss: dict, num_points: int | None
    ) -> None:
        """Frames (of all ranks, on average) by frames of a clip are sequences."""
        targets, masks = [targets_of([0, 1])], torch.randn(1, 3, T, *CELLS)
        losses = []
        for normalizer in (2 * T, 6 * T):
            torch.manual_seed(3)
            matches = [[0, 0, 0], [0, 1, 1]]
            layer = layer_of(targets, matches, masks, normalizer=normalizer)
            losses.append(term(loss, num_points)(layer).item())
        assert losses[0] == pytest.approx(3 * losses[1], rel=1e-5)

    def test_points_come_near_all_cells(self) -> None:
        """Smooth masks, at whose edge the cells are as sure as the points."""
        ramp = torch.linspace(-3, 3, 60).expand(1, 3, T, 40, 60).contiguous()
        targets = [targets_of([0], (enlarged(ramp[0, :1]) > 0))]
        layer = layer_of(targets, [[0, 0, 0]], ramp)
        for term, loss in TERMS:
            expected = term(loss)(layer).item()
            random = term(loss, num_points=4000, importance_ratio=0.0)(layer).item()
            assert random == pytest.approx(expected, rel=0.05)
            important = term(loss, num_points=4000, importance_ratio=0.75)(layer).item()
            assert important > 1.2 * expected

    def test_terms_share_their_points(self) -> None:
        layer = layer_of([targets_of([0, 1])], [[0, 0, 0], [0, 2, 1]])
        pixel = SequencePixelTerm(RECORDED, num_points=20)
        region = SequenceRegionTerm(RECORDED, num_points=20)
        other = SequenceRegionTerm(RECORDED, num_points=20, oversample_ratio=2.0)
        for term in (pixel, region, other):
            term(layer)
            assert term.loss.pred.shape == term.loss.target.shape == (2, T * 20)
        assert torch.equal(pixel.loss.pred, region.loss.pred)
        assert torch.equal(pixel.loss.target, region.loss.target)
        assert not torch.equal(pixel.loss.pred, other.loss.pred)

    def test_predicted_and_true_masks_are_read_at_the_same_points(self) -> None:
        cells = torch.rand(1, T, *CELLS) < 0.5
        targets = [targets_of([0], enlarged(cells))]
        masks = (2 * cells.float() - 1).repeat(3, 1, 1, 1)[None]
        term = SequencePixelTerm(RECORDED, num_points=200, importance_ratio=0.0)
        term(layer_of(targets, [[0, 1, 0]], masks))
        sure = term.loss.pred.abs() > 0.6
        assert sure.sum() > 50
        inside = term.loss.target > 0.5
        assert ((term.loss.pred > 0) == inside)[sure].float().mean() > 0.98

    def test_important_points_are_the_uncertain_ones(self) -> None:
        masks = torch.full((1, 3, T, *CELLS), 8.0)
        masks[..., 3:] = -8.0  # unsure in a strip between two columns
        layer = layer_of([targets_of([0])], [[0, 0, 0]], masks)

        def unsure(ratio: float) -> float:
            term = SequencePixelTerm(
                RECORDED, num_points=300, oversample_ratio=4.0, importance_ratio=ratio
            )
            term(layer)
            return (term.loss.pred.abs() < 5).float().mean().item()

        random, important, half = unsure(0.0), unsure(1.0), unsure(0.5)
        assert random < 0.25
        assert important > 2.5 * random
        assert half == pytest.approx((random + important) / 2, abs=0.1)

    def test_points_in_bfloat16_are_as_fine_as_in_float32(self) -> None:
        """Masks that change from column to column only: with 8 bits, points share 256 values."""
        masks = torch.randn(1, 3, T, 1, 6).expand(1, 3, T, *CELLS).bfloat16()
        layer = layer_of([targets_of([0])], [[0, 0, 0]], masks)
        term = SequencePixelTerm(RECORDED, num_points=2000, importance_ratio=0.0)
        with torch.autocast("cpu", torch.bfloat16):
            term(layer)
        assert len(term.loss.pred.unique()) > 1000 * T

    @pytest.mark.parametrize(("term", "loss"), TERMS)
    @pytest.mark.parametrize("num_points", [None, 50])
    def test_without_true_sequences_the_loss_is_zero_with_a_gradient(
        self, term: type, loss: dict, num_points: int | None
    ) -> None:
        masks = torch.randn(2, 3, T, *CELLS, requires_grad=True)
        layer = layer_of([targets_of([]), targets_of([])], [], masks)
        value = term(loss, num_points)(layer)
        assert value.item() == 0
        value.backward()
        assert masks.grad is not None
        assert not masks.grad.any()


class TestPixelClassTerm:
    def test_class_of_a_cell_is_that_of_the_largest_share(self) -> None:
        masks = torch.zeros(2, T, 4, 8, dtype=torch.bool)  # two cells of 4x4 pixels
        masks[0, :, :, 0:3] = True  # 3/4 of cell 0 in class 2
        masks[1, :, :, 5:8] = True  # 3/4 of cell 1 in class 0 in frame 0, 1/4 in frame 1
        masks[1, 1, :, 5:7] = False
        pixel_logits = torch.randn(1, T, K + 1, 1, 2)
        layer = layer_of(
            [targets_of([2, 0], masks)], [[0, 0, 0], [0, 1, 1]], pixel_logits=(pixel_logits,)
        )
        log_p = pixel_logits[0].log_softmax(1)[:, :, 0]  # T, K+1, cells
        expected = -(log_p[0, 2, 0] + log_p[0, 0, 1] + log_p[1, 2, 0] + log_p[1, 3, 1]) / 4
        torch.testing.assert_close(PixelClassTerm(CE)(layer), expected)

    def test_is_the_mean_of_the_maps(self) -> None:
        maps = (torch.randn(2, T, K + 1, 2, 3), torch.randn(2, T, K + 1, *CELLS))
        targets = [targets_of([1, 1, 0]), targets_of([])]

        def loss(*pixel_logits: Tensor) -> Tensor:
            return PixelClassTerm(CE)(layer_of(targets, [], pixel_logits=pixel_logits))

        torch.testing.assert_close(loss(*maps), (loss(maps[0]) + loss(maps[1])) / 2)

    def test_without_true_sequences_all_is_background(self) -> None:
        maps = torch.randn(1, T, K + 1, *CELLS)
        loss = PixelClassTerm(CE)(layer_of([targets_of([])], [], pixel_logits=(maps,)))
        torch.testing.assert_close(loss, -maps.log_softmax(2)[:, :, -1].mean())


def criterion(**terms: dict) -> SequenceSetLoss:
    costs = [dict(type="mmttsrn.SequenceClassCost")]
    matcher = dict(type="mmttsrn.InstanceSequenceMatcher", costs=costs)
    return SequenceSetLoss(matcher, terms)


MASK_TERM = dict(type="mmttsrn.SequencePixelTerm", loss=BCE)
CLASS_TERM = dict(type="mmttsrn.SequenceClassTerm", loss=CE)


@pytest.mark.parametrize(
    ("term", "needs_masks"),
    [
        (CLASS_TERM, False),
        (dict(type="mmttsrn.PixelClassTerm", loss=CE), True),
        (MASK_TERM, True),
    ],
)
def test_true_masks_are_read_for_the_terms_that_use_them(term: dict, needs_masks: bool) -> None:
    assert criterion(loss_x=term).needs_masks == needs_masks


def test_sequences_are_counted_over_all_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ranks, the other one without a true sequence: the mean is half of ours."""
    layer = layer_of([targets_of([0, 1])], [])
    loss = criterion(loss_mask=MASK_TERM)
    alone = loss([layer.predictions], layer.targets)["loss_mask"]
    monkeypatch.setattr(sequence_set_loss, "all_reduce", lambda frames, op: frames.div_(2))
    torch.testing.assert_close(loss([layer.predictions], layer.targets)["loss_mask"], 2 * alone)


class TestSeedTerm:
    def layer(self, cells: Tensor, logits: Tensor) -> MatchedLayer:
        """A frame with the objects of these cells (n, h, w)."""
        masks = enlarged(cells[:, None])
        boxes = torch.tensor([1 / 3, 1 / 2, 1 / 3, 1 / 2]).expand(len(cells), 1, 4)
        targets = replace(targets_of([0] * len(cells), masks), boxes=boxes)
        return layer_of([targets], [], seed_logits=logits[None])

    def cells(self) -> Tensor:
        cells = torch.zeros(1, *CELLS, dtype=torch.bool)
        cells[0, 1:3, 1:4] = True  # its middle is between rows 1 and 2, in column 2
        return cells

    def test_the_middle_of_an_object_is_the_target(self) -> None:
        term = SeedTerm(RECORDED)
        term(self.layer(self.cells(), torch.zeros(CELLS)))
        targets = term.loss.target.view(CELLS)
        assert targets.max() == targets[1, 2] == targets[2, 2] == 1
        assert 0 < targets[1, 1] == targets[2, 3] < 1
        assert not targets[~self.cells()[0]].any()

    def test_right_cells_have_no_loss(self) -> None:
        middle = torch.zeros(CELLS, dtype=torch.bool)
        middle[1:3, 2] = True
        right = torch.where(middle, 12.0, -12.0)
        losses = [
            SeedTerm(BCE)(self.layer(self.cells(), logits)).item() for logits in (right, -right)
        ]
        assert losses[0] < 0.05 * losses[1]

    def test_cells_without_annotated_object_have_no_loss_in_incomplete_frames(self) -> None:
        inside = self.cells()[0]
        layer = self.layer(self.cells(), torch.zeros(CELLS))
        incomplete = replace(layer, targets=[replace(layer.targets[0], complete=False)])
        changed = self.layer(self.cells(), torch.where(inside, 0.0, 9.0))
        changed = replace(changed, targets=incomplete.targets)
        assert SeedTerm(BCE)(incomplete).item() == SeedTerm(BCE)(changed).item() > 0

    def test_a_frame_without_objects_has_a_loss(self) -> None:
        layer = self.layer(self.cells()[:0], torch.zeros(CELLS))
        assert SeedTerm(BCE)(layer).item() == pytest.approx(24 * 0.25 * math.log(2), rel=1e-5)
