from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.models.task_modules import InstanceQueryPostProcessor
from mmttsrn.structures import FinishedFrames, FrameSizes, InstanceSequences, SequenceResults

SIZE = (8, 8)
SIZES = FrameSizes(SIZE, SIZE, SIZE)


def sequences_of(
    probabilities: list, masks: Tensor, covered: Tensor | None = None
) -> InstanceSequences:
    """Sequences from class probabilities (S, K+1), or (S, T, K+1), and logits (S, T, h, w)."""
    logits = torch.tensor(probabilities).log()
    if logits.dim() == 2:
        logits = logits[:, None].expand(-1, masks.shape[1], -1)
    if covered is None:
        covered = torch.ones(masks.shape[:2], dtype=torch.bool)
    return InstanceSequences(logits, None, masks, covered)


def box_masks(*boxes: tuple[int, int, int, int], num_frames: int = 1, logit: float = 9) -> Tensor:
    """Mask logits (S, T, 8, 8) of boxes (x1, y1, x2, y2)."""
    masks = torch.full((len(boxes), num_frames, *SIZE), -9.0)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[:, y1:y2, x1:x2] = logit
    return masks


def finish(
    sequences: InstanceSequences, sizes: FrameSizes = SIZES, split_at: int = 0, **settings: Any
) -> SequenceResults:
    """Post-process a video that is finished at once, or in two parts."""
    ids, num_frames = torch.arange(len(sequences)), sequences.covered.shape[1]
    spans = [(0, num_frames)] if not split_at else [(0, split_at), (split_at, num_frames)]
    parts = (FinishedFrames(ids, sequences.frames(*span)) for span in spans)
    return InstanceQueryPostProcessor(**settings)(parts, sizes)


def assert_same(results: SequenceResults, expected: SequenceResults) -> None:
    for field in ("scores", "labels", "frame_scores", "visible", "boxes"):
        torch.testing.assert_close(getattr(results, field), getattr(expected, field))
    assert results.counts == expected.counts


def areas(results: SequenceResults) -> list[list[int]]:
    """Mask pixels of each sequence in each frame."""
    frames = [results.frame_masks(t) for t in range(results.num_frames)]
    return torch.stack([torch.from_numpy(f).sum((1, 2)) for f in frames], 1).tolist()


@pytest.mark.parametrize("mask_quality", [True, False])
def test_score_is_class_times_mask_quality_by_hand(mask_quality: bool) -> None:
    masks = torch.full((1, 2, *SIZE), -9.0)
    masks[0, 0, :2, :2] = torch.tensor([[0.6, 0.7], [0.8, 0.9]]).logit()
    masks[0, 1, :1, :2] = torch.tensor([0.75, 0.95]).logit()
    probabilities = [[[0.1, 0.6, 0.3], [0.4, 0.2, 0.4]]]
    results = finish(sequences_of(probabilities, masks), mask_quality=mask_quality)
    quality = (0.6 + 0.7 + 0.8 + 0.9 + 0.75 + 0.95) / 6 if mask_quality else 1
    assert results.labels.tolist() == [1]  # means 0.25 and 0.4
    assert results.scores.tolist() == pytest.approx([0.4 * quality], rel=1e-5)
    assert results.frame_scores[0].tolist() == pytest.approx([0.6, 0.4])
    assert areas(results) == [[4, 2]]


@pytest.mark.parametrize("split_at", [0, 1])
@pytest.mark.parametrize("mask_quality", [True, False])
def test_quality_that_the_model_predicts_takes_the_place(mask_quality: bool, split_at: int) -> None:
    masks = box_masks((0, 0, 4, 4), num_frames=3)
    masks[0, 2] = -9.0  # has no pixel, so no part in either
    quality = torch.tensor([[0.9, 0.5, 0.1]]).logit()
    sequences = sequences_of([[[0.6, 0.4], [0.8, 0.2], [0.2, 0.8]]], masks)
    results = finish(
        replace(sequences, quality=quality), split_at=split_at, mask_quality=mask_quality
    )
    scale = torch.tensor([0.9, 0.5] if mask_quality else [1.0, 1.0])
    assert results.scores.tolist() == pytest.approx([0.7 * float(scale.mean())], rel=1e-5)
    assert results.frame_scores[0, :2].tolist() == pytest.approx(
        (scale * torch.tensor([0.6, 0.8])).tolist()
    )


def test_frames_without_a_pixel_have_no_part_in_the_class() -> None:
    masks = box_masks((0, 0, 4, 4), num_frames=2)
    masks[0, 1] = -9.0
    results = finish(sequences_of([[[0.1, 0.6, 0.3], [0.9, 0.0, 0.1]]], masks))
    assert results.labels.tolist() == [1]
    assert results.scores.tolist() == pytest.approx([0.6], rel=1e-3)
    assert results.visible.tolist() == [[True, False]]
    assert results.frame_scores[0].tolist() == pytest.approx([0.6, 0.0])


def test_best_comes_first() -> None:
    masks = box_masks((0, 0, 3, 3), (4, 0, 8, 4), (0, 4, 8, 8))
    results = finish(sequences_of([[0.3, 0.7], [0.8, 0.2], [0.5, 0.5]], masks))
    assert results.scores.tolist() == pytest.approx([0.8, 0.5, 0.3], rel=1e-3)
    assert areas(results) == [[16], [32], [9]]


def test_of_two_equal_masks_the_lower_is_dropped_and_those_that_touch_are_kept() -> None:
    masks = box_masks((0, 0, 4, 4), (0, 0, 4, 4), (4, 0, 8, 4), (2, 0, 6, 4))
    sequences = sequences_of([[0.3, 0.7], [0.8, 0.2], [0.5, 0.5], [0.4, 0.6]], masks)
    results = finish(sequences, nms_iou=0.5)
    assert results.scores.tolist() == pytest.approx([0.8, 0.5, 0.4], rel=1e-3)
    # The last one shares a third with each of its neighbours.
    assert len(finish(sequences, nms_iou=0.3)) == 2
    assert len(finish(sequences, nms_iou=None)) == 4


def test_what_is_dropped_drops_nothing() -> None:
    """Of three in a row, the second is a duplicate of the first and the third of the second."""
    masks = box_masks((0, 0, 4, 4), (1, 0, 5, 4), (2, 0, 6, 4))  # 3/5, 3/5 and 1/3
    sequences = sequences_of([[0.8, 0.2], [0.7, 0.3], [0.6, 0.4]], masks)
    scores = finish(sequences, nms_iou=0.5).scores
    assert scores.tolist() == pytest.approx([0.8, 0.6], rel=1e-3)


def test_overlap_is_of_the_whole_video() -> None:
    masks = box_masks((0, 0, 4, 4), (0, 0, 4, 4), num_frames=4)
    masks[1, 1:] = masks[1, 1:].flip(-1)  # apart from the second frame on
    sequences = sequences_of([[0.8, 0.2], [0.7, 0.3]], masks)
    assert len(finish(sequences, nms_iou=0.5)) == 2  # 16 of 112
    assert len(finish(sequences, nms_iou=0.14)) == 1
    assert len(finish(sequences, nms_iou=0.14, split_at=1)) == 1


def test_overlaps_are_exact_in_mixed_precision() -> None:
    """An IoU of 1999 / 2000 pixels, which bfloat16 cannot tell from 1."""
    masks = torch.full((2, 1, 40, 50), 9.0)
    masks[1, 0, 0, 0] = -9.0
    sequences = sequences_of([[0.8, 0.2], [0.7, 0.3]], masks)
    sizes = FrameSizes((40, 50), (40, 50), (40, 50))
    with torch.autocast("cpu", torch.bfloat16):
        assert len(finish(sequences, sizes, nms_iou=0.9996)) == 2
        assert len(finish(sequences, sizes, nms_iou=0.9994)) == 1


def test_top_k_gives_several_classes_of_one_sequence() -> None:
    masks = box_masks((0, 0, 4, 4), (4, 4, 8, 6))
    sequences = sequences_of([[0.5, 0.4, 0.05, 0.05], [0.1, 0.15, 0.45, 0.3]], masks)
    results = finish(sequences, top_k=3)
    assert results.scores.tolist() == pytest.approx([0.5, 0.45, 0.4], rel=1e-3)
    assert results.labels.tolist() == [0, 2, 1]
    assert areas(results) == [[16], [8], [16]]
    assert torch.equal(results.boxes[0], results.boxes[2])
    assert len(finish(sequences, top_k=100)) == 6
    assert finish(sequences).labels.tolist() == [0, 2]


@pytest.mark.parametrize("nms_iou", [None, 0.4])
def test_parts_give_the_same_as_the_whole(nms_iou: float | None) -> None:
    masks = 3 * torch.randn(5, 6, *SIZE)
    covered = torch.rand(5, 6) < 0.8
    masks[2], covered[2] = masks[0] + 0.1, covered[0]
    sequences = InstanceSequences(torch.randn(5, 6, 4), None, masks, covered)
    sizes = FrameSizes(SIZE, SIZE, (20, 30))
    expected = finish(sequences, sizes, nms_iou=nms_iou)
    assert len(expected) == (5 if nms_iou is None else 4)
    for split_at in (1, 4):
        assert_same(finish(sequences, sizes, split_at, nms_iou=nms_iou), expected)
    assert_same(finish(sequences, sizes, nms_iou=nms_iou, max_pixels=1), expected)


def test_sequences_that_come_and_go_between_parts() -> None:
    """Sequence 2 starts in the second part, where sequence 0 has ended."""
    masks = box_masks((0, 0, 4, 4), (4, 0, 8, 4), (0, 4, 8, 8), num_frames=4)
    probabilities = [[0.8, 0.2], [0.7, 0.3], [0.6, 0.4]]
    covered = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 1, 1]]).bool()
    whole = sequences_of(probabilities, masks, covered)
    parts = [
        FinishedFrames(ids, whole.frames(*span).select(ids))
        for ids, span in ((torch.tensor([0, 1]), (0, 2)), (torch.tensor([1, 2]), (2, 4)))
    ]
    results = InstanceQueryPostProcessor(nms_iou=0.5)(parts, SIZES)
    assert results.visible.tolist() == covered.tolist()
    assert areas(results) == [[16, 16, 0, 0], [16] * 4, [0, 0, 32, 32]]
    assert_same(results, finish(whole, nms_iou=0.5))


def test_hidden_frames_have_no_mask() -> None:
    masks = box_masks((0, 0, 4, 4), num_frames=3)
    covered = torch.tensor([[True, True, False]])
    sequences = sequences_of([[[0.6, 0.4], [0.2, 0.8], [0.9, 0.1]]], masks, covered)
    results = finish(sequences, null_frame_score=0.3)
    assert results.visible.tolist() == [[True, False, False]]
    assert results.counts[0][1:] == [None, None]
    assert results.frame_scores[0].tolist() == pytest.approx([0.6, 0.0, 0.0])
    assert not results.boxes[0, 1:].any()
    assert results.scores.tolist() == pytest.approx([0.4], rel=1e-3)  # mean of the two frames
    assert len(finish(sequences, null_frame_score=0.7)) == 0


def test_nothing_found_gives_empty_results() -> None:
    sequences = sequences_of([[0.5, 0.3, 0.2]] * 3, torch.full((3, 2, *SIZE), -1.0))
    for settings in ({}, {"top_k": 5}, {"nms_iou": 0.5}):
        results = finish(sequences, FrameSizes(SIZE, SIZE, (20, 30)), **settings)
        assert results.scores.shape == results.labels.shape == (0,)
        assert results.labels.dtype == torch.int64
        assert results.frame_scores.shape == results.visible.shape == (0, 2)
        assert results.boxes.shape == (0, 2, 4)
        assert results.counts == []
        assert results.frame_masks(1).shape == (0, 20, 30)


def test_boxes_are_those_of_the_masks_at_the_original_size() -> None:
    masks = box_masks((1, 2, 7, 5), num_frames=2)
    masks[0, 1] = -9.0
    results = finish(sequences_of([[0.6, 0.4]], masks), FrameSizes(SIZE, SIZE, (16, 32)))
    assert results.boxes.tolist() == [[[4.0, 4.0, 28.0, 10.0], [0.0] * 4]]
    assert results.size == (16, 32)


@pytest.mark.parametrize("mask_thr", [0.3, 0.7])
def test_mask_threshold_says_which_pixels_count(mask_thr: float) -> None:
    masks = torch.full((1, 1, *SIZE), -9.0)
    masks[0, 0, 0, :4] = torch.tensor([0.4, 0.6, 0.8, 0.2]).logit()
    results = finish(sequences_of([[0.5, 0.5]], masks), mask_thr=mask_thr)
    pixels = [p for p in (0.4, 0.6, 0.8, 0.2) if p > mask_thr]
    assert areas(results) == [[len(pixels)]]
    assert results.scores.tolist() == pytest.approx([0.5 * sum(pixels) / len(pixels)], rel=1e-5)


def test_padding_does_not_count() -> None:
    masks = box_masks((0, 0, 4, 4), (0, 0, 4, 4), logit=2.0)
    expected = finish(sequences_of([[0.8, 0.2], [0.7, 0.3]], masks), nms_iou=0.9)
    masks[0, :, :, 6:] = 0.5
    masks[1, :, 6:] = 0.5
    padded = FrameSizes(SIZE, (6, 6), (6, 6))
    results = finish(sequences_of([[0.8, 0.2], [0.7, 0.3]], masks), padded, nms_iou=0.9)
    torch.testing.assert_close(results.scores, expected.scores)
    assert areas(results) == areas(expected) == [[16]]


def test_a_model_without_masks_is_refused() -> None:
    sequences = InstanceSequences(
        torch.zeros(1, 1, 3), torch.zeros(1, 1, 4), None, torch.ones(1, 1, dtype=torch.bool)
    )
    with pytest.raises(UserInputError, match="without masks"):
        finish(sequences)


@pytest.mark.parametrize(
    "settings",
    [{"mask_thr": 1.0}, {"mask_thr": 0.0}, {"nms_iou": 0.0}, {"nms_iou": 1.5}, {"top_k": 0}],
)
def test_settings_out_of_range_are_refused(settings: dict) -> None:
    (name,) = settings
    with pytest.raises(UserInputError, match=f"{name}="):
        InstanceQueryPostProcessor(**settings)
