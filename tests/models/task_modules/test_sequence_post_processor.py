from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from golden import load_arrays, load_json

from mmttsrn.evaluation.metrics import YouTubeVISMetric
from mmttsrn.models import SequencePostProcessor
from mmttsrn.models.task_modules.sequence_post_processor import resize_mask_logits
from mmttsrn.structures import InstanceSequences, SequenceResults

CASES = load_json("postprocess/expected.json")


def sequences_of(
    logits: torch.Tensor, masks: torch.Tensor | None = None, covered: torch.Tensor | None = None
) -> InstanceSequences:
    """Sequences from logits (S, T, K+1), with boxes of the whole frame."""
    boxes = torch.tensor([0.5, 0.5, 1.0, 1.0]).expand(*logits.shape[:2], 4)
    if covered is None:
        covered = torch.ones(logits.shape[:2], dtype=torch.bool)
    return InstanceSequences(logits, boxes, masks, covered)


def youtube_vis_results(results: SequenceResults, video_id: int) -> list[dict]:
    """What the metric writes for a video."""
    frames = [
        {
            "video_id": video_id,
            "frame_id": t,
            "pred_track_instances": {
                "instances_id": torch.arange(len(results.scores)),
                "labels": results.labels,
                "scores": results.scores,
                "frame_scores": results.frame_scores[:, t],
                "masks": results.masks[:, t],
            },
        }
        for t in range(results.frame_scores.shape[1])
    ]
    metric = YouTubeVISMetric()
    metric.process(None, [{"video_data_samples": [as_sample(frame) for frame in frames]}])
    (entry,) = metric.results
    return [
        {
            "video_id": entry["video_id"],
            "category_id": instance["label"],
            "score": instance["score"],
            "segmentations": instance["segmentations"],
        }
        for instance in entry["instances"]
    ]


def as_sample(frame: dict) -> SimpleNamespace:
    """A frame as the metric reads it."""
    frame["pred_track_instances"] = SimpleNamespace(**frame["pred_track_instances"])
    sample = SimpleNamespace(**frame)
    sample.get = frame.get
    return sample


@pytest.mark.parametrize("name", CASES)
def test_results_equal_the_reference(name: str) -> None:
    case, arrays = CASES[name], load_arrays("postprocess/inputs.npz")
    shape = (case["num_frames"], case["num_instances"])
    logits, boxes, masks = (arrays[k].unflatten(0, shape) for k in ("logits", "boxes", "masks"))
    sequences = InstanceSequences.from_clip(logits, boxes, masks.transpose(0, 1))
    results = SequencePostProcessor()(
        sequences.frames(0, case["video_length"]),
        padded_size=(96, 160),
        frame_size=(96, 160),
        original_size=tuple(case["original_size"]),
    )
    entries = youtube_vis_results(results, case["video_id"])
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
    expected = SequencePostProcessor()(sequences, *sizes)
    results = SequencePostProcessor(max_pixels=1)(sequences, *sizes)
    assert expected.masks is not None
    assert expected.masks.any()
    assert torch.equal(results.masks, expected.masks)


def test_frames_that_no_clip_predicts_have_no_score_no_vote_and_no_mask() -> None:
    logits = torch.zeros(1, 3, 4)
    logits[0, :, 0] = 5.0  # class 0 in the two frames without prediction
    logits[0, 2] = torch.tensor([0.0, 3.0, 0.0, 0.0])
    covered = torch.tensor([[False, False, True]])
    results = SequencePostProcessor()(
        sequences_of(logits, torch.ones(1, 3, 2, 2), covered), (8, 8), (8, 8), (8, 8)
    )
    score = logits[0, 2].softmax(-1)[1]
    torch.testing.assert_close(results.frame_scores, torch.tensor([[0.0, 0.0, score]]))
    torch.testing.assert_close(results.scores, score[None] / 3)
    assert results.labels.tolist() == [1]
    assert results.masks.flatten(2).any(-1).tolist() == [[False, False, True]]


def test_box_only_sequences_are_all_kept() -> None:
    results = SequencePostProcessor()(
        sequences_of(torch.randn(5, 2, 4)), (64, 96), (60, 90), (120, 180)
    )
    assert results.masks is None
    assert results.boxes.shape == (5, 2, 4)
    assert torch.equal(results.boxes[0, 0], torch.tensor([0.0, 0.0, 180.0, 120.0]))


def test_boxes_are_clipped_corners_in_original_pixels() -> None:
    sequences = InstanceSequences(
        torch.zeros(1, 1, 3),
        torch.tensor([[[0.25, 0.5, 0.6, 0.5]]]),
        None,
        torch.ones(1, 1, dtype=torch.bool),
    )
    results = SequencePostProcessor()(sequences, (64, 96), (64, 96), (100, 200))
    torch.testing.assert_close(results.boxes[0, 0], torch.tensor([0.0, 25.0, 110.0, 75.0]))


def test_no_sequence_with_a_pixel_gives_empty_results() -> None:
    sequences = sequences_of(torch.randn(3, 2, 4), torch.full((3, 2, 4, 4), -1.0))
    results = SequencePostProcessor()(sequences, (16, 16), (16, 16), (20, 30))
    assert results.scores.shape == results.labels.shape == (0,)
    assert results.frame_scores.shape == (0, 2)
    assert results.boxes.shape == (0, 2, 4)
    assert results.masks.shape == (0, 2, 20, 30)


def test_mask_threshold_is_a_probability() -> None:
    masks = torch.tensor([[[[-1.0, 0.5], [1.0, 3.0]]]])
    sequences = sequences_of(torch.zeros(1, 1, 2), masks)
    for threshold in (0.3, 0.7):
        results = SequencePostProcessor(mask_thr=threshold)(sequences, (2, 2), (2, 2), (2, 2))
        assert torch.equal(results.masks, masks.sigmoid() > threshold)


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.1])
def test_mask_threshold_must_be_a_probability(threshold: float) -> None:
    with pytest.raises(ValueError, match="must be between 0 and 1"):
        SequencePostProcessor(mask_thr=threshold)


@pytest.mark.parametrize("out_size", [(32, 48), (100, 75), (7, 9)])
def test_resize_reads_the_unpadded_part_only(out_size: tuple[int, int]) -> None:
    logits = torch.randn(2, 3, 12, 16)
    part = F.interpolate(logits[..., :8, :12], size=out_size, mode="bilinear", align_corners=False)
    resized = resize_mask_logits(logits, (48, 64), (32, 48), out_size)
    # The outermost half cell is interpolated with its padded neighbour instead of repeated.
    rows = int(out_size[0] * (1 - 0.5 / 8))
    columns = int(out_size[1] * (1 - 0.5 / 12))
    torch.testing.assert_close(
        resized[..., :rows, :columns], part[..., :rows, :columns], rtol=0, atol=1e-4
    )


def test_resize_without_padding_is_one_interpolation() -> None:
    logits = torch.randn(2, 3, 6, 8)
    expected = F.interpolate(logits, size=(50, 40), mode="bilinear", align_corners=False)
    torch.testing.assert_close(
        resize_mask_logits(logits, (24, 32), (24, 32), (50, 40)), expected, rtol=0, atol=1e-5
    )


def test_frame_and_padded_size_agree_on_a_part_that_is_all() -> None:
    """The two ways of resizing meet where the padding is one millionth of the frame."""
    logits = torch.randn(1, 2, 6, 8)
    almost = resize_mask_logits(logits, (1_000_001, 1_000_001), (1_000_000, 1_000_000), (24, 32))
    expected = resize_mask_logits(logits, (24, 32), (24, 32), (24, 32))
    torch.testing.assert_close(almost, expected, rtol=0, atol=1e-3)
