from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from ttsrn_batches import batch_of, predict, prepared
from vis_samples import clip_sample

from mmttsrn.models import TTSRN
from mmttsrn.models.vis.ttsrn import reflected_indices
from mmttsrn.structures import InstanceSequences

Builder = Callable[..., TTSRN]


@pytest.mark.parametrize(
    ("num_frames", "mixed_precision"),
    [(1, False), (2, False), (3, False), (4, False), (8, False), (8, True)],
)
def test_contract(build_tiny: Builder, num_frames: int, mixed_precision: bool) -> None:
    model = build_tiny()
    batch = batch_of(([], (60, 90)), num_frames=num_frames, original_size=(120, 180))
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed_precision):
        (sample,) = predict(model, batch)
    assert len(sample) == num_frames
    first = sample[0].pred_track_instances
    n = len(first.instances_id)
    assert n > 0
    assert len(set(first.instances_id.tolist())) == n
    for frame in sample:
        tracks = frame.pred_track_instances
        for key in ("instances_id", "labels", "scores"):
            assert torch.equal(tracks[key], first[key]), key
        assert tracks.instances_id.dtype == tracks.labels.dtype == torch.int64
        assert tracks.labels.min() >= 0
        assert tracks.labels.max() < 3
        for key in ("scores", "frame_scores", "bboxes"):
            assert tracks[key].dtype == torch.float32, key
        assert tracks.frame_scores.shape == (n,)
        assert tracks.bboxes.shape == (n, 4)
        assert (tracks.bboxes[:, 2:] >= tracks.bboxes[:, :2]).all()
        assert (tracks.bboxes <= torch.tensor([180.0, 120.0, 180.0, 120.0])).all()
        assert tracks.masks.shape == (n, 120, 180)
        assert tracks.masks.dtype == torch.bool
    mean = torch.stack([f.pred_track_instances.frame_scores for f in sample]).mean(0)
    torch.testing.assert_close(first.scores, mean)


def test_a_video_as_long_as_a_clip_is_one_forward_pass(build_tiny: Builder) -> None:
    model = build_tiny()
    # Beside the first video, a row and a column of cells of the second are padding.
    sizes = [(64, 96), (30, 60)]
    batch = batch_of(*(([], size) for size in sizes), original_size=(90, 140))
    samples = predict(model, batch)
    with torch.no_grad():
        outputs = model(**prepared(model, batch, training=False), mode="tensor")
    for i, (sample, size) in enumerate(zip(samples, sizes, strict=True)):
        sequences = InstanceSequences.from_clip(*(output[i] for output in outputs))
        expected = model.post_processor(sequences, (64, 96), size, (90, 140))
        assert len(expected.scores)
        for t, frame in enumerate(sample):
            tracks = frame.pred_track_instances
            assert torch.equal(tracks.labels, expected.labels)
            for name, values in (
                ("scores", expected.scores),
                ("frame_scores", expected.frame_scores[:, t]),
                ("bboxes", expected.boxes[:, t]),
            ):
                torch.testing.assert_close(tracks[name], values, rtol=1e-5, atol=1e-4)
            assert (tracks.masks != expected.masks[:, t]).float().mean() < 1e-3


def test_a_shorter_video_goes_back_and_forth(build_tiny: Builder) -> None:
    model = build_tiny()
    short = batch_of(([], (64, 96)), num_frames=2)
    long = batch_of(([], (64, 96)))
    long["inputs"] = [short["inputs"][0][[0, 1, 0]]]
    (sample,), (filled,) = predict(model, short), predict(model, long)
    for a, b in zip(sample, filled[:2], strict=True):
        torch.testing.assert_close(
            a.pred_track_instances.frame_scores, b.pred_track_instances.frame_scores
        )
        assert torch.equal(a.pred_track_instances.masks, b.pred_track_instances.masks)


@pytest.mark.parametrize(
    ("start", "length", "num_frames", "expected"),
    [
        (0, 3, 1, [0, 0, 0]),
        (0, 5, 2, [0, 1, 0, 1, 0]),
        (0, 7, 3, [0, 1, 2, 1, 0, 1, 2]),
        (0, 3, 3, [0, 1, 2]),
        (4, 3, 7, [4, 5, 6]),
    ],
)
def test_order_of_frames(start: int, length: int, num_frames: int, expected: list[int]) -> None:
    assert reflected_indices(start, length, num_frames).tolist() == expected


def test_clips_of_a_long_video_overlap(
    build_tiny: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build_tiny(clip_overlap=2)
    seen = []
    forward = model._forward_clips

    def record(clips: Tensor, padding_mask: Tensor):
        seen.append(clips[0, :, 0, 0, 0].tolist())
        return forward(clips, padding_mask)

    monkeypatch.setattr(model, "_forward_clips", record)
    video = torch.arange(6.0).view(1, 6, 1, 1, 1).expand(1, 6, 3, 64, 96)
    model.predict(video, [clip_sample([], 6)])
    assert seen == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]


def test_planted_objects_keep_their_ids_over_a_long_video(
    build_tiny: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that sees two squares, in a random slot in every clip."""
    model = build_tiny(head=dict(num_frames=4), clip_overlap=2)
    squares = {0: (0, 2), 1: (8, 1)}  # object: (left column of the 16x24 masks, class)

    def squares_in(clips: Tensor, padding_mask: Tensor):
        numbers = clips[0, :, 0, 0, 0].round().int().tolist()
        logits, boxes = torch.zeros(1, 4, 4, 4), torch.full((1, 4, 4, 4), 0.5)
        logits[..., -1] = 8.0
        masks = torch.full((1, 4, 4, 16, 24), -5.0)
        slots = torch.randperm(4).tolist()
        for i, (left, label) in squares.items():
            for t, number in enumerate(numbers):
                masks[0, slots[i], t, number : number + 4, left : left + 6] = 5.0
                logits[0, t, slots[i], -1] = 0.0
                logits[0, t, slots[i], label] = 8.0
        return logits, boxes, masks

    monkeypatch.setattr(model, "_forward_clips", squares_in)
    num_frames = 11
    video = torch.arange(float(num_frames)).view(1, -1, 1, 1, 1).expand(1, -1, 3, 64, 96)
    (sample,) = model.predict(video, [clip_sample([], num_frames)])
    first = sample[0].pred_track_instances
    assert sorted(first.labels.tolist()) == [1, 2]
    assert (first.scores > 0.9).all()
    rows = {squares[i][1]: squares[i][0] for i in squares}
    for t, frame in enumerate(sample):
        tracks = frame.pred_track_instances
        for label, mask in zip(tracks.labels.tolist(), tracks.masks, strict=True):
            expected = torch.zeros(64, 96, dtype=torch.bool)
            left = rows[label] * 4
            expected[t * 4 : t * 4 + 16, left : left + 24] = True
            # The bilinear resizing rounds the corners.
            assert (mask & expected).sum() > 0.95 * (mask | expected).sum()


def test_of_a_batch_is_that_of_its_videos(build_tiny: Builder) -> None:
    """Frames of 40x90 alone are padded to 64x96, as they are beside frames of 64x96."""
    model = build_tiny()
    together = batch_of(([], (64, 96)), ([], (40, 90)), num_frames=5)
    alone = [{key: values[i : i + 1] for key, values in together.items()} for i in range(2)]
    samples = predict(model, together)
    for sample, batch in zip(samples, alone, strict=True):
        (expected,) = predict(model, batch)
        for a, b in zip(sample, expected, strict=True):
            a, b = a.pred_track_instances, b.pred_track_instances
            assert torch.equal(a.labels, b.labels)
            torch.testing.assert_close(a.scores, b.scores, rtol=1e-4, atol=1e-6)
            torch.testing.assert_close(a.bboxes, b.bboxes, rtol=1e-4, atol=1e-3)
            assert (a.masks != b.masks).float().mean() < 1e-3


def test_box_only_model_predicts_no_masks(build_tiny: Builder) -> None:
    (sample,) = predict(build_tiny(mask_head=None), batch_of(([], (64, 96)), num_frames=5))
    for frame in sample:
        assert "masks" not in frame.pred_track_instances
        assert len(frame.pred_track_instances.bboxes) >= 4


def test_step_of_the_runner(build_tiny: Builder) -> None:
    (sample,) = build_tiny().test_step(batch_of(([], (64, 96))))
    assert "pred_track_instances" in sample[0]
