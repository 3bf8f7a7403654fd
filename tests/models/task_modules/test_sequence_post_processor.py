from typing import Any

import pytest
import torch
import torch.nn.functional as F
from golden import load_arrays, load_json

from mmttsrn.models import SequencePostProcessor
from mmttsrn.models.task_modules.mask_encoding import resize_mask_logits
from mmttsrn.structures import FinishedFrames, FrameSizes, InstanceSequences, SequenceResults

CASES = load_json("postprocess/expected.json")


def sequences_of(
    logits: torch.Tensor, masks: torch.Tensor | None = None, covered: torch.Tensor | None = None
) -> InstanceSequences:
    """Sequences from logits (S, T, K+1), with boxes of the whole frame."""
    boxes = torch.tensor([0.5, 0.5, 1.0, 1.0]).expand(*logits.shape[:2], 4)
    if covered is None:
        covered = torch.ones(logits.shape[:2], dtype=torch.bool)
    return InstanceSequences(logits, boxes, masks, covered)


def finish(
    sequences: InstanceSequences,
    padded: tuple[int, int],
    unpadded: tuple[int, int],
    original: tuple[int, int],
    split_at: int | None = None,
    **settings: Any,
) -> SequenceResults:
    """Post-process a video that is finished at once, or in two parts."""
    ids, num_frames = torch.arange(len(sequences)), sequences.covered.shape[1]
    parts = [FinishedFrames(ids, sequences)]
    if split_at is not None:
        spans = ((0, split_at), (split_at, num_frames))
        parts = [FinishedFrames(ids, sequences.frames(*span)) for span in spans]
    processor = SequencePostProcessor(**settings)
    return processor(iter(parts), FrameSizes(padded, unpadded, original))


def all_masks(results: SequenceResults) -> torch.Tensor:
    """Decoded masks (n, T, H, W)."""
    frames = [torch.from_numpy(results.frame_masks(t)) for t in range(results.num_frames)]
    return torch.stack(frames, 1)


@pytest.mark.parametrize("split_at", [None, 1])
@pytest.mark.parametrize("name", CASES)
def test_results_equal_the_reference(name: str, split_at: int | None) -> None:
    case, arrays = CASES[name], load_arrays("postprocess/inputs.npz")
    shape = (case["num_frames"], case["num_instances"])
    logits, boxes, masks = (arrays[k].unflatten(0, shape) for k in ("logits", "boxes", "masks"))
    sequences = InstanceSequences.from_clip(logits, boxes, masks.transpose(0, 1))
    sizes = ((96, 160), (96, 160), tuple(case["original_size"]))
    results = finish(sequences.frames(0, case["video_length"]), *sizes, split_at=split_at)
    entries = [
        {
            "video_id": case["video_id"],
            "category_id": label,
            "score": score,
            "segmentations": results.segmentations(index),
        }
        for index, (label, score) in enumerate(
            zip(results.labels.tolist(), results.scores.tolist(), strict=True)
        )
    ]
    assert len(entries) == len(case["results"])
    for entry, expected in zip(entries, case["results"], strict=True):
        assert entry["score"] == pytest.approx(expected["score"], abs=1e-5, rel=0)
        assert {**entry, "score": 0} == {**expected, "score": 0}


def test_chunks_do_not_change_results() -> None:
    arrays = load_arrays("postprocess/inputs.npz")
    sequences = InstanceSequences.from_clip(
        *(arrays[k].unflatten(0, (4, 10)) for k in ("logits", "boxes")),
        arrays["masks"].unflatten(0, (4, 10)).transpose(0, 1),
    )
    sizes = ((96, 160), (90, 150), (45, 75))
    expected = finish(sequences, *sizes)
    assert any(any(texts) for texts in expected.counts)
    assert finish(sequences, *sizes, max_pixels=1).counts == expected.counts


def test_frames_that_no_clip_predicts_have_no_score_no_vote_and_no_mask() -> None:
    logits = torch.zeros(1, 3, 4)
    logits[0, :, 0] = 5.0  # class 0 in the two frames without prediction
    logits[0, 2] = torch.tensor([0.0, 3.0, 0.0, 0.0])
    covered = torch.tensor([[False, False, True]])
    sequences = sequences_of(logits, torch.ones(1, 3, 2, 2), covered)
    results = finish(sequences, (8, 8), (8, 8), (8, 8))
    score = logits[0, 2].softmax(-1)[1]
    torch.testing.assert_close(results.frame_scores, torch.tensor([[0.0, 0.0, score]]))
    torch.testing.assert_close(results.scores, score[None] / 3)
    assert results.labels.tolist() == [1]
    assert results.visible.tolist() == [[False, False, True]]
    assert all_masks(results).flatten(2).any(-1).tolist() == [[False, False, True]]


def test_a_low_frame_score_hides_the_frame_but_counts() -> None:
    logits = torch.zeros(1, 2, 3)
    logits[0, 0, 0] = 9.0  # sure of class 0
    logits[0, 1, 2] = 9.0  # sure of no object
    sequences = sequences_of(logits, torch.ones(1, 2, 2, 2))
    results = finish(sequences, (8, 8), (8, 8), (8, 8), null_frame_score=0.01)
    assert results.visible.tolist() == [[True, False]]
    assert results.segmentations(0)[1] is None
    probabilities = logits.softmax(-1)[0, :, :2].amax(-1)
    torch.testing.assert_close(results.scores, probabilities.mean()[None])
    shown = finish(sequences, (8, 8), (8, 8), (8, 8), null_frame_score=0.0)
    assert shown.visible.all()
    assert all_masks(shown).all()


def test_a_frame_score_at_the_threshold_is_shown() -> None:
    sequences = sequences_of(torch.zeros(1, 1, 2), torch.ones(1, 1, 2, 2))  # a score of 0.5
    results = finish(sequences, (8, 8), (8, 8), (8, 8), null_frame_score=0.5)
    assert results.visible.tolist() == [[True]]
    assert results.segmentations(0)[0] is not None


def test_a_sequence_with_pixels_in_hidden_frames_only_is_kept() -> None:
    logits = torch.zeros(2, 1, 2)
    logits[..., 1] = 9.0
    masks = torch.stack([torch.ones(1, 2, 2), -torch.ones(1, 2, 2)])
    results = finish(sequences_of(logits, masks), (8, 8), (8, 8), (8, 8), null_frame_score=0.5)
    assert len(results) == 1
    assert results.counts == [[None]]


def test_sequences_that_come_and_go_between_parts() -> None:
    """Sequence 1 starts in the second part, where sequence 0 has ended."""
    logits = torch.zeros(1, 2, 3)
    logits[..., 1] = 2.0
    ones = sequences_of(logits, torch.ones(1, 2, 2, 2))
    parts = [FinishedFrames(torch.tensor([i]), ones) for i in range(2)]
    results = SequencePostProcessor()(parts, FrameSizes((8, 8), (8, 8), (8, 8)))
    assert results.visible.tolist() == [[True, True, False, False], [False, False, True, True]]
    expected = logits.softmax(-1)[0, 0, 1] / 2
    torch.testing.assert_close(results.scores, expected.expand(2))
    assert results.labels.tolist() == [1, 1]
    assert all_masks(results).flatten(2).any(-1).tolist() == results.visible.tolist()
    assert not results.boxes[~results.visible].any()


def test_boxes_of_a_decoder_without_boxes_are_those_of_the_masks() -> None:
    masks = torch.full((1, 2, 8, 8), -1.0)
    masks[0, 0, 2:5, 1:7] = 1.0
    sequences = InstanceSequences.from_clip(torch.zeros(2, 1, 3), None, masks)
    results = finish(sequences, (8, 8), (8, 8), (8, 8))
    assert results.boxes.tolist() == [[[1.0, 2.0, 7.0, 5.0], [0.0] * 4]]


def test_box_only_sequences_are_all_kept() -> None:
    results = finish(sequences_of(torch.randn(5, 2, 4)), (64, 96), (60, 90), (120, 180))
    assert results.counts is results.frame_masks(0) is None
    with pytest.raises(ValueError, match="boxes only"):
        results.segmentations(0)
    assert results.boxes.shape == (5, 2, 4)
    assert torch.equal(results.boxes[0, 0], torch.tensor([0.0, 0.0, 180.0, 120.0]))


def test_boxes_are_clipped_corners_in_original_pixels() -> None:
    sequences = InstanceSequences(
        torch.zeros(1, 1, 3),
        torch.tensor([[[0.25, 0.5, 0.6, 0.5]]]),
        None,
        torch.ones(1, 1, dtype=torch.bool),
    )
    results = finish(sequences, (64, 96), (64, 96), (100, 200))
    torch.testing.assert_close(results.boxes[0, 0], torch.tensor([0.0, 25.0, 110.0, 75.0]))


def test_no_sequence_with_a_pixel_gives_empty_results() -> None:
    sequences = sequences_of(torch.randn(3, 2, 4), torch.full((3, 2, 4, 4), -1.0))
    results = finish(sequences, (16, 16), (16, 16), (20, 30))
    assert results.scores.shape == results.labels.shape == (0,)
    assert results.frame_scores.shape == (0, 2)
    assert results.boxes.shape == (0, 2, 4)
    assert results.counts == []
    assert results.frame_masks(1).shape == (0, 20, 30)


def test_mask_threshold_is_a_probability() -> None:
    masks = torch.tensor([[[[-1.0, 0.5], [1.0, 3.0]]]])
    sequences = sequences_of(torch.zeros(1, 1, 2), masks)
    for threshold in (0.3, 0.7):
        results = finish(sequences, (2, 2), (2, 2), (2, 2), mask_thr=threshold)
        assert torch.equal(all_masks(results), masks.sigmoid() > threshold)


@pytest.mark.parametrize("out_size", [(32, 48), (100, 75), (7, 9)])
def test_resize_reads_the_unpadded_part_only(out_size: tuple[int, int]) -> None:
    logits = torch.randn(2, 3, 12, 16)
    part = F.interpolate(logits[..., :8, :12], size=out_size, mode="bilinear", align_corners=False)
    resized = resize_mask_logits(logits, FrameSizes((48, 64), (32, 48), out_size))
    # The outermost half cell is interpolated with its padded neighbour instead of repeated.
    rows = int(out_size[0] * (1 - 0.5 / 8))
    columns = int(out_size[1] * (1 - 0.5 / 12))
    torch.testing.assert_close(
        resized[..., :rows, :columns], part[..., :rows, :columns], rtol=0, atol=1e-4
    )


def test_frame_and_padded_size_agree_on_a_part_that_is_all() -> None:
    """The two ways of resizing meet where the padding is one millionth of the frame."""
    logits = torch.randn(1, 2, 6, 8)
    million = FrameSizes((1_000_001, 1_000_001), (1_000_000, 1_000_000), (24, 32))
    almost = resize_mask_logits(logits, million)
    expected = resize_mask_logits(logits, FrameSizes((24, 32), (24, 32), (24, 32)))
    torch.testing.assert_close(almost, expected, rtol=0, atol=1e-3)
